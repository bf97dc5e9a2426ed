import type { Clock, Timer } from '../core/clock.ts';
import type { QuotaUsage } from '../platform/quota-governor.ts';
import type { QuotaScheduler } from './quota-scheduler.ts';

/** Up to this part in use the quota is plentiful, from the second on it is scarce. */
const PLENTIFUL_PART = 0.3;
const SCARCE_PART = 0.7;
const LOOK_PERIOD_MS = 100;

/** How scarce the quota is: 0 (plentiful) to 1 (scarce, or somebody waits for it already). */
export function quotaPressure({ used, limit }: QuotaUsage, waiting: number): number {
  if (waiting > 0) return 1;
  return Math.min(1, Math.max(0, (used / limit - PLENTIFUL_PART) / (SCARCE_PART - PLENTIFUL_PART)));
}

/**
 * The silence that ends an utterance: short for a fast answer while the quota is plentiful, long while it is scarce, so
 * that a turn with pauses in it costs one request.
 *
 * @param pressure - 0 to 1, of {@link quotaPressure}.
 */
export function endSilenceMs(pressure: number, minMs: number, maxMs: number): number {
  return Math.round(minMs + (maxMs - minMs) * Math.min(1, Math.max(0, pressure)));
}

/** The silence that ends an utterance at the moment, the same for all calls. */
export class EndSilence {
  #ms: number;
  readonly #timer: Timer | undefined;

  /** @param range - shortest and longest; equal: no matter what the quota is like. */
  constructor(range: readonly [number, number], scheduler: Pick<QuotaScheduler, 'usage' | 'pressure'>, clock: Clock) {
    const [minMs, maxMs] = range;
    this.#ms = minMs;
    if (minMs === maxMs) return;
    this.#timer = clock.every(LOOK_PERIOD_MS, () => {
      this.#ms = endSilenceMs(quotaPressure(scheduler.usage, scheduler.pressure.waiting), minMs, maxMs);
    });
  }

  get ms(): number {
    return this.#ms;
  }

  close(): void {
    this.#timer?.cancel();
  }
}
