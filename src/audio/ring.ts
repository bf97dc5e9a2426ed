/** What another thread needs to attach; it may be posted to a worker. */
export interface RingHandle {
  readonly buffer: SharedArrayBuffer;
  readonly capacitySamples: number;
}

export interface RingOptions {
  /** How many unread samples fit, exactly. */
  readonly capacitySamples: number;
  /** Whether another thread may attach. Default false. */
  readonly shared?: boolean;
}

const BYTES_PER_SAMPLE = Int16Array.BYTES_PER_ELEMENT;
const MAX_CAPACITY_SAMPLES = 2 ** 29;

const HEAD = 0;
const TAIL = 1;
const OVERRUN = 2;
const COUNTERS = 3;
/** Each counter has a cache line for itself, so that producer and consumer do not slow each other down. */
const CACHE_LINE_BYTES = 64;
const COUNTER_WORDS = CACHE_LINE_BYTES / Int32Array.BYTES_PER_ELEMENT;
const SAMPLES_OFFSET_BYTES = COUNTERS * CACHE_LINE_BYTES;

/** A counter is two words: its low 32 bits, and how many times it went past this. */
const EPOCH_SAMPLES = 2 ** 30;

/**
 * Single-producer, single-consumer ring of 16 bit samples in which every window is one contiguous view.
 *
 * ```
 *  |<------ capacity ------>|<------ capacity ------>|
 *  |#####head      tail#####|#####head      tail#####|     # unread
 *                       [----------)                       a window that wraps runs on into the second half
 * ```
 *
 * Position p lives at p % capacity, and again one capacity further on.
 *
 * Positions are absolute: the n-th sample ever written has position n, whatever was released since. They only grow and
 * are exact to 2^53. One side writes, the other views and releases; the two may be on different worker threads.
 *
 * Memory ordering: the producer stores samples with plain writes, then publishes them with an atomic store of the head;
 * the consumer loads the head before it touches samples. The consumer in turn is done with samples before its atomic
 * store of the tail, which the producer loads before it overwrites them. JavaScript's atomics are sequentially
 * consistent, more than the release and acquire that this needs. Neither side ever waits for the other.
 */
export class Ring {
  readonly capacitySamples: number;
  readonly #buffer: ArrayBuffer | SharedArrayBuffer;
  readonly #counters: Int32Array;
  /** The counters of a ring that one thread has for itself; they need no atomics, which cost more than a frame's copy. */
  readonly #privateCounters: Float64Array | undefined;
  readonly #samples: Int16Array;

  /** @throws RangeError - if the capacity is not an integer of 1 … 2^29, or the buffer of a handle is not made for it. */
  constructor(options: RingOptions | RingHandle) {
    const { capacitySamples } = options;
    if (!Number.isInteger(capacitySamples) || capacitySamples < 1 || capacitySamples > MAX_CAPACITY_SAMPLES) {
      throw new RangeError(`Expected 1-${MAX_CAPACITY_SAMPLES} for capacitySamples but received ${capacitySamples}`);
    }
    const bytes = SAMPLES_OFFSET_BYTES + 2 * capacitySamples * BYTES_PER_SAMPLE;
    if ('buffer' in options) this.#buffer = options.buffer;
    else this.#buffer = options.shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    if (this.#buffer.byteLength !== bytes) {
      throw new RangeError(`Expected a buffer of ${bytes} bytes but received ${this.#buffer.byteLength}`);
    }
    this.capacitySamples = capacitySamples;
    this.#counters = new Int32Array(this.#buffer, 0, SAMPLES_OFFSET_BYTES / Int32Array.BYTES_PER_ELEMENT);
    if (this.#buffer instanceof ArrayBuffer) this.#privateCounters = new Float64Array(COUNTERS);
    this.#samples = new Int16Array(this.#buffer, SAMPLES_OFFSET_BYTES);
  }

  /** The same ring in another thread, which then is its producer or its consumer. */
  static attach(handle: RingHandle): Ring {
    return new Ring(handle);
  }

