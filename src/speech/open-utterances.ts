import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { CallOrder, type Ticket } from './call-order.ts';
import type { QuotaPriority } from './quota-scheduler.ts';
import { type Transcript, toPart, type Utterance } from './utterance.ts';
import { type QueuedUtterance, UtteranceQueue } from './utterance-queue.ts';

/** One that has no answer yet. */
export interface OpenUtterance extends Utterance, QueuedUtterance {
  readonly priority: QuotaPriority;
  readonly deadlineMs: number;
  /** Let through a closed guard, to find out whether the account is mended. */
  readonly isProbe: boolean;
  /** When its request went out first. */
  wireAtMs: number | undefined;
  /** Whether it was sent again after its request was lost. */
  retried: boolean;
}

/** How it ends: once. */
interface Ending {
  readonly ticket: Ticket;
  readonly timer: Timer;
  readonly resolve: (transcript: Transcript) => void;
  readonly reject: (error: GatewayError) => void;
}

/** Takes charge of an utterance that would end in `error`. @returns whether it did. Must not throw. */
export type KeepUtterance = (utterance: Utterance, error: GatewayError) => boolean;

export interface OpenUtterancesOptions {
  readonly clock: Clock;
  readonly maxQueued: number;
  readonly maxQueuedPerCall: number;
  readonly keep: KeepUtterance | undefined;
}

/**
 * The utterances without an answer: waiting, or with the platform. Each ends once, in a transcript or an error, those of
 * one call in their order.
 */
export class OpenUtterances {
  readonly #options: OpenUtterancesOptions;
  readonly #order = new CallOrder();
  readonly #waiting = new UtteranceQueue<OpenUtterance>();
  readonly #inFlight = new Set<OpenUtterance>();
  readonly #endings = new Map<OpenUtterance, Ending>();
  readonly #onEmpty = new Set<() => void>();
  #numbers = 0;
  failed = 0;
  /** Those that were kept for later instead of ending in an error. */
  deferred = 0;

  constructor(options: OpenUtterancesOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  get allWaiting(): readonly OpenUtterance[] {
    return this.#waiting.all;
  }

  get all(): readonly OpenUtterance[] {
    return [...this.#endings.keys()];
  }

  /** The one that is to be sent next. */
  get first(): OpenUtterance | undefined {
    return this.#waiting.first;
  }

  /**
   * Opens `utterance`; it neither waits nor is in flight yet.
   *
   * @param begin - what becomes of it.
   * @param onDeadline - told after `deadlineMs` unless it has ended.
   */
  open(
    utterance: Utterance,
    options: { readonly isProbe: boolean; readonly deadlineMs: number },
    begin: (opened: OpenUtterance) => void,
    onDeadline: (opened: OpenUtterance) => void,
  ): Promise<Transcript> {
    const { clock } = this.#options;
    const { isProbe, deadlineMs } = options;
    return new Promise((resolve, reject) => {
      const opened: OpenUtterance = {
        priority: 'turn',
        ...utterance,
        number: this.#numbers++,
        deadlineMs: clock.nowMs() + deadlineMs,
        isProbe,
        wireAtMs: undefined,
        retried: false,
      };
      const timer = clock.after(deadlineMs, () => onDeadline(opened));
      this.#endings.set(opened, { ticket: this.#order.enter(utterance.callId), timer, resolve, reject });
      begin(opened);
    });
  }

  isOpen(utterance: OpenUtterance): boolean {
    return this.#endings.has(utterance);
  }

  isInFlight(utterance: OpenUtterance): boolean {
    return this.#inFlight.has(utterance);
  }

  /** Lets it wait for its turn. Where there is no room, its call's oldest is given up for it, or it for them. */
  enqueue(utterance: OpenUtterance): void {
    const { maxQueued, maxQueuedPerCall } = this.#options;
    const ofCall = this.#waiting.ofCall(utterance.callId);
    if (ofCall.length >= maxQueuedPerCall || this.#waiting.size >= maxQueued) {
      const oldest = ofCall[0] ?? utterance;
      this.reject(oldest, new GatewayError('ERR_STT_BACKLOG', `${this.#waiting.size} utterances wait already`));
      if (oldest === utterance) return;
    }
    this.#waiting.add(utterance);
  }

  /** Takes the next, and with `joined` what its call said after it; they are in flight now. */
  take(joined: boolean): OpenUtterance[] {
    const taken = this.#waiting.take(joined);
    for (const utterance of taken) this.#inFlight.add(utterance);
    return taken;
  }

  /** Its request is over; unless it has ended, it waits again or ends now. */
  land(utterances: readonly OpenUtterance[]): void {
    for (const utterance of utterances) this.#inFlight.delete(utterance);
    this.#tellEmpty();
  }

  /** Puts it back to its place among those that wait. */
  requeue(utterance: OpenUtterance): void {
    this.#waiting.add(utterance);
  }

  resolve(utterances: readonly OpenUtterance[], text: string): void {
    const parts = utterances.map(toPart);
    const nowMs = this.#options.clock.nowMs();
    for (const utterance of utterances) {
      const { wireAtMs = nowMs, decidedAtMs } = utterance;
      const transcript = { text, parts, sttQueueMs: wireAtMs - decidedAtMs, sttMs: nowMs - wireAtMs };
      this.#end(utterance, ({ resolve }) => resolve(transcript));
    }
  }

  /** Ends it in `error`, unless somebody takes charge of it. */
  reject(utterance: OpenUtterance, error: GatewayError): void {
    if (!this.isOpen(utterance)) return;
    const told = this.failureOf(utterance, error);
    this.#end(utterance, ({ reject }) => reject(told));
  }

  /** What `utterance` ends in that would end in `error`: perhaps somebody takes charge of it. */
  failureOf(utterance: Utterance, error: GatewayError): GatewayError {
    const isKept = this.#options.keep?.(utterance, error) ?? false;
    if (isKept) this.deferred++;
    else this.failed++;
    return isKept ? new GatewayError('ERR_STT_DEFERRED', { found: error.found, cause: error }) : error;
  }

  /** Resolves when there are none. */
  whenEmpty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty.add(resolve);
      this.#tellEmpty();
    });
  }

  #end(utterance: OpenUtterance, deliver: (ending: Ending) => void): void {
    const ending = this.#endings.get(utterance);
    if (!ending) return;
    this.#endings.delete(utterance);
    ending.timer.cancel();
    this.#waiting.remove(utterance);
    this.#order.leave(ending.ticket, () => deliver(ending));
    this.#tellEmpty();
  }

  #tellEmpty(): void {
    if (this.#endings.size + this.#inFlight.size > 0) return;
    for (const tell of this.#onEmpty) tell();
    this.#onEmpty.clear();
  }
}
