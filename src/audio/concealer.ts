import { Extrapolator } from './extrapolator.ts';

export interface ConcealerOptions {
  /** In Hz, 8000-48000. */
  readonly sampleRate: number;
}

/**
 * Fills the gaps of a PCM stream and smooths the way back. Adds no delay and allocates nothing after construction.
 *
 * For each frame of the stream call either `good()` or `conceal()`; frames may have any length.
 */
export class Concealer {
  readonly #extrapolator: Extrapolator;
  /** What was heard last ends at `#end`; longer than needed, so that it is moved only now and then. */
  readonly #history: Int16Array;
  #end: number;
  #isConcealing = false;

  /** @throws RangeError - if the sample rate is not 8000-48000 Hz. */
  constructor(options: ConcealerOptions) {
    const { sampleRate } = options;
    if (!(sampleRate >= 8000 && sampleRate <= 48_000)) {
      throw new RangeError(`Expected a sampleRate of 8000-48000 Hz but received ${sampleRate}`);
    }
    this.#extrapolator = new Extrapolator(sampleRate);
    this.#end = this.#extrapolator.historySamples;
    this.#history = new Int16Array(this.#end * 4);
  }

  /** Takes a frame that arrived. After a loss its beginning is changed in place, to lead over from what was made up. */
  good(frame: Int16Array): void {
    if (this.#isConcealing) this.#extrapolator.merge(frame, 0, frame.length);
    this.#isConcealing = false;
    this.#extrapolator.observe(frame, 0, frame.length);
    this.#remember(frame);
  }

  /** Fills `out` with what the missing frame may have sounded like: 10 ms of the voice, a fade of 50 ms, then noise. */
  conceal(out: Int16Array): void {
    if (!this.#isConcealing) this.#extrapolator.begin(this.#history, this.#end);
    this.#isConcealing = true;
    this.#extrapolator.generate(out, 0, out.length);
    this.#remember(out);
  }

  #remember(frame: Int16Array): void {
    const history = this.#history;
    const needed = this.#extrapolator.historySamples;
    const kept = Math.min(frame.length, history.length - needed);
    if (this.#end + kept > history.length) {
      history.copyWithin(0, this.#end - needed, this.#end);
      this.#end = needed;
    }
    // A whole frame is set without making a view of it; only one of more than 75 ms is cut.
    history.set(kept === frame.length ? frame : frame.subarray(frame.length - kept), this.#end);
    this.#end += kept;
  }
}
