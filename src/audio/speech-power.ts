/** Rumble, mains hum and an offset lie below, the speech of a telephone does not. */
const HIGH_PASS_HZ = 100;
const OVERLOAD_POWER = 32768 ** 2;

/**
 * Measures the power of a stream frame by frame where speech is: above 100 Hz, and apart from that in the treble, where
 * consonants stand out from backgrounds that drown them otherwise. Powers are mean squares relative to the overload
 * point, 0 … 1.
 */
export class SpeechPower {
  /** Of the last frame, after a second-order Butterworth high pass. */
  power = 0;
  /** Of the changes from sample to sample within the frame, a first-order high pass; 0 if all its samples are equal. */
  treblePower = 0;

  readonly #gain: number;
  readonly #feedback1: number;
  readonly #feedback2: number;
  #input1 = 0;
  #input2 = 0;
  #output1 = 0;
  #output2 = 0;

  constructor(sampleRate: number) {
    const edge = Math.tan((Math.PI * HIGH_PASS_HZ) / sampleRate);
    this.#gain = 1 / (1 + Math.SQRT2 * edge + edge ** 2);
    this.#feedback1 = 2 * (edge ** 2 - 1) * this.#gain;
    this.#feedback2 = (1 - Math.SQRT2 * edge + edge ** 2) * this.#gain;
  }

  measure(frame: Int16Array): void {
    const gain = this.#gain;
    const feedback1 = this.#feedback1;
    const feedback2 = this.#feedback2;
    let input1 = this.#input1;
    let input2 = this.#input2;
    let output1 = this.#output1;
    let output2 = this.#output2;
    let previous = frame[0]!;
    let energy = 0;
    let trebleEnergy = 0;
    for (let i = 0; i < frame.length; i++) {
      const input = frame[i]!;
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
    this.#input1 = input1;
    this.#input2 = input2;
    this.#output1 = output1;
    this.#output2 = output2;
    this.power = energy / frame.length / OVERLOAD_POWER;
    this.treblePower = trebleEnergy / frame.length / OVERLOAD_POWER;
  }

  reset(): void {
    this.power = 0;
    this.treblePower = 0;
    this.#input1 = 0;
    this.#input2 = 0;
    this.#output1 = 0;
    this.#output2 = 0;
  }
}
