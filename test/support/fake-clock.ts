import type { Clock, Timer } from '../../src/core/clock.ts';

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  readonly periodMs: number | undefined;
  readonly run: () => void;
}

/** A clock that stands still until {@link FakeClock.advance}; timers run in due order, each at its own time. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #order = 0;
  #pending = new Set<Pending>();
  readonly #originWallMs: number;

  constructor(originWallMs = 1_700_000_000_000) {
    this.#originWallMs = originWallMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#originWallMs + this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#add(delayMs, undefined, run);
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#add(periodMs, periodMs, run);
  }

  get timers(): number {
    return this.#pending.size;
  }

  /** Moves time forward by `deltaMs`, running what falls due on the way. */
  advance(deltaMs: number): void {
    const endMs = this.#nowMs + deltaMs;
    for (;;) {
      let next: Pending | undefined;
      for (const pending of this.#pending) {
        if (pending.dueMs > endMs) continue;
        if (!next || pending.dueMs < next.dueMs || (pending.dueMs === next.dueMs && pending.order < next.order)) {
          next = pending;
        }
      }
      if (!next) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#pending.delete(next);
      if (next.periodMs !== undefined) this.#requeue(next, next.periodMs);
      next.run();
    }
    this.#nowMs = endMs;
  }

  #add(delayMs: number, periodMs: number | undefined, run: () => void): Timer {
    const order = this.#order++;
    this.#pending.add({ dueMs: this.#nowMs + Math.max(0, delayMs), order, periodMs, run });
    return {
      cancel: () => {
        for (const pending of this.#pending) if (pending.order === order) this.#pending.delete(pending);
      },
    };
  }

  #requeue(timer: Pending, periodMs: number): void {
    this.#pending.add({ ...timer, dueMs: timer.dueMs + periodMs });
  }
}
