import { Fft } from '../audio/fft.ts';
import { ECHO_RATE, type EchoSignal } from './echo-signal.ts';

/** Echoes are looked for up to 375 ms behind what was played. */
export const LONGEST_LAG: number = (375 * ECHO_RATE) / 1000;
/** What is compared at a time: 60 ms. */
export const PIECE_SAMPLES: number = (60 * ECHO_RATE) / 1000;
/** Holds a piece and all that it is compared with. */
const FFT_LENGTH = 2048;

/** Tables and scratch memory, the same for all calls: a search runs to its end. */
const fft = new Fft(FFT_LENGTH);
const real = new Float64Array(FFT_LENGTH);
const imaginary = new Float64Array(FFT_LENGTH);
const crossReal = new Float64Array(FFT_LENGTH);
const crossImaginary = new Float64Array(FFT_LENGTH);

/** Looks for what was played in what is heard, by cross-correlation over all lags; pieces add up until `reset()`. */
export class EchoSearch {
  /** How much of what was heard the best lag explains, 0 … 1. */
  fit = 0;
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
    const total = this.#addEnergies(heard, played, start);
    correlate();
    // Lags at which hardly anything was played explain nothing.
    const floor = total / LONGEST_LAG / 100;
    this.fit = 0;
    for (let lag = 0; lag < LONGEST_LAG; lag++) {
      this.#products[lag]! += crossReal[LONGEST_LAG - lag]! / FFT_LENGTH;
      const energy = this.#energies[lag]! + floor;
      const fit = this.#products[lag]! ** 2 / (energy * this.#heardEnergy + 1);
      if (fit <= this.fit) continue;
      this.fit = fit;
      this.lag = lag;
      this.level = this.#heardEnergy / energy;
    }
  }

  /** Puts both signals in place. @returns the energy of what was played, over all lags. */
  #addEnergies(heard: Float64Array, played: EchoSignal, start: number): number {
    real.fill(0);
    imaginary.fill(0);
    real.set(heard);
    for (let i = 0; i < PIECE_SAMPLES; i++) this.#heardEnergy += heard[i]! ** 2;
    const { samples } = played;
    const first = played.index(start - LONGEST_LAG);
    // What is not played yet comes after no lag.
    const known = Math.min(PIECE_SAMPLES + LONGEST_LAG, LONGEST_LAG + played.end - start);
    for (let i = 0; i < known; i++) imaginary[i] = samples[first + i]!;
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
