/**
 * Telephone events: DTMF digits as RTP payloads (RFC 4733 section 2.3).
 *
 * ```
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |     event     |E|R| volume    |          duration             |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * ```
 */

export const TELEPHONE_EVENT_BYTES = 4;

/** Longest duration, in RTP ticks, that one payload can tell. */
export const MAX_EVENT_TICKS = 0xffff;

/** Indexed by event code (RFC 4733 table 3). */
const DIGITS = '0123456789*#ABCD';

/** An event that nothing was heard of for this long has ended, although no End arrived. */
const EVENT_SILENCE_MS = 400;

/** A new segment starts where the duration of the one before could not be told any longer; senders round down. */
const MIN_SEGMENT_TICKS = 0xf000;
const MAX_SEGMENT_TICKS = 0x10000;

/** The event code of a digit, or -1. */
export function digitToEvent(digit: string): number {
  return digit.length === 1 ? DIGITS.indexOf(digit.toUpperCase()) : -1;
}

/** Writes one payload at the start of `bytes`. `durationTicks` is 0-65535. */
export function writeTelephoneEvent(bytes: Uint8Array, event: number, end: boolean, durationTicks: number): void {
  bytes[0] = event;
  // 10 is -10 dBm0, the level that real telephones send.
  bytes[1] = end ? 0x8a : 0x0a;
  bytes[2] = durationTicks >>> 8;
  bytes[3] = durationTicks;
}

export type DigitHandler = (digit: string, durationMs: number) => void;

/**
 * Reports every digit exactly once, when it ends, whichever of its packets arrive and in whatever order.
 *
 * A digit is known by its timestamp and event code, which all its packets share; the marker only helps where a sender
 * uses the timestamp of an earlier digit again. It ends with the first End, with the next digit, or with silence.
 */
export class TelephoneEventReceiver {
  readonly #ticksPerMs: number;
  readonly #onDigit: DigitHandler;
  #active = false;
  #event = -1;
  #timestamp = 0;
  /** Ticks of the finished segments of a long event (RFC 4733 section 2.5.1.3). */
  #segmentTicks = 0;
  #durationTicks = 0;
  #lastPacketMs = Number.NEGATIVE_INFINITY;

  constructor(clockRate: number, onDigit: DigitHandler) {
    this.#ticksPerMs = clockRate / 1000;
    this.#onDigit = onDigit;
  }

  /** Whether a digit is under way. */
  get isActive(): boolean {
    return this.#active;
  }

  /** Takes one payload. Codes that are no digits (flash, tones) and short payloads are ignored. */
  receive(bytes: Uint8Array, offset: number, length: number, timestamp: number, marker: boolean, nowMs: number): void {
    if (length < TELEPHONE_EVENT_BYTES) return;
    const event = bytes[offset]!;
    if (event >= DIGITS.length) return;
    const end = bytes[offset + 1]! >= 0x80;
    const durationTicks = (bytes[offset + 2]! << 8) | bytes[offset + 3]!;

    const silent = nowMs - this.#lastPacketMs > EVENT_SILENCE_MS;
    const ahead = (timestamp - this.#timestamp) | 0;
    if (event === this.#event && ahead === 0 && !(silent && marker && !end)) {
      this.#durationTicks = Math.max(this.#durationTicks, durationTicks);
    } else if (this.#continuesAt(event, ahead, marker)) {
      this.#segmentTicks += ahead;
      this.#timestamp = timestamp;
      this.#durationTicks = durationTicks;
    } else if (ahead < 0 && !silent) {
      return; // A late packet of the digit before.
    } else {
      this.finish();
      this.#active = true;
      this.#event = event;
      this.#timestamp = timestamp;
      this.#segmentTicks = 0;
      this.#durationTicks = durationTicks;
    }
    this.#lastPacketMs = nowMs;
    if (end) this.finish();
  }

  /** Ends the digit under way when nothing was heard of it for a while. */
  poll(nowMs: number): void {
    if (this.#active && nowMs - this.#lastPacketMs > EVENT_SILENCE_MS) this.finish();
  }

  /** Ends the digit under way. */
  finish(): void {
    if (!this.#active) return;
    this.#active = false;
    this.#onDigit(DIGITS[this.#event]!, (this.#segmentTicks + this.#durationTicks) / this.#ticksPerMs);
  }

  #continuesAt(event: number, ahead: number, marker: boolean): boolean {
    return this.#active && !marker && event === this.#event && ahead >= MIN_SEGMENT_TICKS && ahead <= MAX_SEGMENT_TICKS;
  }
}
