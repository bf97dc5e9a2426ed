/** Packets that may wait; a power of two. One second of 5 ms packets fits. */
const CAPACITY_PACKETS = 256;

const EMPTY = 0;
const WAITING = 1;
const TAKEN = 2;
const NO_PCM = new Int16Array(0);

/**
 * Decoded packets that wait for their turn, found by extended sequence number (one that does not wrap).
 *
 * A number stays known until another one takes its place, so that duplicates of packets that were played are told from
 * late ones. The buffers of packets go round; nothing is allocated once enough of them exist.
 */
export class JitterPacketStore {
  readonly #sequence: Float64Array = new Float64Array(CAPACITY_PACKETS);
  readonly #state: Uint8Array = new Uint8Array(CAPACITY_PACKETS);
  readonly #timestamp: Float64Array = new Float64Array(CAPACITY_PACKETS);
  readonly #arrivalMs: Float64Array = new Float64Array(CAPACITY_PACKETS);
  readonly #pcm: Int16Array[] = Array.from({ length: CAPACITY_PACKETS }, () => NO_PCM);
  readonly #free: Int16Array[] = [];
  #waiting = 0;

  get capacity(): number {
    return CAPACITY_PACKETS;
  }

  /** Packets that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Waiting, or taken not long ago. */
  knows(sequence: number): boolean {
    const slot = sequence & (CAPACITY_PACKETS - 1);
    return this.#sequence[slot] === sequence && this.#state[slot] !== EMPTY;
  }

  has(sequence: number): boolean {
    const slot = sequence & (CAPACITY_PACKETS - 1);
    return this.#sequence[slot] === sequence && this.#state[slot] === WAITING;
  }

  /** The first waiting number of `first … last`, or -1. */
  findFirst(first: number, last: number): number {
    for (let sequence = first; sequence <= last; sequence++) if (this.has(sequence)) return sequence;
    return -1;
  }

  /** Makes room for a packet and returns its buffer of exactly `samples`, to be filled by the caller. */
  put(sequence: number, timestamp: number, arrivalMs: number, samples: number): Int16Array {
    const slot = sequence & (CAPACITY_PACKETS - 1);
    this.#recycle(slot);
    let pcm = this.#free.pop();
    if (pcm?.length !== samples) pcm = new Int16Array(samples);
    this.#sequence[slot] = sequence;
    this.#state[slot] = WAITING;
    this.#timestamp[slot] = timestamp;
    this.#arrivalMs[slot] = arrivalMs;
    this.#pcm[slot] = pcm;
    this.#waiting += 1;
    return pcm;
  }

  /** Extended RTP timestamp of the first sample of a packet that waits. */
  timestampOf(sequence: number): number {
    return this.#timestamp[sequence & (CAPACITY_PACKETS - 1)]!;
  }

  arrivalMsOf(sequence: number): number {
    return this.#arrivalMs[sequence & (CAPACITY_PACKETS - 1)]!;
  }

  /** Removes a packet that waits. Its samples are valid until the next `put()`. */
  take(sequence: number): Int16Array {
    const slot = sequence & (CAPACITY_PACKETS - 1);
    const pcm = this.#pcm[slot]!;
    this.#recycle(slot);
    return pcm;
  }

  clear(): void {
    for (let slot = 0; slot < CAPACITY_PACKETS; slot++) {
      this.#recycle(slot);
      this.#state[slot] = EMPTY;
    }
  }

  #recycle(slot: number): void {
    if (this.#state[slot] !== WAITING) return;
    this.#free.push(this.#pcm[slot]!);
    this.#pcm[slot] = NO_PCM;
    this.#state[slot] = TAKEN;
    this.#waiting -= 1;
  }
}
