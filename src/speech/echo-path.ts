import { dotProduct } from '../audio/dot-product.ts';
import { ToeplitzSolver } from '../audio/toeplitz.ts';
import { type EchoSignal, FRAME_SAMPLES } from './echo-signal.ts';

/** 10 ms: what a hybrid smears an echo over. */
export const TAPS = 40;
/** The strongest tap is looked for here; some come before it. */
const PEAK_TAP = 8;
/** The past counts for less with each frame: half of it after 0.9 s. */
const FORGETTING = 0.985;
/** Keeps the solution small where what was played says nothing of it. */
const RIDGE = 0.05;
/** No line returns more than this part of the power: 7 dB of return loss. */
const MAX_GAIN = 0.2;

const solver = new ToeplitzSolver(TAPS);
const solution = new Float64Array(TAPS);

/** One reflection of the line: the filter that makes what is heard of what was played, learned by least squares. */
export class EchoPath {
  /** Of the first tap. */
  readonly firstLag: number;
  /** Part of the power that comes back. */
  gain = 0;
  /** What it makes of the frame at work. */
  readonly echo: Float64Array = new Float64Array(FRAME_SAMPLES);
  /** The last belongs to `firstLag`. */
  readonly #taps = new Float64Array(TAPS);
  readonly #autocorrelation = new Float64Array(TAPS);
  readonly #products = new Float64Array(TAPS);
  #isSolved = false;

  constructor(firstLag: number) {
    this.firstLag = firstLag;
  }

  /** Where the taps of a reflection with its peak at `lag` begin. */
  static firstLagOf(lag: number): number {
    return Math.max(0, lag - PEAK_TAP);
  }

  /** Power that its echo of the frame at `start` has at most, roughly. */
  expectedPower(played: EchoSignal, start: number): number {
    return this.gain * played.framePower(start - this.firstLag - PEAK_TAP);
  }

  /** Fills {@link echo} for the frame at `start`. */
  estimate(played: EchoSignal, start: number): void {
    const { samples } = played;
    const first = played.index(start - this.firstLag - TAPS + 1);
    for (let i = 0; i < FRAME_SAMPLES; i++) this.echo[i] = dotProduct(samples, first + i, this.#taps, 0, TAPS);
  }

  /** Takes `heard` from `start` on, free of the other reflections, for an echo. */
  learn(played: EchoSignal, start: number, heard: Float64Array): void {
    const { samples } = played;
    const newest = played.index(start - this.firstLag - TAPS + 1) + TAPS - 1;
    for (let k = 0; k < TAPS; k++) {
      const autocorrelation = dotProduct(samples, newest, samples, newest - k, heard.length);
      this.#autocorrelation[k] = FORGETTING * this.#autocorrelation[k]! + autocorrelation;
      this.#products[k] = FORGETTING * this.#products[k]! + dotProduct(heard, 0, samples, newest - k, heard.length);
    }
    // Between two frames the line hardly changes, and the solution costs as much as the rest.
    this.#isSolved = !this.#isSolved;
    if (!this.#isSolved) return;
    solver.solve(this.#autocorrelation, RIDGE * this.#autocorrelation[0]! + 1, this.#products, solution);
    const gain = dotProduct(solution, 0, solution, 0, TAPS);
    this.gain = Math.min(MAX_GAIN, gain);
    const scale = gain > MAX_GAIN ? Math.sqrt(MAX_GAIN / gain) : 1;
    for (let k = 0; k < TAPS; k++) this.#taps[TAPS - 1 - k] = scale * solution[k]!;
  }
}
