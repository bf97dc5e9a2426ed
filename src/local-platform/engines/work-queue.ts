import { ApiError } from '../api-error.ts';

export interface WorkQueueOptions {
  /** How many tasks run at once. */
  readonly concurrent: number;
  /** How many more may wait; one that comes then is refused. */
  readonly maxWaiting: number;
}

/** Runs tasks first come, first served, a bounded number at a time. */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  readonly #settled: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /**
   * @returns what `task` returns. A task whose signal is aborted while it waits never starts.
   * @throws ApiError 503 - too many tasks wait already.
   */
  async run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { concurrent, maxWaiting } = this.#options;
    if (this.#running < concurrent) this.#running++;
    else if (this.#waiting.length >= maxWaiting) throw new ApiError(503, 'The speech engines are busy');
    // A task that ends hands its place on, so that `#running` stays as it is.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      signal.throwIfAborted();
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else if (--this.#running === 0) for (const resolve of this.#settled.splice(0)) resolve();
    }
  }

  /** Resolves when no task runs. */
  async settled(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => this.#settled.push(resolve));
  }
}
