import type { Clock } from '../../core/clock.ts';
import { GatewayError, toError } from '../../core/errors.ts';
import { orAborted, RequestWatch, refuseAborted } from './request-watch.ts';
import { withRetries } from './retry.ts';
import { waitingClock } from './waiting-clock.ts';

export interface FallbackOptions {
  /** For each attempt. Default 5 s. */
  readonly timeoutMs?: number;
  /** Attempts after the first. Default 2. */
  readonly retries?: number;
  /** Gives everything up, the fallback too. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/**
 * What `primary` gives, or what `fallback` gives once it failed. An attempt that takes too long has failed, and its
 * signal is aborted. What a repeat can not mend (a refused key, a wrong request) goes to the fallback at once.
 *
 * @throws what `fallback` throws, or GatewayError `ERR_ABORTED`.
 */
export async function callWithFallback<T>(
  primary: (signal: AbortSignal) => Promise<T>,
  fallback: (error: Error) => Promise<T> | T,
  { timeoutMs = 5_000, retries = 2, signal, clock = waitingClock }: FallbackOptions = {},
): Promise<T> {
  const whole = new RequestWatch(clock, [signal], 'the call');
  const attempt = async (): Promise<T> => {
    const watch = new RequestWatch(clock, [whole.signal], 'the call');
    watch.expect('the result', timeoutMs);
    try {
      return await orAborted(primary(watch.signal), watch.signal);
    } finally {
      watch.end();
    }
  };
  try {
    return await withRetries(attempt, {
      clock,
      signal: whole.signal,
      maxAttempts: retries + 1,
      mayRepeat: (error) => !(error instanceof GatewayError) || error.retryable,
    });
  } catch (thrown) {
    refuseAborted(whole.signal);
    return await fallback(toError(thrown));
  } finally {
    whole.end();
  }
}
