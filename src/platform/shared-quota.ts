import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../core/clock.ts';
import { toError } from '../core/errors.ts';
import type { SharedLog, SharedLogReply } from '../store/shared-log.ts';
import {
  type QuotaGovernorOptions,
  QuotaGovernor,
  type QuotaGrant,
  type QuotaKind,
  type QuotaSlot,
  type QuotaUsage,
  type RateRefusal,
} from './quota-governor.ts';
import type { RateLimitInfo } from './quota-lessons.ts';

export interface SharedQuotaMode {
  /** Whether the quota is shared; else this gateway keeps to a part of its own. */
  readonly isShared: boolean;
  /** Gateways among which it is, or was when they could last be counted. */
  readonly gateways: number;
  /** Why it is not shared. */
  readonly error?: Error;
}

export interface SharedQuotaOptions extends QuotaGovernorOptions {
  readonly log: SharedLog;
  readonly clock: Clock;
  /** Unlike that of any other gateway, and the same after a restart. */
  readonly gatewayId: string;
  /** Told when the log is lost and when it is there again. */
  readonly onMode?: (mode: SharedQuotaMode) => void;
}

type News =
  | { readonly type: 'here' | 'gone' }
  | { readonly type: 'take'; readonly slot: string; readonly kind: QuotaKind }
  | { readonly type: 'answered'; readonly slot: string; readonly info?: RateLimitInfo | undefined }
  | { readonly type: 'refused'; readonly slot: string; readonly refusal?: RateRefusal | undefined }
  | { readonly type: 'cancelled'; readonly slot: string };

/** What gateways tell each other. */
type Told = News & {
  readonly gateway: string;
  /** One life of a gateway: after a restart it is another. */
  readonly run: string;
  /** When it happened, on the log's clock; absent: when it was logged. */
  readonly atMs?: number;
};

const HEARTBEAT_MS = 10_000;
/** A gateway that was not heard of for this long may be out of touch, and be using its part. */
const SILENT_AFTER_MS = 25_000;
/** And after this it is taken for dead. */
const DEAD_AFTER_MS = 120_000;
/** While it waits, a gateway looks this often for what others gave back. */
const POLL_MS = 250;
/** Others were faster this many times: they get their turn. */
const MAX_ATTEMPTS = 20;
/** Until the log was reached for the first time nobody knows how many gateways there are. */
const ASSUMED_GATEWAYS = 4;
const MAX_UNTOLD = 10_000;

/**
 * One quota for any number of gateways. Each keeps a {@link QuotaGovernor} of its own and feeds it with what all do, in
 * the order of a log that they share; a request is made only once it stands in that log right behind everything its
 * gateway knew when it decided.
 *
 * Without the log a gateway keeps to what is certainly left to it: the limit less, for each other gateway, what it is
 * known to hold or its equal part, whichever is more.
 */
export class SharedQuota {
  readonly #log: SharedLog;
  readonly #clock: Clock;
  readonly #gateway: string;
  readonly #run = randomUUID();
  readonly #limit: number;
  readonly #onMode: ((mode: SharedQuotaMode) => void) | undefined;
  readonly #governor: QuotaGovernor;
  /** When each of the other gateways was last heard, on the log's clock. */
  readonly #heardMs = new Map<string, number>();
  /** What happened here and is not in the log yet. */
  #untold: Told[] = [];
  #isTelling = false;
  #seenId = '';
  #epoch: string | undefined;
  /** The log's clock less ours. */
  #offsetMs: number;
  #mode: 'new' | 'shared' | 'alone' = 'new';
  /** Whether the log was ever reached. */
  #knowsOthers = false;
  #sharedSinceMs = Number.NEGATIVE_INFINITY;
  /** How often the log was lost. */
  #losses = 0;
  #heartbeat: Timer | undefined;
  #slots = 0;

  constructor(options: SharedQuotaOptions) {
    this.#log = options.log;
    this.#clock = options.clock;
    this.#gateway = options.gatewayId;
    this.#limit = options.limit;
    this.#onMode = options.onMode;
    this.#governor = new QuotaGovernor(options);
    this.#offsetMs = options.clock.wallMs() - options.clock.nowMs();
  }

