/** What became of one request, in the terms of the `X-RateLimit-*` headers. */
export interface QuotaDecision {
  readonly allowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** When the count starts anew, on the clock of `now`. */
  readonly resetAtMs: number;
}

/** Counts requests in windows that follow each other without overlap and start at multiples of their length. */
export class FixedWindow {
  readonly limit: number;
  readonly windowMs: number;
  #windowStartMs = 0;
  #taken = 0;

  /** @throws RangeError - unless `limit` is a whole number of at least 0. */
  constructor(limit: number, windowMs = 60_000) {
    if (!Number.isInteger(limit) || limit < 0) {
      throw new RangeError(`Expected a whole number of requests for limit but received ${limit}`);
    }
    this.limit = limit;
    this.windowMs = windowMs;
  }

  /** Takes one slot, if there is one. A refused request costs nothing. */
  take(nowMs: number): QuotaDecision {
    const windowStartMs = nowMs - (nowMs % this.windowMs);
    if (windowStartMs !== this.#windowStartMs) {
      this.#windowStartMs = windowStartMs;
      this.#taken = 0;
    }
    const allowed = this.#taken < this.limit;
    if (allowed) this.#taken++;
    return {
      allowed,
      limit: this.limit,
      remaining: this.limit - this.#taken,
      resetAtMs: windowStartMs + this.windowMs,
    };
  }
}
