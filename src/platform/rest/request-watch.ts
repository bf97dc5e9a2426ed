import type { Clock, Timer } from '../../core/clock.ts';
import { GatewayError, toError } from '../../core/errors.ts';
import { AbortedError, platformError } from '../platform-errors.ts';

/** Aborts work when somebody gives it up, or when what is expected of it next does not come in time. */
export class RequestWatch {
  readonly #clock: Clock;
  readonly #outers: readonly AbortSignal[];
  readonly #what: string;
  readonly #controller = new AbortController();
  readonly #onAbort = (event: Event): void => this.#abort(event.target as AbortSignal);
  #timer: Timer | undefined;

  /** Follows all of `outers`, until {@link end}. */
  constructor(clock: Clock, outers: readonly (AbortSignal | undefined)[], what: string) {
    this.#clock = clock;
    this.#outers = outers.filter((outer) => outer !== undefined);
    this.#what = what;
    for (const outer of this.#outers) {
      if (outer.aborted) this.#abort(outer);
      outer.addEventListener('abort', this.#onAbort, { once: true });
    }
  }

  /** Its reason is the GatewayError that the work fails with. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Starts to wait for `next`, in the place of what was waited for. */
  expect(next: string, timeoutMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(timeoutMs, () =>
      this.#controller.abort(platformError('ERR_PLATFORM_TIMEOUT', `${next} did not come within ${timeoutMs} ms`)),
    );
  }

  /** What was waited for has come. */
  met(): void {
    this.#timer?.cancel();
  }

  /** Nothing aborts the work any more. */
  end(): void {
    this.#timer?.cancel();
    for (const outer of this.#outers) outer.removeEventListener('abort', this.#onAbort);
  }

  #abort(outer: AbortSignal): void {
    const reason: unknown = outer.reason;
    this.#controller.abort(reason instanceof GatewayError ? reason : new AbortedError(this.#what));
  }
}

/** Throws the reason of `signal` if it is aborted. */
export function refuseAborted(signal: AbortSignal): void {
  if (signal.aborted) throw signal.reason as GatewayError;
}

/** Resolves after `delayMs`; rejects with the reason of `signal` as soon as that is aborted. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      timer.cancel();
      reject(signal.reason as GatewayError);
    };
    const timer = clock.after(delayMs, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** `work`, or the reason of `signal` as soon as it is aborted, even where `work` can not be broken off. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(toError(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