  /** @throws TypeError - if the ring is not shared. */
  get handle(): RingHandle {
    if (!(this.#buffer instanceof SharedArrayBuffer)) {
      throw new TypeError('Expected a ring made with shared: true but received a private one');
    }
    return { buffer: this.#buffer, capacitySamples: this.capacitySamples };
  }

  /** Position that the next written sample gets. */
  get headSample(): number {
    return this.#load(HEAD);
  }

  /** Position of the oldest sample that was not released. */
  get tailSample(): number {
    return this.#load(TAIL);
  }

  /** Samples that were dropped because the ring was full, since it was made. They take no position. */
  get overrunSamples(): number {
    return this.#load(OVERRUN);
  }

  /** Producer: copies in what fits. @returns how many samples were taken, from the start of `pcm`. */
  write(pcm: Int16Array): number {
    const head = this.#load(HEAD);
    const taken = this.#admit(head, pcm.length);
    const start = head % this.capacitySamples;
    const samples = this.#samples;
    if (taken === pcm.length) samples.set(pcm, start);
    else for (let i = 0; i < taken; i++) samples[start + i] = pcm[i]!;
    this.#publish(head, start, taken);
    return taken;
  }

  /** Producer: writes zeros. @returns how many samples were taken. */
  writeSilence(lengthSamples: number): number {
    if (!Number.isSafeInteger(lengthSamples) || lengthSamples < 0) {
      throw new RangeError(`Expected an integer of 0 or more for lengthSamples but received ${lengthSamples}`);
    }
    const head = this.#load(HEAD);
    const taken = this.#admit(head, lengthSamples);
    const start = head % this.capacitySamples;
    this.#samples.fill(0, start, start + taken);
    this.#publish(head, start, taken);
    return taken;
  }

  /**
   * Consumer: the samples [`startSample`, `endSample`) as one view of the ring's own memory. It is valid until a
   * `release` beyond `startSample` and must not be written to.
   *
   * @throws RangeError - if a part of the window was released already or is not written yet.
   */
  view(startSample: number, endSample: number): Int16Array {
    const tail = this.#load(TAIL);
    const head = this.#load(HEAD);
    checkWindow(startSample, endSample, tail, head);
    const start = startSample % this.capacitySamples;
    return this.#samples.subarray(start, start + (endSample - startSample));
  }

  /**
   * Consumer: copies the samples from `startSample` on into all of `out`. For windows that are looked at all the time: a
   * view is an object, and one per frame would be garbage.
   *
   * @throws RangeError - as for `view`.
   */
  read(startSample: number, out: Int16Array): void {
    const tail = this.#load(TAIL);
    const head = this.#load(HEAD);
    checkWindow(startSample, startSample + out.length, tail, head);
    const samples = this.#samples;
    const start = startSample % this.capacitySamples;
    for (let i = 0; i < out.length; i++) out[i] = samples[start + i]!;
  }

  /**
   * Consumer: gives the room of every sample before `upToSample` back to the producer.
   *
   * @throws RangeError - if `upToSample` is before the tail or beyond the head.
   */
  release(upToSample: number): void {
    const tail = this.#load(TAIL);
    const head = this.#load(HEAD);
    if (!isWithin(upToSample, tail, head)) {
      throw new RangeError(`Expected a position of ${tail}-${head} for upToSample but received ${upToSample}`);
    }
    this.#store(TAIL, upToSample);
  }

  /** How many of `wanted` samples fit; counts the others as overrun. */
  #admit(head: number, wanted: number): number {
    const free = this.capacitySamples - (head - this.#load(TAIL));
    if (wanted <= free) return wanted;
    this.#store(OVERRUN, this.#load(OVERRUN) + wanted - free);
    return free;
  }

  /** Makes the second copy of what was just stored from `start` on, then moves the head. Allocates no view. */
  #publish(head: number, start: number, length: number): void {
    const capacity = this.capacitySamples;
    const samples = this.#samples;
    const beforeWrap = Math.min(length, capacity - start);
    samples.copyWithin(start + capacity, start, start + beforeWrap);
    if (length > beforeWrap) samples.copyWithin(0, capacity, start + length);
    this.#store(HEAD, head + length);
  }

  /**
   * Reads the epoch before the low word, and `#store` writes it after: the epoch is never newer, so the low word is a
   * distance from it of less than 2^32, whatever happens in between.
   */
  #load(counter: number): number {
    if (this.#privateCounters) return this.#privateCounters[counter]!;
    const word = counter * COUNTER_WORDS;
    const epochStart = Atomics.load(this.#counters, word + 1) * EPOCH_SAMPLES;
    const low = Atomics.load(this.#counters, word);
    return epochStart + ((low - epochStart) >>> 0);
  }

  /** Each counter has one thread that stores to it. */
  #store(counter: number, value: number): void {
    if (this.#privateCounters) {
      this.#privateCounters[counter] = value;
      return;
    }
    const word = counter * COUNTER_WORDS;
    Atomics.store(this.#counters, word, value | 0);
    const epoch = Math.floor(value / EPOCH_SAMPLES);
    if (this.#counters[word + 1] !== epoch) Atomics.store(this.#counters, word + 1, epoch);
  }
}

function checkWindow(startSample: number, endSample: number, tail: number, head: number): void {
  if (!isWithin(startSample, tail, head) || !isWithin(endSample, startSample, head)) {
    throw new RangeError(`Expected a window within [${tail}, ${head}) but received [${startSample}, ${endSample})`);
  }
}

function isWithin(position: number, low: number, high: number): boolean {
  return Number.isSafeInteger(position) && position >= low && position <= high;
}
