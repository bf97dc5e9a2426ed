import { ByteSlot } from './byte-slot.ts';
import { sequenceDelta } from './sequence.ts';

/** Packets that may wait behind a gap; a power of two. */
const CAPACITY_PACKETS = 32;
/** Released numbers that are remembered, to tell a duplicate from a late packet; a power of two. */
const HISTORY_PACKETS = 256;
/** Polls further apart than this mean that the event loop has stalled. */
const STALL_MS = 40;

export interface ReorderBufferOptions {
  /** How long packets wait for one that is missing in front of them. */
  readonly maxWaitMs: number;
  /**
   * Takes each packet, in order of sequence numbers. Its payload, `bytes[offset, offset + length)`, is valid during the
   * call only.
   */
  readonly onPacket: (
    bytes: Uint8Array,
    offset: number,
    length: number,
    payloadType: number,
    timestamp: number,
    arrivalMs: number,
  ) => void;
  /** Told, in order, of packets that were given up. */
  readonly onLost: (packets: number) => void;
}

export type ReorderResult =
  /** Released already, or kept until its turn. */
  | 'taken'
  /** Taken, and behind a packet that came before it. */
  | 'reordered'
  | 'duplicate'
  /** Its turn has passed: it was given up. */
  | 'late';

interface Slot {
  occupied: boolean;
  /** Nothing is to be released: the number belongs to a packet that was dealt with elsewhere. */
  placeholder: boolean;
  payloadType: number;
  timestamp: number;
  arrivalMs: number;
  readonly payload: ByteSlot;
}

function createSlot(): Slot {
  return {
    occupied: false,
    placeholder: false,
    payloadType: 0,
    timestamp: 0,
    arrivalMs: 0,
    payload: new ByteSlot(),
  };
}

/**
 * Puts packets in order. A packet in order passes through at once and uncopied; one behind a gap waits, at most
 * `maxWaitMs` and {@link CAPACITY_PACKETS}, until the gap is filled or given up. Nothing is ever delayed because
 * packets come in bursts: only a missing number makes others wait.
 *
 * Numbers are 16 bits, and the owner has checked that they belong to the stream (`SequenceTracker`).
 */
export class ReorderBuffer {
  readonly #options: ReorderBufferOptions;
  readonly #slots: readonly Slot[] = Array.from({ length: CAPACITY_PACKETS }, createSlot);
  /** `#history[n % HISTORY_PACKETS] === n` when number n was released. */
  readonly #history = new Int32Array(HISTORY_PACKETS).fill(-1);
  #started = false;
  /** The number that is released next. */
  #next = 0;
  #highest = 0;
  #waiting = 0;
  #lastPollMs = Number.POSITIVE_INFINITY;
  #excused = false;

  constructor(options: ReorderBufferOptions) {
    this.#options = options;
  }

