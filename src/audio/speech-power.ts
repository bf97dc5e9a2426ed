/** Rumble, mains hum and an offset lie below, the speech of a telephone does not. */
const HIGH_PASS_HZ = 100;
const OVERLOAD_POWER = 32768 ** 2;

/** Mean squares of one frame relative to the overload point, 0 … 1. */
export interface SpeechLevels {
  /** After a second-order Butterworth high pass. */
  power: number;
  /** Of the changes from sample to sample within the frame, a first-order high pass; 0 if all its samples are equal. */
  treblePower: number;
}

/**
 * A filter is eight numbers, so that many lie side by side where the addon finds them: two inputs and two outputs
 * before, three coefficients, and one that makes it a cache line.
 */
export const SPEECH_FILTER_NUMBERS = 8;

/** Makes filter number `index` of `filters` new, for a stream of `sampleRate`. */
export function resetSpeechFilter(filters: Float64Array, index: number, sampleRate: number): void {
  const edge = Math.tan((Math.PI * HIGH_PASS_HZ) / sampleRate);
  const gain = 1 / (1 + Math.SQRT2 * edge + edge ** 2);
  const at = index * SPEECH_FILTER_NUMBERS;
  filters.fill(0, at, at + SPEECH_FILTER_NUMBERS);
  filters[at + 4] = gain;
  filters[at + 5] = 2 * (edge ** 2 - 1) * gain;
  filters[at + 6] = (1 - Math.SQRT2 * edge + edge ** 2) * gain;
}

/** Measures the next frame of a stream, `samples[start, start + length)`, with filter number `index`. */
export function measureSpeech(
  samples: Int16Array,
  start: number,
  length: number,
  filters: Float64Array,
  index: number,
  levels: SpeechLevels,
): void {
  const at = index * SPEECH_FILTER_NUMBERS;
  let input1 = filters[at]!;
  let input2 = filters[at + 1]!;
  let output1 = filters[at + 2]!;
  let output2 = filters[at + 3]!;
  const gain = filters[at + 4]!;
  const feedback1 = filters[at + 5]!;
  const feedback2 = filters[at + 6]!;
  let previous = samples[start]!;
  let energy = 0;
  let trebleEnergy = 0;
  for (let i = start; i < start + length; i++) {
    const input = samples[i]!;
    // What the output before goes into comes last: each sample waits for that, and for nothing else.
    const output = gain * (input - 2 * input1 + input2) - feedback2 * output2 - feedback1 * output1;
    const change = (input - previous) / 2;
    energy += output * output;
    trebleEnergy += change * change;
    previous = input;
    input2 = input1;
    input1 = input;
    output2 = output1;
    output1 = output;
  }
  filters[at] = input1;
  filters[at + 1] = input2;
  filters[at + 2] = output1;
  filters[at + 3] = output2;
  levels.power = energy / length / OVERLOAD_POWER;
  levels.treblePower = trebleEnergy / length / OVERLOAD_POWER;
}

/**
 * Measures the power of a stream frame by frame where speech is: above 100 Hz, and apart from that in the treble, where
 * consonants stand out from backgrounds that drown them otherwise.
 */
export class SpeechPower implements SpeechLevels {
  power = 0;
  treblePower = 0;

  readonly #sampleRate: number;
  readonly #filter = new Float64Array(SPEECH_FILTER_NUMBERS);

  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate;
    resetSpeechFilter(this.#filter, 0, sampleRate);
  }

  measure(frame: Int16Array): void {
    measureSpeech(frame, 0, frame.length, this.#filter, 0, this);
  }

  reset(): void {
    this.power = 0;
    this.treblePower = 0;
    resetSpeechFilter(this.#filter, 0, this.#sampleRate);
  }
}
