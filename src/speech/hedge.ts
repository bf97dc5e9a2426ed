import type { Clock, Timer } from '../core/clock.ts';
import type { RequestSlot } from '../platform/request-slot.ts';
import { AnswerTimes } from './answer-times.ts';
import { quotaPressure } from './end-silence.ts';
import type { QuotaScheduler } from './quota-scheduler.ts';
import type { PooledSocket } from './socket-pool.ts';

/** What is watched of a request; see {@link Hedge.watch}. */
interface Watched {
  readonly pending: number;
  readonly isOver: boolean;
}

interface Watch {
  readonly sentAtMs: number;
  readonly timer: Timer;
  cancelAsk: (() => void) | undefined;
  /** When it was asked a second time. */
  hedgedAtMs: number | undefined;
}

/**
 * Asks a second time for an answer that is later than 99 of 100 of late, while the quota is plentiful. Of all requests
 * only one at a time is asked twice: a platform that has slowed down as a whole is not helped by twice the work.
 */
export class Hedge {
  readonly #clock: Clock;
  readonly #scheduler: QuotaScheduler;
  readonly #times = new AnswerTimes();
  readonly #watches = new Map<Watched, Watch>();
  /** Requests that two connections work on. */
  #doubled = 0;
  asked = 0;
  won = 0;

  constructor(clock: Clock, scheduler: QuotaScheduler) {
    this.#clock = clock;
    this.#scheduler = scheduler;
  }

  /**
   * Watches a request that has just been sent.
   *
   * @param take - an idle connection, if there is one; it is then taken.
   * @param send - sends the request over it as well.
   */
  watch(
    request: Watched,
    take: () => PooledSocket | undefined,
    send: (socket: PooledSocket, slot: RequestSlot) => void,
  ): void {
    const { p99Ms } = this.#times;
    const sentAtMs = this.#clock.nowMs();
    const isLate = (): void => {
      const { usage, pressure } = this.#scheduler;
      if (this.#doubled > 0 || quotaPressure(usage, pressure.waiting) > 0) return;
      watch.cancelAsk = this.#scheduler.ask({
        kind: 'stt',
        rank: () => ({ priority: 'batch', sinceMs: sentAtMs }),
        granted: (slot) => {
          watch.cancelAsk = undefined;
          const socket = request.isOver || this.#doubled > 0 ? undefined : take();
          if (!socket) {
            slot.cancelled();
            return;
          }
          this.asked++;
          this.#doubled++;
          watch.hedgedAtMs = this.#clock.nowMs();
          send(socket, slot);
        },
      });
    };
    const timer = p99Ms === undefined ? { cancel: () => {} } : this.#clock.after(p99Ms, isLate);
    const watch: Watch = { sentAtMs, timer, cancelAsk: undefined, hedgedAtMs: undefined };
    this.#watches.set(request, watch);
  }

  /** An answer of `request` came, for what was sent at `sentAtMs`. */
  answered(request: Watched, sentAtMs: number): void {
    this.#times.add(this.#clock.nowMs() - sentAtMs);
    const watch = this.#watches.get(request);
    if (!request.isOver && watch?.hedgedAtMs !== undefined && sentAtMs >= watch.hedgedAtMs) this.won++;
  }

  /** One connection is done with `request`. */
  ended(request: Watched): void {
    const watch = this.#watches.get(request);
    if (!watch) return;
    if (request.isOver) this.#giveUp(watch);
    if (request.pending > 0) return;
    if (watch.hedgedAtMs !== undefined) this.#doubled--;
    this.#watches.delete(request);
  }

  close(): void {
    for (const watch of this.#watches.values()) this.#giveUp(watch);
  }

  #giveUp(watch: Watch): void {
    watch.timer.cancel();
    watch.cancelAsk?.();
    watch.cancelAsk = undefined;
  }
}
