import { QuotaLessons, type RateLimitInfo } from './quota-lessons.ts';
import { type QuotaEntry, QuotaLog } from './quota-log.ts';

/** What costs a slot: opening a realtime connection, asking for a transcript, for speech, for anything else. */
export type QuotaKind = 'connection' | 'stt' | 'tts' | 'request';

export interface QuotaGovernorOptions {
  /** Requests in a window; `Infinity`: only refusals hold anything back. */
  readonly limit: number;
  /** What the server counts. Default both. */
  readonly counts?: readonly ('connections' | 'messages')[];
  /** Default 60 s. */
  readonly windowMs?: number;
  /** After which a request without an answer is taken for answered. Default 30 s. */
  readonly timeoutMs?: number;
}

export interface QuotaUsage {
  /** Slots of a window, as far as is known now; never more than was configured. */
  readonly limit: number;
  readonly used: number;
  readonly available: number;
  /** From one request to the next when many wait. */
  readonly paceMs: number;
  /** Requests that may go out at once. */
  readonly burst: number;
  /** Since the start. */
  readonly refusals: number;
  /** How long nothing at all is sent, after a refusal. */
  readonly blockedMs: number;
}

export interface RateRefusal {
  /** What the server asked for. */
  readonly retryAfterMs?: number | undefined;
  readonly info?: RateLimitInfo | undefined;
}

/** The right to make one request, ended by exactly one of `answered`, `refused` and `cancelled`. */
export interface QuotaSlot {
  /** It went out. */
  sent(nowMs: number): void;
  /** Its answer came, or it failed otherwise than for the rate. */
  answered(nowMs: number, info?: RateLimitInfo): void;
  /** It was refused for the rate. */
  refused(nowMs: number, refusal?: RateRefusal): void;
  /** It was never sent. */
  cancelled(): void;
}

export type QuotaGrant =
  | { readonly slot: QuotaSlot }
  /** Not before this moment, unless an answer comes or a slot is given back. */
  | { readonly retryAtMs: number };

/** What the newest answer with headers said was left. */
interface Shown {
  readonly id: string;
  readonly remaining: number;
  readonly sentAtMs: number;
  /** What was said holds no longer than this. */
  readonly untilMs: number;
  /** Whether more is missing than the account itself can have used up. */
  readonly isLess: boolean;
}

/** Part of the limit by which a server's count may differ from ours for no reason. */
const TOLERANCE_PART = 1 / 10;
/** With less than this part in use, what a server shows to be left may go at once. */
const LOW_USE_PART = 1 / 3;
/** Nobody need ask again sooner: a wait of rounding errors is none. */
const MIN_WAIT_MS = 1;

/**
 * Keeps an account inside its quota however the server counts, and gets nearly all of it out.
 *
 * ```
 *   request ─► not blocked? ─► a slot free? ─► the server has some left? ─► in pace? ─► a sliding counter, too? ─► slot
 *              (Retry-After)   (sliding log)   (X-RateLimit-Remaining)     (bucket)
 * ```
 *
 * A slot is held until its answer and one window more. Pure: the caller gives every moment, on one monotonic clock.
 */
export class QuotaGovernor {
  readonly #counts: readonly string[];
  readonly #fullLimit: number;
  readonly #windowMs: number;
  readonly #log: QuotaLog;
  readonly #lessons: QuotaLessons;
  #shown: Shown | undefined;
  /** Until a request is refused for which headers had shown room. */
  #trustsHeaders = true;
  #ids = 0;

  /** @throws RangeError - unless `limit` is at least 1. */
  constructor(options: QuotaGovernorOptions) {
    const { limit, counts = ['connections', 'messages'], windowMs = 60_000, timeoutMs = 30_000 } = options;
    if (!(limit >= 1)) throw new RangeError(`Expected at least 1 for limit but received ${limit}`);
    this.#counts = counts;
    this.#fullLimit = limit;
    this.#windowMs = windowMs;
    this.#log = new QuotaLog({ windowMs, timeoutMs });
    this.#lessons = new QuotaLessons(limit);
  }

  /** Asks to make one request now. */
  request(kind: QuotaKind, nowMs: number): QuotaGrant {
    const waitMs = this.waitMs(kind, nowMs);
    if (waitMs > 0) return { retryAtMs: nowMs + waitMs };
    const id = String(this.#ids++);
    this.take(id, kind, nowMs);
    return {
      slot: {
        sent: (atMs) => this.sent(id, atMs),
        answered: (atMs, info) => this.answered(id, atMs, info),
        refused: (atMs, refusal) => this.refused(id, atMs, refusal),
        cancelled: () => this.cancelled(id),
      },
    };
  }

  /**
   * How long one more request has to wait; 0: it may go now.
   *
   * @param reserved - slots that are free and not to be used: others may be using them.
   */
  waitMs(kind: QuotaKind, nowMs: number, reserved = 0): number {
    this.#log.prune(nowMs);
    this.#lessons.ease(nowMs);
    const waitMs = this.#waitMs(kind, nowMs, reserved);
    return waitMs > 0 ? Math.max(MIN_WAIT_MS, waitMs) : 0;
  }

  /** Notes that `owner`, one of those who share the quota, makes the request `id`; known already, it is the same. */
  take(id: string, kind: QuotaKind, nowMs: number, owner = ''): void {
    this.#log.prune(nowMs);
    if (!this.isCounted(kind) || this.#log.find(id)) return;
    const { limit } = this.#lessons;
    const fullPaceMs = this.#windowMs / limit;
    const isExtra = this.#showsRoom(nowMs, limit) && this.#aheadMs(nowMs, limit) > 0;
    const aheadMs = this.#log.backInPaceMs(nowMs, fullPaceMs).bucketMs - nowMs;
    this.#log.add({
      id,
      owner,
      sentAtMs: nowMs,
      answeredAtMs: undefined,
      refused: false,
      intervalMs: isExtra ? 0 : this.#log.intervalMs(nowMs, limit),
      depth: 1 + Math.max(0, aheadMs) / fullPaceMs,
    });
  }

