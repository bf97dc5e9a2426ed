/** What an answer says about the quota, with times made relative. */
export interface RateLimitInfo {
  /** `X-RateLimit-Limit`. */
  readonly limit?: number | undefined;
  /** `X-RateLimit-Remaining`. */
  readonly remaining?: number | undefined;
  /** Until `X-RateLimit-Reset`. */
  readonly resetAfterMs?: number | undefined;
}

/** One refusal, in the terms of the account's own count. */
export interface Refusal {
  readonly sentAtMs: number;
  /** How many paces the account was ahead with the refused request: 1 when it came alone. */
  readonly depth: number;
  /** Requests accepted within the last window. */
  readonly accepted: number;
  /** How long the server asked to wait. */
  readonly retryAfterMs?: number | undefined;
}

/** What may come at once until something else is known: a bucket as small as this passes it. */
const MIN_ASSUMED_BURST = 10;
const ASSUMED_BURST_PART = 1 / 10;
/** With less, each request would wait for the answer to the one before. */
const MIN_BURST = 2;
/** A limit below this part of the quota says how many may come at once, not how many in a minute. */
const BURST_LIMIT_PART = 1 / 5;
/** Parts of the quota. A refusal with little in use is another's doing: only waiting helps. */
const LITTLE_PART = 1 / 5;
const MUCH_PART = 1 / 2;
const MIN_BLOCK_MS = 250;
const MAX_BLOCK_MS = 60_000;
/** After a refusal that does not say how long to wait; doubles while refusals go on. */
const BLOCK_BASE_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;
/** Without refusals for this long, a lesson is eased by one step; doubles when that was too early. */
const PATIENCE_MS = 60_000;
const MAX_PATIENCE_MS = 16 * PATIENCE_MS;
/** One step back to the full limit. */
const EASE_FACTOR = 1.5;
/** Part of what was accepted before a refusal that is taken for the limit. */
const CAUTION_PART = 0.95;

/**
 * What the server taught: how long to wait, and that it allows less than was thought, in a window or at once. Lessons
 * fade step by step, so that the account comes back to all of its quota.
 */
export class QuotaLessons {
  readonly #fullLimit: number;
  #shownLimit = Number.POSITIVE_INFINITY;
  #learnedLimit = Number.POSITIVE_INFINITY;
  #fullBurst: number;
  #burst: number;
  #blockedUntilMs = Number.NEGATIVE_INFINITY;
  #lastRefusalMs = Number.NEGATIVE_INFINITY;
  #refusalsInARow = 0;
  #patienceMs = PATIENCE_MS;
  #easedAtMs = 0;
  #easedSinceRefusal = false;
  #refusals = 0;

  constructor(fullLimit: number) {
    this.#fullLimit = fullLimit;
    this.#fullBurst = Math.max(MIN_ASSUMED_BURST, Math.floor(fullLimit * ASSUMED_BURST_PART));
    this.#burst = this.#fullBurst;
  }

  /** Requests in a window. */
  get limit(): number {
    return Math.max(1, Math.floor(Math.min(this.#fullLimit, this.#shownLimit, this.#learnedLimit)));
  }

  /** Requests at once. */
  get burst(): number {
    return this.#burst;
  }

  /** Nothing is sent before this. */
  get blockedUntilMs(): number {
    return this.#blockedUntilMs;
  }

  get refusals(): number {
    return this.#refusals;
  }

  /** The server said how many it allows. */
  showLimit(limit: number): void {
    if (limit >= this.#fullLimit * BURST_LIMIT_PART) {
      this.#shownLimit = limit;
    } else {
      this.#fullBurst = Math.max(MIN_BURST, Math.min(this.#fullBurst, limit));
      this.#burst = Math.min(this.#burst, this.#fullBurst);
    }
  }

  /** The server has room for `limit` in this window, whatever was learned. */
  disprove(limit: number): void {
    if (limit > this.#learnedLimit) this.#learnedLimit = limit;
  }

  accept(sentAtMs: number): void {
    if (sentAtMs >= this.#lastRefusalMs) this.#refusalsInARow = 0;
  }

  refuse(refusal: Refusal, nowMs: number): void {
    // Those on their way together are one refusal: none of them was sent in spite of another.
    const isNew = refusal.sentAtMs >= this.#lastRefusalMs;
    this.#refusals++;
    if (isNew) this.#refusalsInARow++;
    this.#lastRefusalMs = nowMs;
    this.#block(refusal.retryAfterMs, nowMs);
    this.#learn(refusal, isNew);
    if (isNew && this.#easedSinceRefusal) this.#patienceMs = Math.min(MAX_PATIENCE_MS, 2 * this.#patienceMs);
    this.#easedSinceRefusal = false;
    this.#easedAtMs = nowMs;
  }

  /** Lets lessons fade. */
  ease(nowMs: number): void {
    const isFull = this.#burst >= this.#fullBurst && this.#learnedLimit >= this.#fullLimit;
    if (isFull || nowMs - this.#easedAtMs < this.#patienceMs) return;
    // The step before was not too early.
    if (this.#easedSinceRefusal) this.#patienceMs = Math.max(PATIENCE_MS, this.#patienceMs / 2);
    this.#burst = Math.min(this.#fullBurst, this.#burst + 1);
    this.#learnedLimit *= EASE_FACTOR;
    this.#easedSinceRefusal = true;
    this.#easedAtMs = nowMs;
  }

  /** A refusal amid a burst is taken for one of the burst, unless much of the quota is used. */
  #learn({ depth, accepted }: Refusal, isNew: boolean): void {
    const burst = Math.max(MIN_BURST, Math.floor(depth) - 1);
    if (burst < this.#burst && accepted < this.#fullLimit * MUCH_PART) {
      this.#burst = burst;
    } else if (isNew && accepted >= this.#fullLimit * LITTLE_PART) {
      this.#learnedLimit = Math.min(this.#learnedLimit, accepted * CAUTION_PART);
    }
  }

  #block(retryAfterMs: number | undefined, nowMs: number): void {
    const backoffMs = Math.min(MAX_BACKOFF_MS, BLOCK_BASE_MS * 2 ** Math.max(0, this.#refusalsInARow - 1));
    const blockMs = Math.min(MAX_BLOCK_MS, Math.max(MIN_BLOCK_MS, retryAfterMs ?? backoffMs));
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs, nowMs + blockMs);
  }
}