  /** Joins the others now, if the log can be reached, else as soon as it can. */
  async start(): Promise<void> {
    this.#heartbeat = this.#clock.every(HEARTBEAT_MS, () => void this.join());
    await this.join();
  }

  /** Shows that this gateway is there. To be called when the log is back, too: the next heartbeat may be 10 s away. */
  async join(): Promise<void> {
    this.#news({ type: 'here' });
    await this.#tell();
  }

  /** Says goodbye, so that the others need not leave this gateway its part. */
  async close(): Promise<void> {
    this.#heartbeat?.cancel();
    this.#news({ type: 'gone' });
    await this.#tell();
  }

  isCounted(kind: QuotaKind): boolean {
    return this.#governor.isCounted(kind);
  }

  /** Gateways that were heard of late, this one included. */
  get gateways(): number {
    return this.#heardMs.size + 1;
  }

  usage(): QuotaUsage {
    return this.#governor.usage(this.#nowMs());
  }

  /** Asks to make one request now. */
  async request(kind: QuotaKind): Promise<QuotaGrant> {
    for (let attempt = 0; this.#mode === 'shared' && this.isCounted(kind); attempt++) {
      // What others gave back may not be known here yet.
      if (this.#waitMs(kind) > 0 && !(await this.#exchange([], false))) break;
      const waitMs = this.#waitMs(kind);
      if (waitMs > 0) return this.#retryAfter(Math.min(waitMs, POLL_MS));
      if (attempt === MAX_ATTEMPTS) return this.#retryAfter(POLL_MS);
      const slot = this.#newSlot();
      const reply = await this.#exchange([this.#told({ type: 'take', slot, kind })], true);
      if (reply?.appended) return { slot: this.#slot(slot) };
    }
    return this.#requestAlone(kind);
  }

  #requestAlone(kind: QuotaKind): QuotaGrant {
    const waitMs = this.#waitMs(kind);
    if (waitMs > 0) return this.#retryAfter(waitMs);
    const slot = this.#newSlot();
    this.#governor.take(slot, kind, this.#nowMs(), this.#gateway);
    if (this.isCounted(kind)) this.#news({ type: 'take', slot, kind });
    return { slot: this.#slot(slot) };
  }

  #nowMs(): number {
    return this.#clock.nowMs() + this.#offsetMs;
  }

  #retryAfter(waitMs: number): QuotaGrant {
    return { retryAtMs: this.#clock.nowMs() + waitMs };
  }

  #newSlot(): string {
    return `${this.#run}:${this.#slots++}`;
  }

