import { ByteSlot } from './byte-slot.ts';
import { type AudioPacket, createAudioPacket } from './packet.ts';
import { sequenceDelta } from './sequence.ts';

/** Packets that may wait behind a gap; a power of two. */
const CAPACITY_PACKETS = 32;
/** Released numbers that are remembered, to tell a duplicate from a late packet; a power of two. */
const HISTORY_PACKETS = 256;
const WORD_BITS = 32;
/** Polls further apart than this mean that the event loop has stalled. */
const STALL_MS = 40;

export interface ReorderBufferOptions {
  /** How long packets wait for one that is missing in front of them. */
  readonly maxWaitMs: number;
  /** Takes each packet, in order of sequence numbers. */
  readonly onPacket: (packet: AudioPacket) => void;
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
  readonly packet: AudioPacket;
  readonly payload: ByteSlot;
}

function createSlot(): Slot {
  return { occupied: false, placeholder: false, packet: createAudioPacket(), payload: new ByteSlot() };
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
  /** Made at the first gap: most calls have none. */
  #slots: readonly Slot[] = [];
  /** Bit n % HISTORY_PACKETS tells whether n, of the numbers before `#next`, was released or given up. */
  readonly #history = new Int32Array(HISTORY_PACKETS / WORD_BITS);
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

  /** Whether packets or placeholders wait behind a gap. */
  get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  /** Takes a packet; it is copied if it has to wait. */
  insert(sequenceNumber: number, packet: AudioPacket): ReorderResult {
    const result = this.#place(sequenceNumber);
    if (result === 'duplicate' || result === 'late') return result;
    if (sequenceNumber === this.#next) {
      this.#pass(sequenceNumber);
      this.#options.onPacket(packet);
      if (this.#waiting > 0) this.#releaseRun();
      return result;
    }
    this.#store(this.#occupy(sequenceNumber, packet.arrivalMs), packet);
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
      this.#occupy(sequenceNumber, arrivalMs);
    }
  }

  /**
   * Gives up gaps that have been waited for long enough; to be called every 20 ms or so while `isWaiting`. A poll that
   * itself comes late, as the first one may, gives up nothing: what it waits for may lie in the socket buffer.
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
    this.#history.fill(0);
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
    if (ahead === 0 && this.#waiting === 0) {
      this.#highest = sequenceNumber;
      return 'taken';
    }
    if (ahead < 0) return this.#wasReleased(sequenceNumber, ahead) ? 'duplicate' : 'late';
    if (ahead < CAPACITY_PACKETS && this.#slots[sequenceNumber % CAPACITY_PACKETS]?.occupied) return 'duplicate';
    for (let excess = ahead - CAPACITY_PACKETS + 1; excess > 0; ) {
      this.#skipGap(excess);
      excess = sequenceDelta(sequenceNumber, this.#next) - CAPACITY_PACKETS + 1;
    }
    if (sequenceDelta(sequenceNumber, this.#highest) < 0) return 'reordered';
    this.#highest = sequenceNumber;
    return 'taken';
  }

  #occupy(sequenceNumber: number, arrivalMs: number): Slot {
    if (this.#slots.length === 0) this.#slots = Array.from({ length: CAPACITY_PACKETS }, createSlot);
    const slot = this.#slots[sequenceNumber % CAPACITY_PACKETS]!;
    slot.occupied = true;
    slot.placeholder = true;
    slot.packet.arrivalMs = arrivalMs;
    if (this.#waiting === 0) this.#excused = false;
    this.#waiting += 1;
    return slot;
  }

  #store(slot: Slot, { bytes, offset, length, payloadType, timestamp }: AudioPacket): void {
    const { packet, payload } = slot;
    slot.placeholder = false;
    payload.store(bytes.subarray(offset, offset + length));
    packet.bytes = payload.view;
    packet.length = length;
    packet.payloadType = payloadType;
    packet.timestamp = timestamp;
  }

  #pass(sequenceNumber: number): void {
    this.#remember(sequenceNumber, true);
    this.#next = (sequenceNumber + 1) & 0xffff;
  }

  #remember(sequenceNumber: number, released: boolean): void {
    const bit = 1 << (sequenceNumber % WORD_BITS);
    const word = (sequenceNumber % HISTORY_PACKETS) >> 5;
    if (released) this.#history[word]! |= bit;
    else this.#history[word]! &= ~bit;
  }

  #wasReleased(sequenceNumber: number, ahead: number): boolean {
    const bit = 1 << (sequenceNumber % WORD_BITS);
    return ahead >= -HISTORY_PACKETS && (this.#history[(sequenceNumber % HISTORY_PACKETS) >> 5]! & bit) !== 0;
  }

  /** Releases the packets that follow without a gap. */
  #releaseRun(): void {
    while (this.#waiting > 0) {
      const slot = this.#slots[this.#next % CAPACITY_PACKETS]!;
      if (!slot.occupied) return;
      slot.occupied = false;
      this.#waiting -= 1;
      this.#pass(this.#next);
      if (!slot.placeholder) this.#options.onPacket(slot.packet);
    }
  }

  /** Gives up the numbers in front of the first packet that waits, but no more than `limit`, and releases from there. */
  #skipGap(limit: number): void {
    let lost = 0;
    while (lost < limit && !this.#slots[(this.#next + lost) % CAPACITY_PACKETS]?.occupied) lost += 1;
    for (let number = 0; number < lost; number++) this.#remember(this.#next + number, false);
    this.#next = (this.#next + lost) & 0xffff;
    this.#options.onLost(lost);
    this.#releaseRun();
  }

  /** When the packet that waits longest arrived; every packet that waits is behind the first gap. */
  #firstArrivalMs(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { occupied, packet } of this.#slots) if (occupied && packet.arrivalMs < first) first = packet.arrivalMs;
    return first;
  }
}
