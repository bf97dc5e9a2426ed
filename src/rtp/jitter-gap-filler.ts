import { ComfortNoise } from '../audio/comfort-noise.ts';
import type { Extrapolator } from '../audio/extrapolator.ts';
import type { JitterPlayout } from './jitter-playout.ts';

/**
 * Adds to the playout what no packet brings: the voice continued where packets are missing, or the noise that a silence
 * descriptor asked for. Leads back into the packets that come after.
 */
export class JitterGapFiller {
  readonly #playout: JitterPlayout;
  readonly #extrapolator: Extrapolator;
  readonly #comfortNoise = new ComfortNoise();
  #gapSamples = 0;
  #isContinuing = false;
  #isComfortNoise = false;

  constructor(playout: JitterPlayout, extrapolator: Extrapolator) {
    this.#playout = playout;
    this.#extrapolator = extrapolator;
  }

  /** Samples made up since the last of a packet. */
  get gapSamples(): number {
    return this.#gapSamples;
  }

  /** Whether the sender has said that nothing is to be heard. */
  get isComfortNoise(): boolean {
    return this.#isComfortNoise;
  }

  reset(): void {
    this.#gapSamples = 0;
    this.#isContinuing = false;
    this.#isComfortNoise = false;
  }

  /** Takes the payload of a silence descriptor (RFC 3389). */
  setComfortNoise(payload: Uint8Array): void {
    this.#comfortNoise.setPayload(payload);
  }

  /** From here on there is comfort noise, until the next packet. */
  beginComfortNoise(): void {
    this.reset();
    this.#isComfortNoise = true;
  }

  /** The packet appended next does not follow what is there: leads over to it. */
  bridge(): void {
    if (!this.#isContinuing) this.#extrapolator.begin(this.#playout.pcm, this.#playout.end);
    this.#isContinuing = true;
  }

  /** Adds `count` made up samples. */
  fill(count: number): void {
    const playout = this.#playout;
    if (this.#isComfortNoise) {
      for (let i = playout.end, end = i + count; i < end; i++) playout.pcm[i] = this.#comfortNoise.next();
      playout.extendComfortNoise(count);
    } else {
      this.bridge();
      this.#extrapolator.generate(playout.pcm, playout.end, count);
      playout.extendConcealed(count);
    }
    this.#gapSamples += count;
  }

  /** Adds the samples of a packet from index `from` on, which ends the gap. */
  append(pcm: Int16Array, from: number, arrivalMs: number): void {
    const playout = this.#playout;
    const start = playout.end;
    playout.append(pcm, from, arrivalMs);
    if (this.#isContinuing) this.#extrapolator.merge(playout.pcm, start, playout.end);
    this.#extrapolator.observe(playout.pcm, start, playout.end);
    this.reset();
  }
}
