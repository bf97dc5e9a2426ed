import { ExponentialBackoff, fullJitterGenerator } from 'cockatiel';
import type { Clock } from '../../core/clock.ts';
import { toError } from '../../core/errors.ts';
import { NetworkError, type PlatformError, RateLimitError, ServerError, TimeoutError } from '../platform-errors.ts';
import type { Repetition } from './endpoint.ts';
import { refuseAborted, sleep } from './request-watch.ts';

export interface RetryOptions {
  readonly clock: Clock;
  /** Ends the waiting too. Its reason is what is thrown then. */
  readonly signal: AbortSignal;
  /** The first included. */
  readonly maxAttempts: number;
  readonly mayRepeat: (error: Error) => boolean;
  /** On the clock's `nowMs`. A wait that would reach beyond it is not begun. */
  readonly deadlineMs?: number;
  readonly onRetry?: () => void;
}

const BASE_DELAY_MS = 1_000;
const MAX_DELAY_MS = 30_000;

/**
 * Runs `run` until it succeeds, at most `maxAttempts` times. Between attempts it waits as long as the platform asks for,
 * and up to 1 s, 2 s, 4 s … more: full jitter keeps those apart who lost the same server.
 *
 * The waits are made here on the injected clock: those of cockatiel's own loop can not be broken off.
 */
export async function withRetries<T>(run: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, signal, maxAttempts, mayRepeat, deadlineMs = Number.POSITIVE_INFINITY, onRetry } = options;
  const generator = { generator: fullJitterGenerator, initialDelay: BASE_DELAY_MS, maxDelay: MAX_DELAY_MS };
  let backoff = new ExponentialBackoff(generator).next();
  for (let attempt = 1; ; attempt++) {
    refuseAborted(signal);
    try {
      return await run();
    } catch (thrown) {
      refuseAborted(signal);
      const error = toError(thrown);
      if (attempt >= maxAttempts || !mayRepeat(error)) throw error;
      const waitMs = ((error as Partial<PlatformError>).retryAfterMs ?? 0) + backoff.duration;
      if (clock.nowMs() + waitMs >= deadlineMs) throw error;
      onRetry?.();
      await sleep(clock, waitMs, signal);
      backoff = backoff.next(undefined);
    }
  }
}

/**
 * Whether a request that failed with `error` may be sent again: after 429, 500, 503, a broken network and a missing
 * answer, if that does no harm. What does something each time is repeated only if it is proven that nothing was done.
 */
export function mayRepeat(repetition: Repetition, error: Error): boolean {
  if (!isTransient(error)) return false;
  return repetition !== 'once' || (error as PlatformError).nothingDone;
}

function isTransient(error: Error): boolean {
  if (error instanceof RateLimitError || error instanceof NetworkError) return true;
  // With a status it is an answer (408, 504) and not a missing one.
  if (error instanceof TimeoutError) return error.status === undefined;
  return error instanceof ServerError && (error.status === 500 || error.status === 503);
}

/** Whether `error` says that the platform as a whole is failing. */
export function isOutage(error: Error): boolean {
  if (error instanceof NetworkError || error instanceof TimeoutError) return true;
  return error instanceof ServerError && error.status !== undefined && error.status >= 500;
}