  /** Packets that wait behind a gap, placeholders not counted. */
  get waitingPackets(): number {
    let packets = 0;
    for (const slot of this.#slots) if (slot.occupied && !slot.placeholder) packets += 1;
    return packets;
  }

  /** Takes a packet; its payload, `bytes[offset, offset + length)`, is copied if it has to wait. */
  insert(
    sequenceNumber: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    payloadType: number,
    timestamp: number,
    arrivalMs: number,
  ): ReorderResult {
    const result = this.#place(sequenceNumber);
    if (result === 'duplicate' || result === 'late') return result;
    if (sequenceNumber === this.#next) {
      this.#pass(sequenceNumber);
      this.#options.onPacket(bytes, offset, length, payloadType, timestamp, arrivalMs);
      this.#releaseRun();
      return result;
    }
    const slot = this.#occupy(sequenceNumber, arrivalMs);
    slot.placeholder = false;
    slot.payloadType = payloadType;
    slot.timestamp = timestamp;
    slot.payload.store(bytes.subarray(offset, offset + length));
    return result;
  }

  /** Takes the number of a packet that has been dealt with already, so that nothing waits for it. */
  insertPlaceholder(sequenceNumber: number, arrivalMs: number): void {
    const result = this.#place(sequenceNumber);
    if (result === 'duplicate' || result === 'late') return;
    if (sequenceNumber === this.#next) {
      this.#pass(sequenceNumber);
      this.#releaseRun();
    } else {
      this.#occupy(sequenceNumber, arrivalMs).placeholder = true;
    }
  }

  /**
   * Gives up gaps that have been waited for long enough; to be called every 20 ms or so. A poll that itself comes late
   * gives up nothing, because what it waits for may lie in the socket buffer.
   */
  poll(nowMs: number): void {
    const stalled = nowMs - this.#lastPollMs > STALL_MS && !this.#excused;
    this.#lastPollMs = nowMs;
    this.#excused = stalled;
    if (stalled) return;
    while (this.#waiting > 0 && nowMs - this.#firstArrivalMs() >= this.#options.maxWaitMs)
      this.#skipGap(CAPACITY_PACKETS);
  }

  /** Gives up every gap and releases what waits; the next packet starts anew. */
  drain(): void {
    while (this.#waiting > 0) this.#skipGap(CAPACITY_PACKETS);
    this.#started = false;
    this.#history.fill(-1);
  }

  /** Judges a number and makes room for it. */
  #place(sequenceNumber: number): ReorderResult {
    if (!this.#started) {
      this.#started = true;
      this.#next = sequenceNumber;
      this.#highest = sequenceNumber;
      return 'taken';
    }
    const ahead = sequenceDelta(sequenceNumber, this.#next);
    if (ahead < 0) return this.#history[sequenceNumber % HISTORY_PACKETS] === sequenceNumber ? 'duplicate' : 'late';
    if (ahead < CAPACITY_PACKETS && this.#slots[sequenceNumber % CAPACITY_PACKETS]!.occupied) return 'duplicate';
    for (let excess = ahead - CAPACITY_PACKETS + 1; excess > 0; ) {
      this.#skipGap(excess);
      excess = sequenceDelta(sequenceNumber, this.#next) - CAPACITY_PACKETS + 1;
    }
    if (sequenceDelta(sequenceNumber, this.#highest) < 0) return 'reordered';
    this.#highest = sequenceNumber;
    return 'taken';
  }

  #occupy(sequenceNumber: number, arrivalMs: number): Slot {
    const slot = this.#slots[sequenceNumber % CAPACITY_PACKETS]!;
    slot.occupied = true;
    slot.arrivalMs = arrivalMs;
    this.#waiting += 1;
    return slot;
  }

  #pass(sequenceNumber: number): void {
    this.#history[sequenceNumber % HISTORY_PACKETS] = sequenceNumber;
    this.#next = (sequenceNumber + 1) & 0xffff;
  }

  /** Releases the packets that follow without a gap. */
  #releaseRun(): void {
    while (this.#waiting > 0) {
      const slot = this.#slots[this.#next % CAPACITY_PACKETS]!;
      if (!slot.occupied) return;
      slot.occupied = false;
      this.#waiting -= 1;
      this.#pass(this.#next);
      if (slot.placeholder) continue;
      const { view } = slot.payload;
      this.#options.onPacket(view, 0, view.length, slot.payloadType, slot.timestamp, slot.arrivalMs);
    }
  }

  /** Gives up the numbers in front of the first packet that waits, but no more than `limit`, and releases from there. */
  #skipGap(limit: number): void {
    let lost = 0;
    while (lost < limit && !this.#slots[(this.#next + lost) % CAPACITY_PACKETS]!.occupied) lost += 1;
    this.#next = (this.#next + lost) & 0xffff;
    this.#options.onLost(lost);
    this.#releaseRun();
  }

  /** When the packet that waits longest arrived; every packet that waits is behind the first gap. */
  #firstArrivalMs(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const slot of this.#slots) if (slot.occupied && slot.arrivalMs < first) first = slot.arrivalMs;
    return first;
  }
}
