import { dotProduct } from '../audio/dot-product.ts';
import { Fft } from '../audio/fft.ts';
import { ToeplitzSolver } from '../audio/toeplitz.ts';
import { ECHO_RATE, type EchoSignal } from './echo-signal.ts';

/** Echoes are looked for up to 430 ms behind what was played: 300 ms of delay, and a second reflection behind that. */
export const LONGEST_LAG: number = (430 * ECHO_RATE) / 1000;
/** What is compared at a time: 60 ms. */
export const PIECE_SAMPLES: number = (60 * ECHO_RATE) / 1000;
/** Holds a piece and all that it is compared with. */
const FFT_LENGTH = 2048;
/** A line smears a reflection over this much: the correlations within count together. */
const SMEAR_LAGS = (2 * ECHO_RATE) / 1000;
/** Of the filter that takes the formants off; one that took the pitch off as well would need far more. */
const PREDICTOR_ORDER = 4;
/** Keeps the predictor stable where what is heard is nearly a tone. */
const PREDICTOR_RIDGE = 1e-3;

/** Tables and scratch memory, the same for all calls: a search runs to its end. */
const fft = new Fft(FFT_LENGTH);
const real = new Float64Array(FFT_LENGTH);
const imaginary = new Float64Array(FFT_LENGTH);
const crossReal = new Float64Array(FFT_LENGTH);
const crossImaginary = new Float64Array(FFT_LENGTH);
const fits = new Float64Array(LONGEST_LAG);
const predictorSolver = new ToeplitzSolver(PREDICTOR_ORDER);
const autocorrelation = new Float64Array(PREDICTOR_ORDER + 1);
const predictor = new Float64Array(PREDICTOR_ORDER);
/** The last belongs to the sample itself. */
const whitening = new Float64Array(PREDICTOR_ORDER + 1);
const unfiltered = new Float64Array(PREDICTOR_ORDER + FFT_LENGTH);

/**
 * Looks for what was played in what is heard, by cross-correlation over all lags; pieces add up until `reset()`.
 *
 * Both pass the filter that whitens what is heard, by linear prediction: an echo stays an echo of what was played, but a
 * vowel no longer correlates with every other vowel.
 */
export class EchoSearch {
  /**
   * How much of what was heard the lags of the best 2 ms explain, each by itself. Two voices reach 0.1 to 0.4 by chance,
   * less the longer they are compared; an echo about what it is of what was heard.
   */
  fit = 0;
  /** The best of these. */
  lag = 0;
  /** Power of what was heard to that of what was played at that lag. */
  level = 0;
  readonly #products = new Float64Array(LONGEST_LAG);
  readonly #energies = new Float64Array(LONGEST_LAG);
  #heardEnergy = 0;

  reset(): void {
    this.#products.fill(0);
    this.#energies.fill(0);
    this.#heardEnergy = 0;
    this.fit = 0;
  }

  /** Adds the piece `heard`, which starts at `start`. */
  add(heard: Float64Array, played: EchoSignal, start: number): void {
    setWhitening(heard);
    const total = this.#addEnergies(heard, played, start);
    correlate();
    // Lags at which hardly anything was played explain nothing.
    const floor = total / LONGEST_LAG / 100;
    this.fit = 0;
    let sum = 0;
    let lastLag = 0;
    for (let lag = 0; lag < LONGEST_LAG; lag++) {
      this.#products[lag]! += crossReal[LONGEST_LAG - lag]! / FFT_LENGTH;
      const energy = this.#energies[lag]! + floor;
      fits[lag] = this.#products[lag]! ** 2 / (energy * this.#heardEnergy + 1);
      sum += fits[lag]!;
      if (lag >= SMEAR_LAGS) sum -= fits[lag - SMEAR_LAGS]!;
      if (sum <= this.fit) continue;
      this.fit = sum;
      lastLag = lag;
    }
    this.lag = lastLag;
    for (let lag = lastLag - 1; lag > lastLag - SMEAR_LAGS && lag >= 0; lag--) {
      if (fits[lag]! > fits[this.lag]!) this.lag = lag;
    }
    this.level = this.#heardEnergy / (this.#energies[this.lag]! + floor + 1);
  }

  /** Puts both signals in place, whitened. @returns the energy of what was played, over all lags. */
  #addEnergies(heard: Float64Array, played: EchoSignal, start: number): number {
    real.fill(0);
    imaginary.fill(0);
    whiten(heard, 0, PIECE_SAMPLES, real);
    for (let i = 0; i < PIECE_SAMPLES; i++) this.#heardEnergy += real[i]! ** 2;
    // What is not played yet comes after no lag.
    const known = Math.min(PIECE_SAMPLES + LONGEST_LAG, LONGEST_LAG + played.end - start);
    whiten(played.samples, played.index(start - LONGEST_LAG), Math.max(0, known), imaginary);
    let energy = 0;
    for (let i = 0; i < PIECE_SAMPLES; i++) energy += imaginary[LONGEST_LAG + i]! ** 2;
    let total = 0;
    for (let lag = 0; lag < LONGEST_LAG; lag++) {
      this.#energies[lag]! += Math.max(0, energy);
      total += this.#energies[lag]!;
      const entering = LONGEST_LAG - lag - 1;
      energy += imaginary[entering]! ** 2 - imaginary[entering + PIECE_SAMPLES]! ** 2;
    }
    return total;
  }
}

/** Finds the filter that leaves of `heard` what can not be predicted from the four samples before. */
function setWhitening(heard: Float64Array): void {
  for (let k = 0; k <= PREDICTOR_ORDER; k++) {
    autocorrelation[k] = dotProduct(heard, 0, heard, k, PIECE_SAMPLES - k);
  }
  const ridge = PREDICTOR_RIDGE * autocorrelation[0]! + 1;
  predictorSolver.solve(autocorrelation, ridge, autocorrelation.subarray(1), predictor);
  for (let k = 0; k < PREDICTOR_ORDER; k++) whitening[PREDICTOR_ORDER - 1 - k] = -predictor[k]!;
  whitening[PREDICTOR_ORDER] = 1;
}

/** Writes `samples[start, start + length)` to `output`, whitened; what is before counts as silence. */
function whiten(samples: Float64Array, start: number, length: number, output: Float64Array): void {
  unfiltered.set(samples.subarray(start, start + length), PREDICTOR_ORDER);
  for (let i = 0; i < length; i++) output[i] = dotProduct(unfiltered, i, whitening, 0, PREDICTOR_ORDER + 1);
}

/** Correlates the two signals that are the real and the imaginary part of one, with two transforms instead of three. */
function correlate(): void {
  fft.transform(real, imaginary);
  for (let k = 0; k < FFT_LENGTH; k++) {
    const mirrored = (FFT_LENGTH - k) % FFT_LENGTH;
    const heardReal = (real[k]! + real[mirrored]!) / 2;
    const heardImaginary = (imaginary[k]! - imaginary[mirrored]!) / 2;
    const playedReal = (imaginary[k]! + imaginary[mirrored]!) / 2;
    const playedImaginary = (real[mirrored]! - real[k]!) / 2;
    crossReal[k] = heardReal * playedReal + heardImaginary * playedImaginary;
    // Conjugated, so that the same transform leads back.
    crossImaginary[k] = heardImaginary * playedReal - heardReal * playedImaginary;
  }
  fft.transform(crossReal, crossImaginary);
}
