import type { TimedPacket } from './packet.ts';

/**
 * The interarrival jitter of one source: the smoothed change of the transit time (RFC 3550 section 6.4.1, A.8).
 * Timestamps and the estimate are in ticks of `clockRate`.
 */
export class InterarrivalJitter {
  readonly #ticksPerMs: number;
  #jitterTicks = 0;
  #lastTimestamp = 0;
  #lastArrivalTicks = Number.NaN;

  constructor(clockRate: number) {
    this.#ticksPerMs = clockRate / 1000;
  }

  /** The next packet starts anew: another source, or a stream that restarted. */
  reset(): void {
    this.#jitterTicks = 0;
    this.#lastArrivalTicks = Number.NaN;
  }

  /** Takes a packet in order of arrival. */
  update({ timestamp, arrivalMs }: TimedPacket): void {
    const arrivalTicks = arrivalMs * this.#ticksPerMs;
    if (!Number.isNaN(this.#lastArrivalTicks)) {
      const difference = arrivalTicks - this.#lastArrivalTicks - ((timestamp - this.#lastTimestamp) | 0);
      this.#jitterTicks += (Math.abs(difference) - this.#jitterTicks) / 16;
    }
    this.#lastArrivalTicks = arrivalTicks;
    this.#lastTimestamp = timestamp;
  }

  /** The estimate in whole ticks, as receiver reports carry it. */
  get ticks(): number {
    return Math.floor(this.#jitterTicks);
  }

  get interarrivalJitterMs(): number {
    return this.#jitterTicks / this.#ticksPerMs;
  }
}
