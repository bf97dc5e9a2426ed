/** Packets in sequence before a source is believed (RFC 3550 appendix A.1). */
export const MIN_SEQUENTIAL = 2;
/** Gap in front beyond which a packet is not believed by itself: a minute of 20 ms packets. */
export const MAX_DROPOUT = 3000;
/** Packets behind the highest one that still count as misordered. */
export const MAX_MISORDER = 100;

const SEQUENCE_MODULUS = 65536;

/** How far `a` is in front of `b` on the circle of 16-bit sequence numbers: -32768 … 32767. */
export function sequenceDelta(a: number, b: number): number {
  return ((a - b) << 16) >> 16;
}

export type SequenceVerdict =
  /** Belongs to the stream: in order, after a small gap, misordered or a duplicate. */
  | 'valid'
  /** The source has not yet shown enough packets in sequence. */
  | 'probation'
  /** Too far from the stream; believed only if the next packet follows it. */
  | 'suspect'
  /** Follows a suspect packet: the sender has restarted, and the numbers count from here. */
  | 'restarted';

/**
 * Validates the sequence numbers of one source and counts what is missing.
 *
 * @see RFC 3550 appendix A.1 (validity), A.3 (loss)
 */
export class SequenceTracker {
  readonly #minSequential: number;
  #probation: number;
  #started = false;
  #base = 0;
  #highest = 0;
  /** Sequence numbers that went by in full circles. */
  #cycles = 0;
  #received = 0;
  /** The number after the last suspect packet, or -1. */
  #afterSuspect = -1;
  #expectedPrior = 0;
  #receivedPrior = 0;

  constructor(minSequential: number = MIN_SEQUENTIAL) {
    this.#minSequential = minSequential;
    this.#probation = minSequential;
  }

  /** Forgets everything; the next packet starts probation. */
  reset(): void {
    this.#started = false;
    this.#probation = this.#minSequential;
    this.#startAt(0);
  }

  /** Starts a stream that is believed already with `sequenceNumber`, which is to be given to `update()` next. */
  start(sequenceNumber: number): void {
    this.#started = true;
    this.#probation = 0;
    this.#startAt(sequenceNumber);
    this.#highest = (sequenceNumber - 1) & 0xffff;
    this.#cycles = sequenceNumber === 0 ? -SEQUENCE_MODULUS : 0;
  }

  update(sequenceNumber: number): SequenceVerdict {
    if (this.#probation > 0) {
      const follows = this.#started && sequenceNumber === ((this.#highest + 1) & 0xffff);
      this.#probation = (follows ? this.#probation : this.#minSequential) - 1;
      this.#started = true;
      this.#highest = sequenceNumber;
      if (this.#probation > 0) return 'probation';
      this.#startAt(sequenceNumber);
      this.#received = 1;
      return 'valid';
    }
    const ahead = (sequenceNumber - this.#highest) & 0xffff;
    if (ahead < MAX_DROPOUT) {
      if (sequenceNumber < this.#highest) this.#cycles += SEQUENCE_MODULUS;
      this.#highest = sequenceNumber;
    } else if (ahead <= SEQUENCE_MODULUS - MAX_MISORDER) {
      if (sequenceNumber !== this.#afterSuspect) {
        this.#afterSuspect = (sequenceNumber + 1) & 0xffff;
        return 'suspect';
      }
      this.#startAt(sequenceNumber);
      this.#received = 1;
      return 'restarted';
    }
    this.#received += 1;
    return 'valid';
  }

  /** Highest sequence number so far with the circles in front, as receiver reports carry it. */
  get extendedHighestSequenceNumber(): number {
    return this.#cycles + this.#highest;
  }

  /** Valid packets, duplicates included. */
  get received(): number {
    return this.#received;
  }

  get expected(): number {
    return this.#received === 0 ? 0 : this.extendedHighestSequenceNumber - this.#base + 1;
  }

  /** Packets that did not arrive; negative when there were more duplicates than losses. */
  get lost(): number {
    return this.expected - this.#received;
  }

  /** Fraction of the packets expected since the last call that did not arrive, in 1/256 (0-255). */
  takeFractionLost(): number {
    const expected = this.expected - this.#expectedPrior;
    const lost = expected - (this.#received - this.#receivedPrior);
    this.#expectedPrior = this.expected;
    this.#receivedPrior = this.#received;
    return expected <= 0 || lost <= 0 ? 0 : Math.min(255, Math.floor((lost * 256) / expected));
  }

  #startAt(sequenceNumber: number): void {
    this.#base = sequenceNumber;
    this.#highest = sequenceNumber;
    this.#cycles = 0;
    this.#received = 0;
    this.#afterSuspect = -1;
    this.#expectedPrior = 0;
    this.#receivedPrior = 0;
  }
}
