import { filterFor, type PolyphaseFilter } from './resampler-filter.ts';

const SAMPLE_RATES = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000] as const;

/** Input samples that are worked on at a time; a multiple of 4. */
const BLOCK_SAMPLES = 512;
/** From 8000 to 48000 Hz. */
const MAX_UP = 6;
const ZEROS = new Int16Array(BLOCK_SAMPLES);
/** What a block is interpolated to before it is rounded: one for all, because a call runs to its end. */
const interpolated = new Float64Array(BLOCK_SAMPLES * MAX_UP);

export interface ResamplerOptions {
  /** One of 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100 and 48000, as is `outputRate`. */
  readonly inputRate: number;
  readonly outputRate: number;
}

/**
 * Changes the sample rate of a stream. The output does not depend on how the stream is cut into chunks, and `process`
 * allocates nothing.
 *
 * Flat to 0.425 of the lower rate, down 70 dB from half of the lower rate on; equal rates pass through unchanged. Output
 * is rounded and saturates.
 */
export class Resampler {
  /** How much later a sound comes out, in output samples. */
  readonly delaySamples: number;
  readonly #up: number;
  readonly #down: number;
  readonly #filter: PolyphaseFilter | undefined;
  /** The inputs that the next output still needs, then the block at work. */
  readonly #window: Float64Array;
  /** Where the next output lies, counted from the next input in steps of 1/up input samples. */
  #position = 0;

  /** @throws RangeError - if a rate is not supported. */
  constructor(options: ResamplerOptions) {
    const { inputRate, outputRate } = options;
    checkRate('inputRate', inputRate);
    checkRate('outputRate', outputRate);
    const divisor = greatestCommonDivisor(inputRate, outputRate);
    this.#up = outputRate / divisor;
    this.#down = inputRate / divisor;
    this.#filter = inputRate === outputRate ? undefined : filterFor(this.#up, this.#down);
    this.#window = new Float64Array((this.#filter?.tapsPerPhase ?? 1) - 1 + BLOCK_SAMPLES);
    this.delaySamples = this.#filter?.delaySamples ?? 0;
  }

  /**
   * A whole recording at another rate: round(length * to / from) samples, aligned in time with the original.
   *
   * @throws RangeError - if a rate is not supported.
   */
  static resample(pcm: Int16Array, from: number, to: number): Int16Array {
    const resampler = new Resampler({ inputRate: from, outputRate: to });
    const output = new Int16Array(Math.round((pcm.length * to) / from));
    // Starts at the first output that belongs to the recording, as if those of the delay had been thrown away.
    resampler.#position = resampler.delaySamples * resampler.#down;
    const written = resampler.#run(pcm, output);
    resampler.#drain(output.subarray(written));
    return output;
  }

