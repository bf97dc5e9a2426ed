/** Room for half a second at 8 kHz, once there is something to keep. */
const INITIAL_SAMPLES = 4096;

/**
 * First in, first out for 16 bit samples: for audio that comes in bursts and is taken bit by bit. Its memory grows with
 * what waits, up to `capacitySamples`, and is given back when nothing does.
 */
export class SampleQueue {
  readonly capacitySamples: number;
  #samples = new Int16Array(0);
  #start = 0;
  #length = 0;

  constructor(capacitySamples: number) {
    this.capacitySamples = capacitySamples;
  }

  /** How many samples wait. */
  get length(): number {
    return this.#length;
  }

  /** Copies in what fits. @returns how many samples were taken, from the start of `pcm`. */
  write(pcm: Int16Array): number {
    const taken = Math.min(pcm.length, this.capacitySamples - this.#length);
    if (taken === 0) return 0;
    if (this.#length + taken > this.#samples.length) this.#grow(this.#length + taken);
    const size = this.#samples.length;
    const at = (this.#start + this.#length) % size;
    const beforeWrap = Math.min(taken, size - at);
    this.#samples.set(pcm.subarray(0, beforeWrap), at);
    this.#samples.set(pcm.subarray(beforeWrap, taken), 0);
    this.#length += taken;
    return taken;
  }

  /** Moves the oldest samples into `out`, as many as fit and are there. @returns how many. */
  read(out: Int16Array): number {
    const length = Math.min(out.length, this.#length);
    const size = this.#samples.length;
    const beforeWrap = Math.min(length, size - this.#start);
    out.set(this.#samples.subarray(this.#start, this.#start + beforeWrap));
    out.set(this.#samples.subarray(0, length - beforeWrap), beforeWrap);
    this.drop(length);
    return length;
  }

  /** Forgets the oldest `samples`, or all if there are no more. */
  drop(samples: number): void {
    const dropped = Math.min(samples, this.#length);
    this.#length -= dropped;
    if (this.#length === 0) this.clear();
    else this.#start = (this.#start + dropped) % this.#samples.length;
  }

  clear(): void {
    this.#start = 0;
    this.#length = 0;
    if (this.#samples.length > INITIAL_SAMPLES) this.#samples = new Int16Array(0);
  }

  #grow(needed: number): void {
    let size = Math.max(INITIAL_SAMPLES, this.#samples.length);
    while (size < needed) size *= 2;
    const grown = new Int16Array(Math.min(size, Math.max(needed, this.capacitySamples)));
    const length = this.#length;
    const beforeWrap = Math.min(length, this.#samples.length - this.#start);
    grown.set(this.#samples.subarray(this.#start, this.#start + beforeWrap));
    grown.set(this.#samples.subarray(0, length - beforeWrap), beforeWrap);
    this.#samples = grown;
    this.#start = 0;
  }
}
