import type { TimedPacket } from './packet.ts';

/** A timestamp that runs further ahead of the arrival time than this has jumped. */
const MAX_UNEXPLAINED_MS = 3000;
/** Steps up to this length are taken for the duration of a packet. */
const MAX_PACKET_MS = 240;

/**
 * Turns the 32-bit timestamps of packets in order into one monotone axis of RTP ticks, which survives wrap-around, a
 * change of source and a sender that sets its clock anew. Silence suppression is a step of the timestamp that the
 * arrival time explains and is kept; packets that arrive late are kept where their timestamps put them.
 */
export class MediaTimeline {
  readonly #ticksPerMs: number;
  #started = false;
  #rebase = false;
  #extended = 0;
  #lastTimestamp = 0;
  #lastArrivalMs = 0;
  #packetTicks: number;
  #broken = false;

  constructor(clockRate: number) {
    this.#ticksPerMs = clockRate / 1000;
    this.#packetTicks = 20 * this.#ticksPerMs;
  }

  /** The timestamps of the next packet have nothing to do with those before. */
  rebase(): void {
    this.#rebase = this.#started;
  }

  /** Whether the packet given last broke the axis: the first one after `rebase()`, or after a jump of the timestamp. */
  get broken(): boolean {
    return this.#broken;
  }

  /**
   * Where a packet lies on the axis, in ticks: 0 for the first, strictly greater than for the packet before; exact up to
   * 2^53.
   *
   * The axis breaks when the timestamp goes back, stands still or leaps ahead by seconds that the arrival time does
   * not explain. It then goes on by the time that has passed, and by no less than the packet before lasted.
   */
  advance({ timestamp, arrivalMs }: TimedPacket): number {
    const delta = (timestamp - this.#lastTimestamp) | 0;
    const elapsedTicks = Math.round((arrivalMs - this.#lastArrivalMs) * this.#ticksPerMs);
    const leap = delta - Math.max(0, elapsedTicks) > MAX_UNEXPLAINED_MS * this.#ticksPerMs;
    this.#broken = this.#started && (this.#rebase || delta <= 0 || leap);
    if (!this.#started) {
      this.#extended = 0;
    } else if (this.#broken) {
      this.#extended += Math.max(this.#packetTicks, elapsedTicks);
    } else {
      this.#extended += delta;
      if (delta <= MAX_PACKET_MS * this.#ticksPerMs) this.#packetTicks = delta;
    }
    this.#started = true;
    this.#rebase = false;
    this.#lastTimestamp = timestamp;
    this.#lastArrivalMs = arrivalMs;
    return this.#extended;
  }
}
