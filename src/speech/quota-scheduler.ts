import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { type QuotaGrant, QuotaGovernor, type QuotaKind, type QuotaUsage } from '../platform/quota-governor.ts';
import { clockedSlot, type RequestSlot } from '../platform/request-slot.ts';

/** In this order: a caller who waits for an answer, one who waits for a greeting, nobody on the line. */
const QUOTA_PRIORITIES = ['turn', 'greeting', 'batch'] as const;
export type QuotaPriority = (typeof QUOTA_PRIORITIES)[number];

/** Whose turn it is: the higher priority, then whoever waits longest. */
export interface QuotaRank {
  readonly priority: QuotaPriority;
  /** On the monotonic clock. */
  readonly sinceMs: number;
  /** How many wait behind this ask, itself included. Default 1. */
  readonly waiting?: number;
}

/** A wish for one slot. */
export interface QuotaAsk {
  readonly kind: QuotaKind;
  /** Looked at whenever there is a slot; undefined: not now. */
  rank(): QuotaRank | undefined;
  /** The slot is there and has to be used or cancelled at once. `waited`: the quota had none when it was asked for. */
  granted(slot: RequestSlot, waited: boolean): void;
}

/** `QuotaGovernor`, or the share of one that several gateways have in common. */
export interface QuotaSource {
  request(kind: QuotaKind, nowMs: number): QuotaGrant | Promise<QuotaGrant>;
  isCounted(kind: QuotaKind): boolean;
  usage(nowMs: number): QuotaUsage;
}

export interface QuotaPressure {
  /** Utterances, texts and connections of callers that wait for the quota. */
  readonly waiting: number;
  /** How long the one that waits longest has waited. */
  readonly waitMs: number;
}

export interface QuotaSchedulerOptions {
  readonly quota: QuotaSource;
  readonly clock: Clock;
  /** Told while something waits, at most once a second. */
  readonly onPressure?: (pressure: QuotaPressure) => void;
}

export interface AcquireOptions {
  readonly priority: QuotaPriority;
  /** Longest wait. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

interface Waiting {
  readonly ask: QuotaAsk;
  waited: boolean;
}

/** Those who compete for the same slots. What the server does not count waits for no one. */
interface Lane {
  readonly asks: Set<Waiting>;
  isServing: boolean;
  /** Something came or ended while it was being served: it may be worth asking again. */
  isStirred: boolean;
  wake: Timer | undefined;
}

const PRESSURE_PERIOD_MS = 1_000;

/** Hands the slots of the quota to whoever needs them most. */
export class QuotaScheduler {
  readonly #quota: QuotaSource;
  readonly #clock: Clock;
  readonly #onPressure: ((pressure: QuotaPressure) => void) | undefined;
  readonly #counted: Lane = newLane();
  readonly #uncounted: Lane = newLane();
  #pressureToldAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: QuotaSchedulerOptions) {
    this.#quota = options.quota;
    this.#clock = options.clock;
    this.#onPressure = options.onPressure;
  }

  /** One that knows no limit, and waits only after a refusal. */
  static unlimited(clock: Clock): QuotaScheduler {
    return new QuotaScheduler({ clock, quota: new QuotaGovernor({ limit: Number.POSITIVE_INFINITY }) });
  }

  get usage(): QuotaUsage {
    return this.#quota.usage(this.#clock.nowMs());
  }

