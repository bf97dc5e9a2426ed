import { MAX_EVENT_TICKS, TELEPHONE_EVENT_BYTES, digitToEvent, writeTelephoneEvent } from './telephone-event.ts';
import { FRAME_MARKER } from './transport.ts';
import type { FrameSender } from './transport.ts';

/** The End is sent this often, since nothing else repeats it (RFC 4733 section 2.5.1.4). */
const END_PACKETS = 3;
/** Shortest tone and shortest pause that receivers must recognise (ITU-T Q.24). */
const MIN_DIGIT_MS = 40;
const PAUSE_MS = 60;
/** Digits that may wait; more than anyone dials in one go. */
const MAX_QUEUED_DIGITS = 128;

/** The tag of frames that are part of a digit; the session keeps it from its owner. */
export const DIGIT_TAG = 0xffff_ffff;

/** How the stream that carries the digits is packetized. */
export interface DigitSenderOptions {
  readonly payloadType: number;
  readonly ptimeMs: number;
  readonly timestampStep: number;
  readonly silencePayload: Uint8Array;
  readonly silencePayloadType: number;
}

/**
 * A send ring that also takes digits. A whole digit with the pause after it goes in at a time, so that nothing comes
 * between the packets of one; while digits wait for room, the ring is full for everyone else.
 *
 * ```
 *  ring ─► … audio │ M start │ update │ … │ End │ End │ End │ pause │ pause │ audio …
 *                    └──── one timestamp, growing duration ────┘
 * ```
 */
export class DigitSender implements FrameSender {
  readonly #sender: FrameSender;
  readonly #payload = new Uint8Array(TELEPHONE_EVENT_BYTES);
  readonly #queue: { event: number; durationMs: number }[] = [];

  constructor(sender: FrameSender) {
    this.#sender = sender;
  }

  get capacityFrames(): number {
    return this.#sender.capacityFrames;
  }

  get queuedFrames(): number {
    return this.#sender.queuedFrames;
  }

  get packetsSent(): number {
    return this.#sender.packetsSent;
  }

  get octetsSent(): number {
    return this.#sender.octetsSent;
  }

  get lastTimestamp(): number {
    return this.#sender.lastTimestamp;
  }

  get lastSentMs(): number {
    return this.#sender.lastSentMs;
  }

  write(payload: Uint8Array, payloadType: number, timestampStep: number, flags: number, tag: number): boolean {
    return this.#queue.length === 0 && this.#sender.write(payload, payloadType, timestampStep, flags, tag);
  }

  /** Drops the frames in the ring, those of digits too; digits that still wait for room stay. */
  flush(isContinued?: boolean): number {
    return this.#sender.flush(isContinued);
  }

  setPaused(paused: boolean): void {
    this.#sender.setPaused(paused);
  }

  reconfigure(options: Parameters<FrameSender['reconfigure']>[0]): void {
    this.#sender.reconfigure(options);
  }

  get queuedDigits(): number {
    return this.#queue.length;
  }

  /**
   * Queues digits of `0-9 * # A-D`, each `durationMs` long.
   *
   * @throws RangeError - if there are too many, one is not a digit, or the duration is below 40 ms or longer than the
   * send ring.
   */
  queue(digits: string, durationMs: number, options: DigitSenderOptions): void {
    const longestMs = longestDigitMs(this.#sender, options);
    if (!(durationMs >= MIN_DIGIT_MS && durationMs <= longestMs)) {
      throw new RangeError(`Expected ${MIN_DIGIT_MS}-${longestMs} ms for a digit but received ${durationMs}`);
    }
    if (this.#queue.length + digits.length > MAX_QUEUED_DIGITS) {
      throw new RangeError(
        `Expected at most ${MAX_QUEUED_DIGITS} queued digits but received ${this.#queue.length + digits.length}`,
      );
    }
    const events = Array.from(digits, digitToEvent);
    const wrong = events.indexOf(-1);
    if (wrong >= 0) throw new RangeError(`Expected digits of 0-9 * # A-D but received '${Array.from(digits)[wrong]}'`);
    for (const event of events) this.#queue.push({ event, durationMs });
  }

  /** Moves the digits that fit into the ring. */
  pump(options: DigitSenderOptions): void {
    for (;;) {
      const next = this.#queue[0];
      if (!next) return;
      // The packetization may have changed since the digit was queued.
      const durationMs = Math.min(next.durationMs, longestDigitMs(this.#sender, options));
      const updates = Math.ceil(durationMs / options.ptimeMs);
      const free = this.#sender.capacityFrames - this.#sender.queuedFrames;
      if (updates + END_PACKETS - 1 + pauseFrames(options) > free) return;
      this.#queue.shift();
      this.#write(next.event, updates, options);
    }
  }

  #write(event: number, updates: number, options: DigitSenderOptions): void {
    const { payloadType, timestampStep } = options;
    const packets = updates + END_PACKETS - 1;
    for (let packet = 1; packet <= packets; packet++) {
      const durationTicks = Math.min(packet, updates) * timestampStep;
      writeTelephoneEvent(this.#payload, event, packet >= updates, durationTicks);
      const step = packet === packets ? packets * timestampStep : 0;
      this.#sender.write(this.#payload, payloadType, step, packet === 1 ? FRAME_MARKER : 0, DIGIT_TAG);
    }
    for (let pause = pauseFrames(options); pause > 0; pause--) {
      this.#sender.write(options.silencePayload, options.silencePayloadType, timestampStep, 0, DIGIT_TAG);
    }
  }
}

function pauseFrames(options: DigitSenderOptions): number {
  return Math.ceil(PAUSE_MS / options.ptimeMs);
}

function longestDigitMs(sender: FrameSender, options: DigitSenderOptions): number {
  const ringFrames = sender.capacityFrames - (END_PACKETS - 1) - pauseFrames(options);
  return Math.min(ringFrames, Math.floor(MAX_EVENT_TICKS / options.timestampStep)) * options.ptimeMs;
}