  #slot(slot: string): QuotaSlot {
    const ended = (news: News): void => {
      this.#apply(news, this.#gateway, this.#nowMs());
      this.#news(news);
      void this.#tell();
    };
    return {
      sent: () => this.#governor.sent(slot, this.#nowMs()),
      answered: (_nowMs, info) => ended({ type: 'answered', slot, info }),
      refused: (_nowMs, refusal) => ended({ type: 'refused', slot, refusal }),
      cancelled: () => ended({ type: 'cancelled', slot }),
    };
  }

  #waitMs(kind: QuotaKind): number {
    const nowMs = this.#nowMs();
    return this.#governor.waitMs(kind, nowMs, this.#reserved(nowMs));
  }

  /** Free slots that others may be using without our knowledge. */
  #reserved(nowMs: number): number {
    if (!this.#knowsOthers) return this.#limit - Math.max(1, Math.floor(this.#limit / ASSUMED_GATEWAYS));
    const partOfEach = Math.floor(this.#limit / this.gateways);
    let reserved = 0;
    for (const [gateway, heardMs] of this.#heardMs) {
      const isHeard = heardMs >= this.#sharedSinceMs && nowMs - heardMs < SILENT_AFTER_MS;
      if (this.#mode === 'shared' && isHeard) continue;
      reserved += Math.max(0, partOfEach - this.#governor.heldBy(gateway, nowMs));
    }
    return reserved;
  }

  #told(news: News): Told {
    return { ...news, gateway: this.#gateway, run: this.#run };
  }

  #news(news: News): void {
    this.#untold.push({ ...this.#told(news), atMs: this.#nowMs() });
    if (this.#untold.length > MAX_UNTOLD) this.#untold.shift();
  }

  /** Puts into the log what is not there yet. */
  async #tell(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    while (this.#untold.length > 0) {
      const telling = this.#untold;
      this.#untold = [];
      if (await this.#exchange(telling, false)) continue;
      this.#untold = [...telling.filter(({ type }) => type !== 'here'), ...this.#untold];
      break;
    }
    this.#isTelling = false;
  }

  /** @returns undefined when the log can not be reached. */
  async #exchange(told: readonly Told[], onlyIfSeen: boolean): Promise<SharedLogReply | undefined> {
    const texts = told.map((one) => JSON.stringify(one));
    const losses = this.#losses;
    let reply: SharedLogReply;
    try {
      reply = await this.#log.exchange(this.#seenId, texts, onlyIfSeen);
    } catch (thrown) {
      this.#setAlone(toError(thrown));
      return undefined;
    }
    this.#offsetMs = reply.nowMs - this.#clock.nowMs();
    for (const { id, atMs, text } of reply.unseen) {
      // Two exchanges at a time bring the same entries.
      if (!isAfter(id, this.#seenId)) continue;
      this.#seenId = id;
      this.#hear(JSON.parse(text) as Told, atMs);
    }
    const isNewLog = this.#epoch !== undefined && reply.epoch !== this.#epoch;
    this.#epoch = reply.epoch;
    if (isNewLog) this.#retell();
    // One that was under way when another found the log gone does not bring it back.
    if (losses === this.#losses) this.#setShared();
    return reply;
  }

  #hear(told: Told, loggedAtMs: number): void {
    const { gateway, run, type, atMs = loggedAtMs } = told;
    if (gateway !== this.#gateway) {
      if (type === 'gone') this.#heardMs.delete(gateway);
      // Not every word: answers still come in after a goodbye.
      else if (type === 'here' || type === 'take') this.#heardMs.set(gateway, loggedAtMs);
    }
    // What became of a slot of this gateway was applied when it happened.
    if (run !== this.#run || type === 'take') this.#apply(told, gateway, atMs);
  }

  #apply(news: News, gateway: string, atMs: number): void {
    if (news.type === 'take') this.#governor.take(news.slot, news.kind, atMs, gateway);
    else if (news.type === 'answered') this.#governor.answered(news.slot, atMs, news.info);
    else if (news.type === 'refused') this.#governor.refused(news.slot, atMs, news.refusal);
    else if (news.type === 'cancelled') this.#governor.cancelled(news.slot);
  }

  /** The log has lost its memory: what this gateway holds is told once more. */
  #retell(): void {
    const lost: Told[] = [];
    const kind = this.isCounted('stt') ? 'stt' : 'connection';
    for (const { id: slot, owner, sentAtMs, answeredAtMs } of this.#governor.entries) {
      if (owner !== this.#gateway) continue;
      lost.push({ ...this.#told({ type: 'take', slot, kind }), atMs: sentAtMs });
      if (answeredAtMs !== undefined) lost.push({ ...this.#told({ type: 'answered', slot }), atMs: answeredAtMs });
    }
    this.#untold = [...lost, ...this.#untold];
    void this.#tell();
  }

  #setShared(): void {
    const nowMs = this.#nowMs();
    for (const [gateway, heardMs] of this.#heardMs) {
      if (nowMs - heardMs > DEAD_AFTER_MS) this.#heardMs.delete(gateway);
    }
    if (this.#mode === 'shared') return;
    // What others did alone is known once they were heard again.
    if (this.#mode === 'alone') this.#sharedSinceMs = nowMs;
    this.#mode = 'shared';
    this.#knowsOthers = true;
    this.#onMode?.({ isShared: true, gateways: this.gateways });
  }

  #setAlone(error: Error): void {
    if (this.#mode === 'alone') return;
    this.#mode = 'alone';
    this.#losses++;
    this.#onMode?.({ isShared: false, gateways: this.#knowsOthers ? this.gateways : ASSUMED_GATEWAYS, error });
  }
}

/** Whether the id `a` is later in the log than `b`. */
function isAfter(a: string, b: string): boolean {
  const [aMs = 0, aNumber = 0] = a.split('-').map(Number);
  const [bMs = -1, bNumber = 0] = b === '' ? [] : b.split('-').map(Number);
  return aMs > bMs || (aMs === bMs && aNumber > bNumber);
}
