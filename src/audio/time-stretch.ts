import { PitchFinder } from './pitch.ts';

/** Below this level (-56 dBov) nothing is heard of a seam, whatever is joined. */
const QUIET_RMS = 50;
/** A signal that is less like itself than this at every lag is noise; cutting noise is not heard either. */
const MAX_NOISE_CORRELATION = 0.5;
/** Unless its level changes at the cut, as at the burst of a plosive. */
const MAX_NOISE_POWER_RATIO = 2;

/**
 * Takes one pitch period out of a signal, or puts one in, in place and without a seam: the two sides of the cut are
 * one period apart and are cross-faded over up to 10 ms.
 *
 * Speech stays at its pitch; only whole periods go or come. Silence and steady noise have no period and are cut to
 * measure. Where the signal is neither periodic enough (`minCorrelation`) nor noise, nothing is done.
 */
export class TimeStretcher {
  /** Samples that `remove()` needs after `start`. */
  readonly removeLookaheadSamples: number;
  /** Samples that `insert()` needs after `start`. */
  readonly insertLookaheadSamples: number;
  /** Samples that `insert()` needs before `start`, and the most that either takes out or puts in. */
  readonly maxLagSamples: number;
  readonly #pitch: PitchFinder;
  #lag = 0;
  #isNoise = false;

  /** @param sampleRate - in Hz, 8000-48000. */
  constructor(sampleRate: number) {
    this.#pitch = new PitchFinder(sampleRate);
    this.maxLagSamples = this.#pitch.maxLag;
    this.insertLookaheadSamples = this.#pitch.windowSamples;
    this.removeLookaheadSamples = this.#pitch.windowSamples + this.#pitch.maxLag;
  }

  /**
   * Shortens `pcm[start, end)` by one period of at most `maxSamples`; what follows it moves up.
   *
   * @param minCorrelation - how alike both sides of the cut must be, -1 … 1.
   * @returns samples removed; 0 when nothing was changed.
   */
  remove(pcm: Int16Array, start: number, end: number, maxSamples: number, minCorrelation: number): number {
    if (end - start < this.removeLookaheadSamples) return 0;
    if (!this.#findCut(pcm, start, 1, maxSamples, minCorrelation) || this.#lag > maxSamples) return 0;
    const lag = this.#lag;
    const overlap = Math.min(lag, this.#pitch.windowSamples);
    this.#crossFade(pcm, start, start + lag, start, overlap);
    pcm.copyWithin(start + overlap, start + lag + overlap, end);
    return lag;
  }

  /**
   * Lengthens `pcm[start, end)` by one period, or by about `wantedSamples` where there is none; what follows the seam
   * moves back, so that `pcm` needs room for {@link maxLagSamples} after `end`.
   *
   * @returns samples inserted; 0 when nothing was changed.
   */
  insert(pcm: Int16Array, start: number, end: number, wantedSamples: number, minCorrelation: number): number {
    if (end - start < this.insertLookaheadSamples) return 0;
    if (!this.#findCut(pcm, start, -1, wantedSamples, minCorrelation)) return 0;
    const lag = this.#lag;
    const overlap = Math.min(lag, this.#pitch.windowSamples);
    pcm.copyWithin(start + lag, start, end);
    this.#crossFade(pcm, start + lag, start - lag, start, overlap);
    pcm.copyWithin(start + overlap, start - lag + overlap, start);
    return lag;
  }

  #findCut(pcm: Int16Array, start: number, direction: 1 | -1, wantedSamples: number, minCorrelation: number): boolean {
    const pitch = this.#pitch;
    this.#lag = Math.max(pitch.minLag, Math.min(pitch.maxLag, Math.floor(wantedSamples)));
    const window = pitch.windowSamples;
    this.#isNoise = true;
    // No period is looked for in silence.
    const first = direction < 0 ? start - pitch.maxLag : start;
    if (meanPower(pcm, first, window + pitch.maxLag) < QUIET_RMS ** 2) return true;
    pitch.search(pcm, start, direction);
    if (pitch.correlation < MAX_NOISE_CORRELATION) {
      const ratio = meanPower(pcm, start, window) / meanPower(pcm, start + direction * pitch.lag, window);
      if (ratio < MAX_NOISE_POWER_RATIO && ratio > 1 / MAX_NOISE_POWER_RATIO) return true;
    }
    this.#isNoise = false;
    this.#lag = pitch.lag;
    return pitch.correlation >= minCorrelation;
  }

  /** Fades from `pcm[from …)` to `pcm[to …)` and writes to `pcm[at …)`; noise keeps its power, a voice its amplitude. */
  #crossFade(pcm: Int16Array, from: number, to: number, at: number, length: number): void {
    for (let i = 0; i < length; i++) {
      const position = (i + 1) / (length + 1);
      const rising = this.#isNoise ? Math.sqrt(position) : position;
      const falling = this.#isNoise ? Math.sqrt(1 - position) : 1 - position;
      const sample = Math.round(pcm[from + i]! * falling + pcm[to + i]! * rising);
      pcm[at + i] = Math.max(-32768, Math.min(32767, sample));
    }
  }
}

function meanPower(pcm: Int16Array, start: number, length: number): number {
  let energy = 0;
  for (let i = start, end = start + length; i < end; i++) {
    const sample = pcm[i]!;
    energy += sample * sample;
  }
  return energy / length;
}
