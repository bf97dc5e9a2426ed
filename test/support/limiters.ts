/** How a limiter judged one request, with what it would say in its headers. */
export interface Verdict {
  readonly allowed: boolean;
  /** Requests that would be allowed if they came at this moment. */
  readonly remaining: number;
  /** When `remaining` is `limit` again if nothing more comes, on the clock of `take`. */
  readonly resetAtMs: number;
}

/** One way in which a server may count the requests of an account. */
export interface Limiter {
  readonly name: string;
  /** What `X-RateLimit-Limit` says. */
  readonly limit: number;
  /** Judges a request that arrives at `nowMs`, which never goes back. */
  take(nowMs: number): Verdict;
}

/** Windows that follow each other, each with its own count; `startOf` says when the window of a request began. */
class FixedWindow implements Limiter {
  readonly name: string;
  readonly limit: number;
  readonly #windowMs: number;
  readonly #startOf: (nowMs: number, lastStartMs: number) => number;
  #startMs = Number.NEGATIVE_INFINITY;
  #taken = 0;

  constructor(name: string, limit: number, windowMs: number, startOf: (nowMs: number, lastStartMs: number) => number) {
    this.name = name;
    this.limit = limit;
    this.#windowMs = windowMs;
    this.#startOf = startOf;
  }

  take(nowMs: number): Verdict {
    const startMs = this.#startOf(nowMs, this.#startMs);
    if (startMs !== this.#startMs) this.#taken = 0;
    this.#startMs = startMs;
    const allowed = this.#taken < this.limit;
    if (allowed) this.#taken++;
    return { allowed, remaining: this.limit - this.#taken, resetAtMs: startMs + this.#windowMs };
  }
}

/** The strictest of all: every request of the last window counts, those that were refused too. */
class SlidingLog implements Limiter {
  readonly name = 'sliding log that counts refusals';
  readonly limit: number;
  readonly #windowMs: number;
  readonly #arrivalsMs: number[] = [];

  constructor(limit: number, windowMs: number) {
    this.limit = limit;
    this.#windowMs = windowMs;
  }

  take(nowMs: number): Verdict {
    while (this.#arrivalsMs.length > 0 && this.#arrivalsMs[0]! <= nowMs - this.#windowMs) this.#arrivalsMs.shift();
    const allowed = this.#arrivalsMs.length < this.limit;
    this.#arrivalsMs.push(nowMs);
    return {
      allowed,
      remaining: Math.max(0, this.limit - this.#arrivalsMs.length),
      resetAtMs: nowMs + this.#windowMs,
    };
  }
}

/** Estimates a sliding window from the counts of two fixed ones, as Cloudflare and many libraries do. */
class SlidingCounter implements Limiter {
  readonly name = 'sliding counter';
  readonly limit: number;
  readonly #windowMs: number;
  #startMs = 0;
  #previous = 0;
  #current = 0;

  constructor(limit: number, windowMs: number) {
    this.limit = limit;
    this.#windowMs = windowMs;
  }

  take(nowMs: number): Verdict {
    const startMs = nowMs - (nowMs % this.#windowMs);
    if (startMs !== this.#startMs) {
      this.#previous = startMs === this.#startMs + this.#windowMs ? this.#current : 0;
      this.#current = 0;
      this.#startMs = startMs;
    }
    const carried = this.#previous * (1 - (nowMs - startMs) / this.#windowMs);
    const allowed = carried + this.#current + 1 <= this.limit;
    if (allowed) this.#current++;
    return {
      allowed,
      remaining: Math.max(0, Math.floor(this.limit - carried - this.#current)),
      resetAtMs: startMs + this.#windowMs,
    };
  }
}

/** A bucket that holds `capacity` tokens and is filled with `limit` of them in each window. */
class TokenBucket implements Limiter {
  readonly name: string;
  readonly limit: number;
  readonly #capacity: number;
  readonly #tokensPerMs: number;
  #tokens: number;
  #filledAtMs = 0;

  constructor(limit: number, windowMs: number, capacity: number) {
    this.name = `bucket of ${capacity}`;
    this.limit = limit;
    this.#capacity = capacity;
    this.#tokensPerMs = limit / windowMs;
    this.#tokens = capacity;
  }

  take(nowMs: number): Verdict {
    this.#tokens = Math.min(this.#capacity, this.#tokens + (nowMs - this.#filledAtMs) * this.#tokensPerMs);
    this.#filledAtMs = nowMs;
    const allowed = this.#tokens >= 1;
    if (allowed) this.#tokens--;
    return {
      allowed,
      remaining: Math.floor(this.#tokens),
      resetAtMs: nowMs + (this.#capacity - this.#tokens) / this.#tokensPerMs,
    };
  }
}

/** The six kinds; the phase of those on the clock is that of `take`'s `nowMs`. */
export const LIMITER_KINDS: readonly ((limit?: number, windowMs?: number) => Limiter)[] = [
  (limit = 100, windowMs = 60_000) =>
    new FixedWindow('fixed window on the clock', limit, windowMs, (nowMs) => nowMs - (nowMs % windowMs)),
  (limit = 100, windowMs = 60_000) =>
    new FixedWindow('fixed window from the first request', limit, windowMs, (nowMs, lastStartMs) =>
      nowMs < lastStartMs + windowMs ? lastStartMs : nowMs,
    ),
  (limit = 100, windowMs = 60_000) => new SlidingLog(limit, windowMs),
  (limit = 100, windowMs = 60_000) => new SlidingCounter(limit, windowMs),
  (limit = 100, windowMs = 60_000) => new TokenBucket(limit, windowMs, limit),
  (limit = 100, windowMs = 60_000) => new TokenBucket(limit, windowMs, limit / 10),
];

/** A bucket that is smaller than the governor takes for granted. */
export function smallBucket(capacity: number, limit = 100, windowMs = 60_000): Limiter {
  return new TokenBucket(limit, windowMs, capacity);
}
