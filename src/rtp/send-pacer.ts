import type { Clock, Timer } from '../core/clock.ts';
import type { PacedSender } from './paced-sender.ts';

/** Deadlines lie on this grid, so that many calls share a wake-up and are still spread over the packet time. */
const GRID_MS = 5;

/** Drives every sender of a transport with one timer, armed for the earliest deadline. */
export class SendPacer {
  readonly #clock: Clock;
  readonly #senders = new Set<PacedSender>();
  #timer: Timer | undefined;
  #armedMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The first deadline for a sender that starts now. */
  nextStartMs(): number {
    return Math.ceil(this.#clock.nowMs() / GRID_MS) * GRID_MS;
  }

  add(sender: PacedSender): void {
    this.#senders.add(sender);
    this.#arm();
  }

  remove(sender: PacedSender): void {
    this.#senders.delete(sender);
    if (this.#senders.size === 0) this.#disarm();
  }

  #arm(): void {
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const sender of this.#senders) earliestMs = Math.min(earliestMs, sender.deadlineMs);
    if (earliestMs >= this.#armedMs) return;
    this.#disarm();
    if (earliestMs === Number.POSITIVE_INFINITY) return;
    this.#armedMs = earliestMs;
    this.#timer = this.#clock.after(Math.max(0, earliestMs - this.#clock.nowMs()), () => this.#run());
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#armedMs = Number.POSITIVE_INFINITY;
  }

  #run(): void {
    this.#disarm();
    try {
      for (const sender of this.#senders) sender.run(this.#clock.nowMs());
    } finally {
      this.#arm();
    }
  }
}