  sent(id: string, nowMs: number): void {
    const entry = this.#log.find(id);
    if (entry) entry.sentAtMs = nowMs;
  }

  answered(id: string, nowMs: number, info: RateLimitInfo = {}): void {
    const entry = this.#log.find(id);
    if (!entry) return;
    entry.answeredAtMs = nowMs;
    this.#lessons.accept(entry.sentAtMs);
    if (info.limit !== undefined) this.#lessons.showLimit(info.limit);
    if (info.remaining !== undefined) this.#show(id, entry.sentAtMs, info.remaining, info, nowMs);
  }

  refused(id: string, nowMs: number, { retryAfterMs, info }: RateRefusal = {}): void {
    const entry = this.#log.find(id);
    if (entry) {
      entry.answeredAtMs = nowMs;
      entry.refused = true;
      if (entry.intervalMs === 0) this.#trustsHeaders = false;
    }
    if (info?.limit !== undefined) this.#lessons.showLimit(info.limit);
    const accepted = this.#log.held(nowMs, ({ answeredAtMs, refused }) => answeredAtMs !== undefined && !refused);
    const { sentAtMs = nowMs, depth = 1 } = entry ?? {};
    this.#lessons.refuse({ sentAtMs, depth, accepted, retryAfterMs }, nowMs);
  }

  cancelled(id: string): void {
    this.#log.remove(id);
  }

  /** The requests of the last two windows. */
  get entries(): readonly QuotaEntry[] {
    return this.#log.entries;
  }

  /** Slots that `owner` holds. */
  heldBy(owner: string, nowMs: number): number {
    return this.#log.held(nowMs, (entry) => entry.owner === owner);
  }

  usage(nowMs: number): QuotaUsage {
    const { limit, burst, refusals, blockedUntilMs } = this.#lessons;
    const used = this.#log.held(nowMs);
    return {
      limit,
      used,
      available: Math.max(0, limit - used),
      paceMs: this.#log.intervalMs(nowMs, limit),
      burst,
      refusals,
      blockedMs: Math.max(0, blockedUntilMs - nowMs),
    };
  }

  /** Whether the server counts requests of this kind, as configured. */
  isCounted(kind: QuotaKind): boolean {
    return this.#counts.includes(kind === 'connection' ? 'connections' : 'messages');
  }

  #waitMs(kind: QuotaKind, nowMs: number, reserved: number): number {
    const blockedMs = this.#lessons.blockedUntilMs - nowMs;
    if (blockedMs > 0) return blockedMs;
    if (this.#fullLimit === Number.POSITIVE_INFINITY || !this.isCounted(kind)) return 0;
    const limit = this.#lessons.limit - reserved;
    const releases = this.#log.releasesMs(nowMs);
    const free = limit - releases.length;
    if (free < 1) return (releases[Math.ceil(-free)] ?? nowMs + this.#windowMs) - nowMs;
    if (this.#shown?.isLess && this.#left(nowMs) < 1) return this.#shown.untilMs - nowMs;
    const aheadMs = this.#showsRoom(nowMs, limit) ? 0 : this.#aheadMs(nowMs, limit);
    return aheadMs > 0 ? aheadMs : this.#log.counterWaitMs(nowMs, limit);
  }

  /** Whether the server shows room for more at once than may be assumed of every server. */
  #showsRoom(nowMs: number, limit: number): boolean {
    return this.#trustsHeaders && this.#left(nowMs) >= 1 && this.#log.held(nowMs) < limit * LOW_USE_PART;
  }

  /** How long until one more request is no burst that a small bucket, or the slots there are, could not bear. */
  #aheadMs(nowMs: number, limit: number): number {
    // Of what may come at once as much as of the limit is left to others.
    const burst = Math.max(1, Math.floor((this.#lessons.burst * limit) / this.#lessons.limit));
    const fullPaceMs = this.#windowMs / limit;
    const { pacedMs, bucketMs } = this.#log.backInPaceMs(nowMs, fullPaceMs);
    // The pace falls while a burst goes out, which is no reason to hold up its end: hence one more.
    return Math.max(bucketMs - (burst - 1) * fullPaceMs, pacedMs - burst * fullPaceMs) - nowMs;
  }

  #show(id: string, sentAtMs: number, remaining: number, info: RateLimitInfo, nowMs: number): void {
    if (this.#shown && sentAtMs < this.#shown.sentAtMs) return;
    const { limit } = this.#lessons;
    // What came free after the sending may not have been free for the server.
    const held = this.#log.held(sentAtMs);
    const missing = limit - remaining - limit * TOLERANCE_PART;
    this.#shown = {
      id,
      remaining,
      sentAtMs,
      untilMs: nowMs + Math.min(info.resetAfterMs ?? this.#windowMs, this.#windowMs),
      isLess: held < missing && this.#log.counterWaitMs(sentAtMs, missing) === 0,
    };
    if (info.limit !== undefined && info.limit >= this.#fullLimit) this.#lessons.disprove(held + remaining);
  }

  /** What is left of what the server showed last; NaN when it shows nothing that still holds. */
  #left(nowMs: number): number {
    const shown = this.#shown;
    if (!shown || nowMs >= shown.untilMs) return Number.NaN;
    return shown.remaining - this.#log.arrivedSince(shown.sentAtMs, shown.id);
  }
}
