import { MAX_DROPOUT, MAX_MISORDER, sequenceDelta } from './sequence.ts';

/** A packet this far from when its timestamp says is of another timeline, or nonsense. */
const MAX_DELAY_JUMP_MS = 3000;

export type TimelineVerdict =
  | 'fits'
  /** Does not fit; believed only if the next packet agrees with it. */
  | 'suspect'
  /** Agrees with a suspect packet: numbers and delays start anew with it. */
  | 'restarted';

/**
 * Extends sequence numbers and timestamps so that they do not wrap, and notices when the sender starts another count of
 * either within one source (a transfer, a restart behind the same SSRC).
 */
export class JitterTimeline {
  readonly #ticksPerMs: number;
  #isStarted = false;
  #suspectSequenceNumber = 0;
  /** NaN when the last packet was none. */
  #suspectDelayMs = Number.NaN;
  highestSequence = 0;
  #highestTimestamp = 0;
  /** Of the packet located last: its extended numbers, and its arrival less its timestamp in ms. */
  sequence = 0;
  timestamp = 0;
  delayMs = 0;

  constructor(clockRate: number) {
    this.#ticksPerMs = clockRate / 1000;
  }

  reset(): void {
    this.#isStarted = false;
    this.#suspectDelayMs = Number.NaN;
  }

  /**
   * Finds where a packet belongs. `baseDelayMs` is the usual delay, NaN when it is not known; the first packet
   * after `reset()` always fits.
   */
  locate(sequenceNumber: number, timestamp: number, nowMs: number, baseDelayMs: number): TimelineVerdict {
    const isFirst = !this.#isStarted;
    if (isFirst) {
      this.#isStarted = true;
      this.highestSequence = sequenceNumber;
      this.#highestTimestamp = timestamp;
    }
    const ahead = sequenceDelta(sequenceNumber, this.highestSequence & 0xffff);
    this.sequence = this.highestSequence + ahead;
    this.timestamp = this.#highestTimestamp + ((timestamp - this.#highestTimestamp) | 0);
    this.delayMs = nowMs - this.timestamp / this.#ticksPerMs;
    const isSequenceNear = ahead > -MAX_MISORDER && ahead < MAX_DROPOUT;
    const isDelayFar = Math.abs(this.delayMs - baseDelayMs) >= MAX_DELAY_JUMP_MS;
    const fits = isSequenceNear && !isDelayFar;
    if (isFirst || fits) {
      this.#suspectDelayMs = Number.NaN;
      if (ahead > 0) this.#startAt();
      return 'fits';
    }
    const followsSuspect = sequenceNumber === ((this.#suspectSequenceNumber + 1) & 0xffff);
    if (followsSuspect && Math.abs(this.delayMs - this.#suspectDelayMs) < MAX_DELAY_JUMP_MS) {
      this.#suspectDelayMs = Number.NaN;
      this.#startAt();
      return 'restarted';
    }
    this.#suspectSequenceNumber = sequenceNumber;
    this.#suspectDelayMs = this.delayMs;
    return 'suspect';
  }

  #startAt(): void {
    this.highestSequence = this.sequence;
    this.#highestTimestamp = this.timestamp;
  }
}
