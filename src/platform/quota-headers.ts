import type { RateLimitInfo } from './quota-lessons.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Smaller numbers are no epoch: it would lie before the year 2001. */
const MIN_EPOCH_S = 1e9;
/** Seconds reach this in the year 5138, milliseconds passed it in 1973. */
const MIN_EPOCH_MS = 1e11;

/**
 * What `X-RateLimit-Limit`, `-Remaining` and `-Reset` say; what can not be read is absent. The reset is an epoch in
 * seconds or milliseconds, or the seconds until then.
 */
export function readRateLimit(headers: Headers, nowWallMs: number): RateLimitInfo {
  const reset = readCount(headers['x-ratelimit-reset']);
  return {
    limit: readCount(headers['x-ratelimit-limit']),
    remaining: readCount(headers['x-ratelimit-remaining']),
    resetAfterMs: reset === undefined ? undefined : resetAfterMs(reset, nowWallMs),
  };
}

function readCount(value: string | string[] | undefined): number | undefined {
  return typeof value === 'string' && /^\s*\d{1,15}\s*$/.test(value) ? Number(value) : undefined;
}

function resetAfterMs(reset: number, nowWallMs: number): number {
  if (reset < MIN_EPOCH_S) return reset * 1000;
  return Math.max(0, (reset < MIN_EPOCH_MS ? reset * 1000 : reset) - nowWallMs);
}
