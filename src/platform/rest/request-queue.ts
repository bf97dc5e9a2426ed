import { type GatewayError, toError } from '../../core/errors.ts';
import { AbortedError, platformError } from '../platform-errors.ts';

export interface RequestQueueOptions {
  /** Default 5, as in the platform's guide. */
  readonly maxConcurrent?: number;
  /** Default 1,000. */
  readonly maxWaiting?: number;
}

interface Waiting {
  readonly start: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Runs work first in, first out, some of it at a time.
 *
 * (cockatiel's bulkhead forgets a free slot when the next in line was aborted, and lets latecomers overtake.)
 */
export class RequestQueue {
  readonly #maxConcurrent: number;
  readonly #maxWaiting: number;
  readonly #waiting = new Set<Waiting>();
  #running = 0;
  #isClosed = false;
  /** Work that was refused because too much waited. */
  refused = 0;

  constructor({ maxConcurrent = 5, maxWaiting = 1_000 }: RequestQueueOptions = {}) {
    if (!Number.isInteger(maxConcurrent) || maxConcurrent < 1) {
      throw new RangeError(`Expected a positive integer for maxConcurrent but received ${maxConcurrent}`);
    }
    this.#maxConcurrent = maxConcurrent;
    this.#maxWaiting = maxWaiting;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Runs `run` when its turn comes.
   *
   * @throws GatewayError `ERR_PLATFORM_BACKLOG` - too much waits already; `ERR_ABORTED` - the queue is closed.
   * @throws the reason of `signal` - it was aborted before the turn came.
   */
  async add<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#turn(signal);
    try {
      return await run();
    } finally {
      this.#running--;
      const [next] = this.#waiting;
      next?.start();
    }
  }

  /** Gives up what waits; what runs goes on. */
  close(): void {
    this.#isClosed = true;
    for (const { reject } of this.#waiting) reject(new AbortedError('the request'));
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new AbortedError('the request');
      if (signal?.aborted) throw toError(signal.reason);
      if (this.#running < this.#maxConcurrent) {
        this.#running++;
        resolve();
        return;
      }
      if (this.#waiting.size >= this.#maxWaiting) {
        this.refused++;
        throw platformError('ERR_PLATFORM_BACKLOG', `${this.#maxWaiting} requests wait already`);
      }
      const leave = (): void => {
        this.#waiting.delete(waiting);
        signal?.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => waiting.reject(signal?.reason as GatewayError);
      const waiting: Waiting = {
        start: () => {
          leave();
          this.#running++;
          resolve();
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      this.#waiting.add(waiting);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
