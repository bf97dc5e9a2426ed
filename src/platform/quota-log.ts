export interface QuotaLogOptions {
  /** The span over which the server counts. */
  readonly windowMs: number;
  /** A request without an answer for this long is taken for answered. */
  readonly timeoutMs: number;
}

/** One request or connection that counts at the server. */
export interface QuotaEntry {
  readonly id: string;
  /** Which gateway made it. */
  readonly owner: string;
  sentAtMs: number;
  answeredAtMs: number | undefined;
  refused: boolean;
  /** The pace of its time; 0 for one that was let through because the server showed that it has room. */
  readonly intervalMs: number;
  /** How many paces the account was ahead with it: 1 for one that comes alone, 10 for the last of ten at once. */
  readonly depth: number;
}

/** Within this a message that was sent has reached the server, however long its answer takes. */
const MAX_TRANSIT_MS = 3_000;
/** The slowest pace, in parts of the full one. What was overdrawn is waited for slot by slot, not paid for in advance. */
const MAX_SLOWDOWN = 2;
/** Clocks of whole milliseconds round either way. */
const ROUNDING_MS = 1;

/**
 * The requests of the last two windows, and what each kind of limiter would make of them.
 *
 * The server stamps a request somewhere between its sending and its answer. Every question is answered for the worst of
 * these moments, the latest: what is free then is free.
 */
export class QuotaLog {
  readonly #windowMs: number;
  readonly #timeoutMs: number;
  #entries: QuotaEntry[] = [];

  constructor(options: QuotaLogOptions) {
    this.#windowMs = options.windowMs;
    this.#timeoutMs = options.timeoutMs;
  }

  get entries(): readonly QuotaEntry[] {
    return this.#entries;
  }

  add(entry: QuotaEntry): void {
    this.#entries.push(entry);
  }

  find(id: string): QuotaEntry | undefined {
    return this.#entries.find((entry) => entry.id === id);
  }

  remove(id: string): void {
    this.#entries = this.#entries.filter((entry) => entry.id !== id);
  }

  /** Forgets what counts nowhere any more. */
  prune(nowMs: number): void {
    const oldestMs = nowMs - 2 * this.#windowMs - ROUNDING_MS;
    this.#entries = this.#entries.filter((entry) => this.#arrivalMs(entry, nowMs) > oldestMs);
  }

  /** When each slot that is taken comes free, in ascending order; for one without an answer at the earliest. */
  releasesMs(nowMs: number): number[] {
    return this.#entries
      .map((entry) => this.#releaseMs(entry, nowMs))
      .filter((releaseMs) => releaseMs > nowMs)
      .sort(ascending);
  }

  /** How many requests that match take a slot. */
  held(nowMs: number, matches: (entry: QuotaEntry) => boolean = () => true): number {
    let held = 0;
    for (const entry of this.#entries) if (this.#releaseMs(entry, nowMs) > nowMs && matches(entry)) held++;
    return held;
  }

  /** Requests besides `id` that may have reached the server after `sinceMs`. */
  arrivedSince(sinceMs: number, id: string): number {
    let arrived = 0;
    for (const entry of this.#entries) {
      if (entry.id !== id && (entry.answeredAtMs ?? Number.POSITIVE_INFINITY) > sinceMs) arrived++;
    }
    return arrived;
  }

  /**
   * The time from one request to the next at which the slots just last: none is missing before the next comes free,
   * and none is left over at the end of the window.
   */
  intervalMs(nowMs: number, limit: number): number {
    const releases = this.releasesMs(nowMs);
    const free = limit - releases.length;
    let perMs = limit / this.#windowMs;
    for (const [earlier, releaseMs] of releases.entries()) {
      perMs = Math.min(perMs, (free + earlier) / (releaseMs - nowMs));
    }
    return Math.min(1 / perMs, (MAX_SLOWDOWN * this.#windowMs) / limit);
  }

  /**
   * When the account is no more ahead of its pace: the theoretical arrival time of the generic cell rate algorithm
   * (ITU-T I.371), at the pace of each request's time and at `fullPaceMs`, which is that of a bucket.
   */
  backInPaceMs(nowMs: number, fullPaceMs: number): { readonly pacedMs: number; readonly bucketMs: number } {
    const arrivals = this.#entries
      .map((entry) => ({ atMs: Math.min(this.#arrivalMs(entry, nowMs), entry.sentAtMs + MAX_TRANSIT_MS), entry }))
      .sort((a, b) => a.atMs - b.atMs);
    let pacedMs = Number.NEGATIVE_INFINITY;
    let bucketMs = Number.NEGATIVE_INFINITY;
    for (const { atMs, entry } of arrivals) {
      pacedMs = Math.max(pacedMs, atMs) + entry.intervalMs;
      bucketMs = Math.max(bucketMs, atMs) + Math.min(entry.intervalMs, fullPaceMs);
    }
    return { pacedMs, bucketMs };
  }

  /**
   * How long one more request has to wait for a sliding counter: the count of a fixed window plus the part of the one
   * before that a sliding window would still cover. Where the server's windows begin is not known: the worst place
   * counts, and that is with a request or one window after one.
   */
  counterWaitMs(nowMs: number, limit: number): number {
    const windowMs = this.#windowMs;
    if (this.#entries.length < limit) return 0;
    const arrivals = this.#entries.map((entry) => this.#arrivalMs(entry, nowMs)).sort(ascending);
    let waitMs = 0;
    for (const startMs of [...arrivals, ...arrivals.map((arrivalMs) => arrivalMs + windowMs)]) {
      const covered = 1 - (nowMs - startMs) / windowMs;
      if (covered <= 0 || covered > 1) continue;
      const before = countBefore(arrivals, startMs);
      const previous = before - countBefore(arrivals, startMs - windowMs);
      const excess = previous * covered + (arrivals.length - before) + 1 - limit;
      if (excess > 0) waitMs = Math.max(waitMs, (excess * windowMs) / Math.max(1, previous));
    }
    return waitMs;
  }

  #arrivalMs(entry: QuotaEntry, nowMs: number): number {
    return entry.answeredAtMs ?? Math.min(nowMs, entry.sentAtMs + this.#timeoutMs);
  }

  #releaseMs(entry: QuotaEntry, nowMs: number): number {
    return this.#arrivalMs(entry, nowMs) + this.#windowMs + ROUNDING_MS;
  }
}

function ascending(a: number, b: number): number {
  return a - b;
}

/** How many of `sorted` lie before `limit`. */
function countBefore(sorted: readonly number[], limit: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
