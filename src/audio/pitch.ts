import { dotProduct } from './dot-product.ts';

/** Human voices repeat every 2.5 ms (400 Hz, a child) to 15 ms (67 Hz, a deep man). */
const MIN_LAG_MS = 2.5;
const MAX_LAG_MS = 15;
/** What is compared: one to four periods. */
const WINDOW_MS = 10;
/** The coarse search runs at this rate; the period of a voice is found in its first two formants. */
const COARSE_RATE = 4000;

/**
 * Finds the shift at which a signal looks most like itself: the pitch period of voiced speech, the best seam for
 * anything else. First at about 4 kHz over all lags, then at the full rate around the best one.
 *
 * One instance serves one caller at a time; the result of `search()` is kept in `lag` and `correlation`.
 */
export class PitchFinder {
  readonly minLag: number;
  readonly maxLag: number;
  readonly windowSamples: number;
  /** Best shift in samples, `minLag` … `maxLag`. */
  lag = 0;
  /** Normalised cross-correlation at that shift, -1 … 1; 1 also when both windows are silent. */
  correlation = 0;
  readonly #decimation: number;
  readonly #coarse: Float64Array;
  /** What is compared, at the full rate. */
  readonly #fine: Float64Array;

  /** @param sampleRate - in Hz, 8000-48000. */
  constructor(sampleRate: number) {
    this.#decimation = Math.max(1, Math.round(sampleRate / COARSE_RATE));
    const inCoarseSamples = (ms: number) => Math.round((ms * sampleRate) / 1000 / this.#decimation);
    this.minLag = inCoarseSamples(MIN_LAG_MS) * this.#decimation;
    this.maxLag = inCoarseSamples(MAX_LAG_MS) * this.#decimation;
    this.windowSamples = inCoarseSamples(WINDOW_MS) * this.#decimation;
    this.#fine = new Float64Array(this.windowSamples + this.maxLag);
    this.#coarse = new Float64Array(this.#fine.length / this.#decimation);
  }

  /**
   * Compares the `windowSamples` from `start` on with those `lag` samples later (`direction` 1) or earlier (-1).
   * Reads `pcm` from `start - maxLag` to `start + windowSamples`, or from `start` to `start + windowSamples + maxLag`.
   */
  search(pcm: Int16Array, start: number, direction: 1 | -1): void {
    const fine = this.#fine;
    for (let i = 0, read = direction < 0 ? start - this.maxLag : start; i < fine.length; i++) fine[i] = pcm[read++]!;
    const coarseLag = this.#searchCoarse(direction) * this.#decimation;
    const first = Math.max(this.minLag, coarseLag - this.#decimation);
    const last = Math.min(this.maxLag, coarseLag + this.#decimation);
    const window = this.windowSamples;
    const template = direction < 0 ? this.maxLag : 0;
    const energy = dotProduct(fine, template, fine, template, window);
    this.lag = coarseLag;
    this.correlation = -1;
    for (let lag = first; lag <= last; lag++) {
      const other = template + direction * lag;
      const product = dotProduct(fine, template, fine, other, window);
      const correlation = normalise(product, energy, dotProduct(fine, other, fine, other, window));
      if (correlation <= this.correlation) continue;
      this.correlation = correlation;
      this.lag = lag;
    }
  }

  #searchCoarse(direction: 1 | -1): number {
    const decimation = this.#decimation;
    const coarse = this.#coarse;
    for (let i = 0, read = 0; i < coarse.length; i++) {
      let sum = 0;
      for (let j = 0; j < decimation; j++) sum += this.#fine[read++]!;
      coarse[i] = sum;
    }
    const window = this.windowSamples / decimation;
    const minLag = this.minLag / decimation;
    const maxLag = this.maxLag / decimation;
    const template = direction < 0 ? maxLag : 0;
    let other = template + direction * minLag;
    let energy = 1 + dotProduct(coarse, other, coarse, other, window);
    let best = minLag;
    let bestScore = 0;
    for (let lag = minLag; lag <= maxLag; lag++, other += direction) {
      const product = dotProduct(coarse, template, coarse, other, window);
      if (product > 0 && product * product > bestScore * energy) {
        bestScore = (product * product) / energy;
        best = lag;
      }
      if (lag === maxLag) break;
      // The window moves on by one sample in the direction of the search.
      const entering = coarse[direction < 0 ? other - 1 : other + window]!;
      const leaving = coarse[direction < 0 ? other + window - 1 : other]!;
      energy += entering * entering - leaving * leaving;
    }
    return best;
  }
}

function normalise(product: number, energyA: number, energyB: number): number {
  if (energyA === 0 || energyB === 0) return energyA === energyB ? 1 : 0;
  return product / Math.sqrt(energyA * energyB);
}