  /** How many samples `process` writes for the next `inputSamples`. */
  outputSamplesFor(inputSamples: number): number {
    return Math.max(0, Math.ceil((inputSamples * this.#up - this.#position) / this.#down));
  }

  /**
   * Takes all of `input`, which must not share memory with `output`.
   *
   * @returns how many samples were written to the start of `output`.
   * @throws RangeError - if `output` is shorter than that; nothing is taken then.
   */
  process(input: Int16Array, output: Int16Array): number {
    checkRoom(this.outputSamplesFor(input.length), output);
    return this.#run(input, output);
  }

  /**
   * Ends the stream: writes the `delaySamples` samples that are still to come, then starts anew.
   *
   * @returns how many samples were written, which is `delaySamples`.
   * @throws RangeError - if `output` is shorter than that.
   */
  flush(output: Int16Array): number {
    checkRoom(this.delaySamples, output);
    this.#drain(output.subarray(0, this.delaySamples));
    this.reset();
    return this.delaySamples;
  }

  /** Forgets the stream so far. */
  reset(): void {
    this.#window.fill(0);
    this.#position = 0;
  }

  /** Fills all of `output` with what silence after the stream brings out. */
  #drain(output: Int16Array): void {
    for (let written = 0; written < output.length; ) written += this.#run(ZEROS, output.subarray(written));
  }

  /** Takes blocks of `input` until it or the room in `output` ends. */
  #run(input: Int16Array, output: Int16Array): number {
    if (!this.#filter) {
      const length = Math.min(input.length, output.length);
      output.set(length === input.length ? input : input.subarray(0, length));
      return length;
    }
    const { tapsPerPhase } = this.#filter;
    const window = this.#window;
    const historySamples = tapsPerPhase - 1;
    let written = 0;
    for (let start = 0; start < input.length; start += BLOCK_SAMPLES) {
      const blockSamples = Math.min(BLOCK_SAMPLES, input.length - start);
      for (let i = 0; i < blockSamples; i++) window[historySamples + i] = input[start + i]!;
      written =
        this.#down === 1
          ? this.#interpolateBlock(this.#filter, blockSamples, output, written)
          : this.#filterBlock(this.#filter, blockSamples, output, written);
      window.copyWithin(0, blockSamples, blockSamples + historySamples);
    }
    return written;
  }

  /**
   * The block at `up` times its rate, phase by phase. Neighbouring outputs of a phase share all samples but one, so that
   * four at a time need a third of the loads that one at a time needs. @returns where the next output goes.
   */
  #interpolateBlock(filter: PolyphaseFilter, blockSamples: number, output: Int16Array, from: number): number {
    const up = this.#up;
    for (let phase = 0; phase < up; phase++) interpolatePhase(filter, phase, up, this.#window, blockSamples);
    const position = this.#position;
    const end = blockSamples * up;
    const count = Math.max(0, Math.min(end - position, output.length - from));
    for (let i = 0; i < count; i++) output[from + i] = toSample(interpolated[position + i]!);
    this.#position = position + count - end;
    return from + count;
  }

  /** @returns where the next output goes. */
  #filterBlock(filter: PolyphaseFilter, blockSamples: number, output: Int16Array, from: number): number {
    const { taps, tapsPerPhase } = filter;
    const window = this.#window;
    const up = this.#up;
    const down = this.#down;
    const end = blockSamples * up;
    let written = from;
    let position = this.#position;
    for (; position < end && written < output.length; position += down) {
      const phase = position % up;
      const first = (position - phase) / up;
      let tap = phase * tapsPerPhase;
      let sum0 = 0;
      let sum1 = 0;
      let sum2 = 0;
      let sum3 = 0;
      // Four sums, because each addition would otherwise wait for the one before.
      for (let i = first; i < first + tapsPerPhase; i += 4, tap += 4) {
        sum0 += taps[tap]! * window[i]!;
        sum1 += taps[tap + 1]! * window[i + 1]!;
        sum2 += taps[tap + 2]! * window[i + 2]!;
        sum3 += taps[tap + 3]! * window[i + 3]!;
      }
      output[written++] = toSample(sum0 + sum1 + (sum2 + sum3));
    }
    this.#position = position - end;
    return written;
  }
}

/**
 * Writes every output of one phase to its place in `interpolated`, four at a time. Each is summed in the order of the
 * taps, wherever in a block it lies.
 */
function interpolatePhase(
  { taps, tapsPerPhase }: PolyphaseFilter,
  phase: number,
  up: number,
  window: Float64Array,
  blockSamples: number,
): void {
  const firstTap = phase * tapsPerPhase;
  for (let input = 0; input < blockSamples; input += 4) {
    let sum0 = 0;
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    // The samples that the four outputs need for a tap are those of the tap before, moved on by one.
    let a = window[input]!;
    let b = window[input + 1]!;
    let c = window[input + 2]!;
    for (let k = 0; k < tapsPerPhase; k += 4) {
      const tap0 = taps[firstTap + k]!;
      const tap1 = taps[firstTap + k + 1]!;
      const tap2 = taps[firstTap + k + 2]!;
      const tap3 = taps[firstTap + k + 3]!;
      const d = window[input + k + 3]!;
      sum0 += tap0 * a;
      sum1 += tap0 * b;
      sum2 += tap0 * c;
      sum3 += tap0 * d;
      a = window[input + k + 4]!;
      sum0 += tap1 * b;
      sum1 += tap1 * c;
      sum2 += tap1 * d;
      sum3 += tap1 * a;
      b = window[input + k + 5]!;
      sum0 += tap2 * c;
      sum1 += tap2 * d;
      sum2 += tap2 * a;
      sum3 += tap2 * b;
      c = window[input + k + 6]!;
      sum0 += tap3 * d;
      sum1 += tap3 * a;
      sum2 += tap3 * b;
      sum3 += tap3 * c;
    }
    const first = input * up + phase;
    interpolated[first] = sum0;
    interpolated[first + up] = sum1;
    interpolated[first + 2 * up] = sum2;
    interpolated[first + 3 * up] = sum3;
  }
}

function toSample(value: number): number {
  return Math.max(-32768, Math.min(32767, Math.floor(value + 0.5)));
}

function checkRate(name: string, rate: number): void {
  if (!(SAMPLE_RATES as readonly number[]).includes(rate)) {
    throw new RangeError(`Expected one of ${SAMPLE_RATES.join(', ')} for ${name} but received ${rate}`);
  }
}

function checkRoom(needed: number, output: Int16Array): void {
  if (output.length < needed) {
    throw new RangeError(`Expected an output of at least ${needed} samples but received ${output.length}`);
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
