/** What another thread needs to attach; it may be posted to a worker. */
export interface RingHandle {
  readonly buffer: SharedArrayBuffer;
  readonly capacitySamples: number;
  readonly windowSamples: number;
}

export interface RingOptions {
  /** How many unread samples fit, exactly. */
  readonly capacitySamples: number;
  /** Longest window that is viewed, read or written at a time; each sample of it takes memory. Default: the capacity. */
  readonly windowSamples?: number;
  /** Whether another thread may attach. Default false. */
  readonly shared?: boolean;
}

/** The samples of a ring, for a producer that fills what it has claimed by itself. */
export interface RingMemory {
  /** Position p is at p % capacity. */
  readonly samples: Int16Array;
  readonly capacitySamples: number;
  /** Makes the second copies of what was just stored at `samples[start, start + length)`; `start` < capacity. */
  mirror(start: number, length: number): void;
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
 *  |<------ capacity ------>|<--- window --->|
 *  |#####head      tail#####|#####head      t|     # unread
 *                       [----------)                a window that wraps runs on into the second copy
 * ```
 *
 * Position p lives at p % capacity, and if that is less than the window again one capacity further on.
 *
 * Positions are absolute: the n-th sample ever written has position n, whatever was released since. They only grow and
 * are exact to 2^53. One side writes, the other views and releases; the two may be on different worker threads.
 *
 * Memory ordering: the producer stores samples with plain writes, then publishes them with an atomic store of the head;
 * the consumer loads the head before it touches samples. The consumer in turn is done with samples before its atomic
 * store of the tail, which the producer loads before it overwrites them. JavaScript's atomics are sequentially
 * consistent, more than the release and acquire that this needs. Neither side ever waits for the other.
 */
export class Ring implements RingMemory {
  readonly capacitySamples: number;
  readonly windowSamples: number;
  readonly samples: Int16Array;
  readonly #buffer: ArrayBuffer | SharedArrayBuffer;
  /** The counters of a ring between threads. */
  readonly #counters: Int32Array | undefined;
  /** Those of a ring that one thread has for itself: atomics cost more than the copy of a frame. */
  #head = 0;
  #tail = 0;
  #overrun = 0;

  /**
   * @throws RangeError - if the capacity is not an integer of 1 … 2^29, the window not one of 1 … the capacity, or the
   * buffer of a handle is not made for them.
   */
  constructor(options: RingOptions | RingHandle) {
    const { capacitySamples, windowSamples = capacitySamples } = options;
    checkSize('capacitySamples', capacitySamples, MAX_CAPACITY_SAMPLES);
    checkSize('windowSamples', windowSamples, capacitySamples);
    const bytes = SAMPLES_OFFSET_BYTES + (capacitySamples + windowSamples) * BYTES_PER_SAMPLE;
    if ('buffer' in options) this.#buffer = options.buffer;
    else this.#buffer = options.shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    if (this.#buffer.byteLength !== bytes) {
      throw new RangeError(`Expected a buffer of ${bytes} bytes but received ${this.#buffer.byteLength}`);
    }
    this.capacitySamples = capacitySamples;
    this.windowSamples = windowSamples;
    if (this.#buffer instanceof SharedArrayBuffer) {
      this.#counters = new Int32Array(this.#buffer, 0, SAMPLES_OFFSET_BYTES / Int32Array.BYTES_PER_ELEMENT);
    }
    this.samples = new Int16Array(this.#buffer, SAMPLES_OFFSET_BYTES);
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
    return { buffer: this.#buffer, capacitySamples: this.capacitySamples, windowSamples: this.windowSamples };
  }

  /** Position that the next written sample gets. */
  get headSample(): number {
    return this.#counters ? load(this.#counters, HEAD) : this.#head;
  }

  /** Position of the oldest sample that was not released. */
  get tailSample(): number {
    return this.#counters ? load(this.#counters, TAIL) : this.#tail;
  }

  /** Samples that were dropped because the ring was full, since it was made. They take no position. */
  get overrunSamples(): number {
    return this.#counters ? load(this.#counters, OVERRUN) : this.#overrun;
  }

  /** Producer: copies in what fits. @returns how many samples were taken, from the start of `pcm`. */
  write(pcm: Int16Array): number {
    const head = this.headSample;
    const taken = this.#admit(head, pcm.length);
    if (taken <= this.windowSamples) {
      const start = head % this.capacitySamples;
      if (taken === pcm.length) this.samples.set(pcm, start);
      else for (let i = 0; i < taken; i++) this.samples[start + i] = pcm[i]!;
      this.mirror(start, taken);
    } else {
      for (let i = 0; i < taken; i++) {
        const start = (head + i) % this.capacitySamples;
        this.samples[start] = pcm[i]!;
        if (start < this.windowSamples) this.samples[start + this.capacitySamples] = pcm[i]!;
      }
    }
    this.#publish(head + taken);
    return taken;
  }

  /**
   * Producer: moves the head over samples that it stores itself, at `headSample % capacitySamples` of `samples` and
   * with their second copies, before anybody looks. At most a window at a time. @returns how many fit.
   */
  claim(lengthSamples: number): number {
    const head = this.headSample;
    const taken = this.#admit(head, lengthSamples);
    this.#publish(head + taken);
    return taken;
  }

  mirror(start: number, length: number): void {
    const { capacitySamples: capacity, windowSamples, samples } = this;
    const end = start + length;
    const mirroredEnd = Math.min(end, windowSamples);
    if (start < mirroredEnd) samples.copyWithin(start + capacity, start, mirroredEnd);
    if (end > capacity) samples.copyWithin(0, capacity, end);
  }

  /** Producer: writes zeros. @returns how many samples were taken. */
  writeSilence(lengthSamples: number): number {
    if (!Number.isSafeInteger(lengthSamples) || lengthSamples < 0) {
      throw new RangeError(`Expected an integer of 0 or more for lengthSamples but received ${lengthSamples}`);
    }
    const head = this.headSample;
    const taken = this.#admit(head, lengthSamples);
    for (let done = 0; done < taken; ) {
      const start = (head + done) % this.capacitySamples;
      const length = Math.min(taken - done, this.windowSamples);
      this.samples.fill(0, start, start + length);
      this.mirror(start, length);
      done += length;
    }
    this.#publish(head + taken);
    return taken;
  }

  /**
   * Consumer: the samples [`startSample`, `endSample`) as one view of the ring's own memory. It is valid until a
   * `release` beyond `startSample` and must not be written to.
   *
   * @throws RangeError - if a part of it was released already or is not written yet, or it is longer than a window.
   */
  view(startSample: number, endSample: number): Int16Array {
    this.#checkWindow(startSample, endSample);
    const start = startSample % this.capacitySamples;
    return this.samples.subarray(start, start + (endSample - startSample));
  }

  /**
   * Consumer: copies the samples from `startSample` on into all of `out`. For windows that are looked at all the time: a
   * view is an object, and one per frame would be garbage.
   *
   * @throws RangeError - as for `view`.
   */
  read(startSample: number, out: Int16Array): void {
    this.#checkWindow(startSample, startSample + out.length);
    const { samples } = this;
    const start = startSample % this.capacitySamples;
    for (let i = 0; i < out.length; i++) out[i] = samples[start + i]!;
  }

  /**
   * Consumer: gives the room of every sample before `upToSample` back to the producer.
   *
   * @throws RangeError - if `upToSample` is before the tail or beyond the head.
   */
  release(upToSample: number): void {
    const { tailSample, headSample } = this;
    if (!isWithin(upToSample, tailSample, headSample)) {
      throw new RangeError(
        `Expected a position of ${tailSample}-${headSample} for upToSample but received ${upToSample}`,
      );
    }
    if (this.#counters) store(this.#counters, TAIL, upToSample);
    else this.#tail = upToSample;
  }

  /** How many of `wanted` samples fit; counts the others as overrun. */
  #admit(head: number, wanted: number): number {
    const free = this.capacitySamples - (head - this.tailSample);
    if (wanted <= free) return wanted;
    const overrun = this.overrunSamples + wanted - free;
    if (this.#counters) store(this.#counters, OVERRUN, overrun);
    else this.#overrun = overrun;
    return free;
  }

  #publish(head: number): void {
    if (this.#counters) store(this.#counters, HEAD, head);
    else this.#head = head;
  }

  #checkWindow(startSample: number, endSample: number): void {
    const { tailSample, headSample, windowSamples } = this;
    if (!isWithin(startSample, tailSample, headSample) || !isWithin(endSample, startSample, headSample)) {
      throw new RangeError(
        `Expected a window within [${tailSample}, ${headSample}) but received [${startSample}, ${endSample})`,
      );
    }
    if (endSample - startSample > windowSamples) {
      throw new RangeError(`Expected a window of at most ${windowSamples} but received ${endSample - startSample}`);
    }
  }
}

/**
 * Reads the epoch before the low word, and `store` writes it after: the epoch is never newer, so the low word is a
 * distance from it of less than 2^32, whatever happens in between.
 */
function load(counters: Int32Array, counter: number): number {
  const word = counter * COUNTER_WORDS;
  const epochStart = Atomics.load(counters, word + 1) * EPOCH_SAMPLES;
  const low = Atomics.load(counters, word);
  return epochStart + ((low - epochStart) >>> 0);
}

/** Each counter has one thread that stores to it. */
function store(counters: Int32Array, counter: number, value: number): void {
  const word = counter * COUNTER_WORDS;
  Atomics.store(counters, word, value | 0);
  const epoch = Math.floor(value / EPOCH_SAMPLES);
  if (counters[word + 1] !== epoch) Atomics.store(counters, word + 1, epoch);
}

function checkSize(name: string, size: number, most: number): void {
  if (Number.isInteger(size) && size >= 1 && size <= most) return;
  throw new RangeError(`Expected 1-${most} for ${name} but received ${size}`);
}

function isWithin(position: number, low: number, high: number): boolean {
  return Number.isSafeInteger(position) && position >= low && position <= high;
}