  /** What waits at the moment. */
  get pressure(): QuotaPressure {
    const nowMs = this.#clock.nowMs();
    let waiting = 0;
    let waitMs = 0;
    for (const lane of [this.#counted, this.#uncounted]) {
      for (const { ask } of lane.asks) {
        const rank = ask.rank();
        // Nobody is on the line for it.
        if (rank?.priority === 'batch') continue;
        waiting += rank ? (rank.waiting ?? 1) : 0;
        waitMs = Math.max(waitMs, nowMs - (rank?.sinceMs ?? nowMs));
      }
    }
    return { waiting, waitMs };
  }

  /** Asks for one slot. @returns a function that takes the ask back; after the grant it does nothing. */
  ask(ask: QuotaAsk): () => void {
    const lane = this.#quota.isCounted(ask.kind) ? this.#counted : this.#uncounted;
    const waiting: Waiting = { ask, waited: false };
    lane.asks.add(waiting);
    void this.#serve(lane);
    return () => lane.asks.delete(waiting);
  }

  /**
   * Waits for one slot.
   *
   * @throws GatewayError `ERR_QUOTA_WAIT` - none came within `deadlineMs`; `ERR_ABORTED` - the signal was aborted.
   */
  acquire(kind: QuotaKind, { priority, deadlineMs, signal }: AcquireOptions): Promise<RequestSlot> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        cancel();
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      const fail = (error: GatewayError): void => {
        end();
        reject(error);
      };
      const onAbort = (): void => fail(new GatewayError('ERR_ABORTED', 'the request was given up'));
      const timer = this.#clock.after(deadlineMs, () =>
        fail(new GatewayError('ERR_QUOTA_WAIT', `the quota had no slot for ${deadlineMs} ms`)),
      );
      const rank: QuotaRank = { priority, sinceMs: this.#clock.nowMs() };
      const granted = (slot: RequestSlot): void => {
        end();
        resolve(slot);
      };
      const cancel = this.ask({ kind, rank: () => rank, granted });
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
    });
  }

  async #serve(lane: Lane): Promise<void> {
    lane.isStirred = true;
    if (lane.isServing) return;
    lane.isServing = true;
    try {
      for (let next = first(lane.asks); next; next = first(lane.asks)) {
        lane.isStirred = false;
        const { kind } = next.ask;
        const grant = await this.#quota.request(kind, this.#clock.nowMs());
        if ('slot' in grant) {
          this.#grant(
            lane,
            kind,
            clockedSlot(grant.slot, this.#clock, () => void this.#serve(lane)),
          );
        } else if (!lane.isStirred) {
          this.#wait(lane, grant.retryAtMs);
          break;
        }
      }
    } finally {
      lane.isServing = false;
    }
  }

  #grant(lane: Lane, kind: QuotaKind, slot: RequestSlot): void {
    // Another may have come since it was asked for, or nobody may be left.
    const chosen = first(lane.asks, kind);
    if (!chosen) {
      slot.cancelled();
      return;
    }
    lane.asks.delete(chosen);
    chosen.ask.granted(slot, chosen.waited);
  }

  #wait(lane: Lane, untilMs: number): void {
    for (const waiting of lane.asks) waiting.waited = true;
    const nowMs = this.#clock.nowMs();
    lane.wake?.cancel();
    lane.wake = this.#clock.after(untilMs - nowMs, () => void this.#serve(lane));
    if (nowMs - this.#pressureToldAtMs < PRESSURE_PERIOD_MS) return;
    this.#pressureToldAtMs = nowMs;
    this.#onPressure?.(this.pressure);
  }
}

function newLane(): Lane {
  return { asks: new Set(), isServing: false, isStirred: false, wake: undefined };
}

/** Whose turn it is among `asks`, of one kind if `kind` says so. */
function first(asks: Iterable<Waiting>, kind?: QuotaKind): Waiting | undefined {
  let best: Waiting | undefined;
  let bestRank: QuotaRank | undefined;
  for (const waiting of asks) {
    const rank = kind === undefined || waiting.ask.kind === kind ? waiting.ask.rank() : undefined;
    if (rank && (bestRank === undefined || isBefore(rank, bestRank))) {
      best = waiting;
      bestRank = rank;
    }
  }
  return best;
}

function isBefore(a: QuotaRank, b: QuotaRank): boolean {
  return isHigherPriority(a.priority, b.priority) || (a.priority === b.priority && a.sinceMs < b.sinceMs);
}

export function isHigherPriority(a: QuotaPriority, b: QuotaPriority): boolean {
  return QUOTA_PRIORITIES.indexOf(a) < QUOTA_PRIORITIES.indexOf(b);
}
