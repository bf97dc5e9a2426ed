import { G711, type Law } from '../audio/g711.ts';
import { FADE_SAMPLES, rampGain } from './playout-gain.ts';

/** Room for a second, once there is something to keep. */
const INITIAL_SAMPLES = 8000;

/**
 * Encoded audio of one playback, one byte a sample, addressed by sample from its start. It is kept until it is
 * released, so that what was handed on and then dropped can be read again.
 */
export class EncodedAudio {
  #codes = new Uint8Array(0);
  /** Position of the first code in the buffer. */
  #baseSample = 0;
  /** Position of the oldest sample that is kept. */
  #startSample = 0;
  #endSample = 0;

  /** How many samples were ever appended. */
  get endSample(): number {
    return this.#endSample;
  }

  append(law: Law, pcm: Int16Array): void {
    this.#makeRoom(pcm.length);
    G711.encode(law, pcm, this.#codes.subarray(this.#endSample - this.#baseSample));
    this.#endSample += pcm.length;
  }

  /** Lets audio that broke off end softly: appends a fade-out, as {@link readMirrored} makes it. */
  appendFadeOut(law: Law): void {
    const codes = new Uint8Array(FADE_SAMPLES);
    const pcm = new Int16Array(FADE_SAMPLES);
    this.readMirrored(this.#endSample, codes);
    G711.decode(law, codes, pcm);
    rampGain(pcm, 1, 0);
    this.append(law, pcm);
  }

  /**
   * Copies samples from `startSample` on into `out`, as many as fit and are there. @returns how many.
   *
   * @throws RangeError - if `startSample` was released.
   */
  read(startSample: number, out: Uint8Array): number {
    if (startSample < this.#startSample) {
      throw new RangeError(`Expected a position of ${this.#startSample} or more but received ${startSample}`);
    }
    const length = Math.max(0, Math.min(out.length, this.#endSample - startSample));
    const codes = this.#codes;
    const from = startSample - this.#baseSample;
    // Not by `set`, which would need a view for every frame.
    for (let i = 0; i < length; i++) out[i] = codes[from + i]!;
    return length;
  }

  /**
   * Fills the first 10 ms of `out` from `startSample` on. What is missing behind the end is the audio before it,
   * backwards: it goes on where the audio stopped, without a jump, and is meant to be faded out. There must be audio.
   */
  readMirrored(startSample: number, out: Uint8Array): void {
    const codes = this.#codes;
    const last = this.#endSample - 1;
    for (let i = 0; i < FADE_SAMPLES; i++) {
      const sample = startSample + i;
      const source = sample <= last ? sample : Math.max(this.#startSample, 2 * last + 1 - sample);
      out[i] = codes[source - this.#baseSample]!;
    }
  }

  /** Lets go of samples before `beforeSample`, but for the last 10 ms. */
  release(beforeSample: number): void {
    this.#startSample = Math.max(this.#startSample, Math.min(beforeSample, this.#endSample) - FADE_SAMPLES);
  }

  /** Changes what is kept to another law. */
  recode(from: Law, to: Law): void {
    const codes = this.#codes.subarray(this.#startSample - this.#baseSample, this.#endSample - this.#baseSample);
    const pcm = new Int16Array(codes.length);
    G711.decode(from, codes, pcm);
    G711.encode(to, pcm, codes);
  }

  #makeRoom(samples: number): void {
    if (this.#endSample - this.#baseSample + samples <= this.#codes.length) return;
    const kept = this.#codes.subarray(this.#startSample - this.#baseSample, this.#endSample - this.#baseSample);
    // Half of the buffer stays free, so that moving what is kept stays rare.
    const wanted = Math.max(INITIAL_SAMPLES, 2 * (kept.length + samples));
    const target = wanted > this.#codes.length ? new Uint8Array(wanted) : this.#codes;
    target.set(kept);
    this.#codes = target;
    this.#baseSample = this.#startSample;
  }
}
