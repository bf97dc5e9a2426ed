/** The echo test runs at this rate: half of the telephone's, where most of a voice's power is. */
export const ECHO_RATE = 4000;
/** 20 ms. */
export const FRAME_SAMPLES = 80;

/** 1 s. */
const CAPACITY = 4096;
/** Evens out what a voice loses towards the treble, so that a correlation is one narrow peak. */
const PRE_EMPHASIS = 0.9;
/** Length of the half-band filter, less one. */
const FILTER_REACH = 6;
const LONGEST_PACKET = 1600;

/**
 * The newest second of a stream, taken at 8 kHz and kept at 4 kHz with its spectrum evened out. Positions are samples at
 * 4 kHz on the capture clock; what was not written is silence.
 */
export class EchoSignal {
  /** Every sample twice, one capacity apart, so that each window is contiguous; see {@link index}. */
  readonly samples: Float64Array = new Float64Array(2 * CAPACITY);
  /** Sum of the squares of all samples before a position. */
  readonly #energies = new Float64Array(CAPACITY);
  readonly #input = new Float64Array(FILTER_REACH + LONGEST_PACKET);
  #last = 0;
  #energy = 0;
  #end = 0;

  /** Position behind the newest sample. */
  get end(): number {
    return this.#end;
  }

  /** Takes `pcm` at 8 kHz, whose first sample belongs at `start`. What overlaps is dropped; a gap becomes silence. */
  write(pcm: Int16Array, start: number): void {
    if (start < this.#end - CAPACITY / 2 || start > this.#end + CAPACITY) this.#restart(start);
    if (start > this.#end) {
      this.#input.fill(0, 0, FILTER_REACH);
      this.#last = 0;
      while (this.#end < start) this.#put(0);
    }
    const input = this.#input;
    const length = Math.min(pcm.length, LONGEST_PACKET);
    for (let i = 0; i < length; i++) input[FILTER_REACH + i] = pcm[i]!;
    for (let i = 2 * (this.#end - start); i + 1 < length; i += 2) {
      const inner = 9 * (input[i + 2]! + input[i + 4]!) + 16 * input[i + 3]!;
      const output = (inner - input[i]! - input[i + 6]!) / 32;
      this.#put(output - PRE_EMPHASIS * this.#last);
      this.#last = output;
    }
    input.copyWithin(0, length, length + FILTER_REACH);
  }

  /** Where the window of up to one second that starts at `position` lies in {@link samples}. */
  index(position: number): number {
    return ((position % CAPACITY) + CAPACITY) % CAPACITY;
  }

  /** Mean power of 20 ms from `start` on. */
  framePower(start: number): number {
    if (start + FRAME_SAMPLES > this.#end) return 0;
    const before = this.#energies[this.index(start)]!;
    const end = start + FRAME_SAMPLES;
    const after = end === this.#end ? this.#energy : this.#energies[this.index(end)]!;
    // The rounding of a long sum must not turn silence into less than nothing.
    return Math.max(0, after - before) / FRAME_SAMPLES;
  }

  #restart(start: number): void {
    this.samples.fill(0);
    this.#energies.fill(0);
    this.#energy = 0;
    this.#input.fill(0);
    this.#last = 0;
    this.#end = start;
  }

  #put(sample: number): void {
    const index = this.index(this.#end++);
    this.samples[index] = sample;
    this.samples[index + CAPACITY] = sample;
    this.#energies[index] = this.#energy;
    this.#energy += sample * sample;
  }
}
