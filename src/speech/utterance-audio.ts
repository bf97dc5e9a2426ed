import { Resampler } from '../audio/resampler.ts';
import type { Ring } from '../audio/ring.ts';

/** Audio is taken in pieces of this length while the utterance goes on; at its end no more than that is left to do. */
const PIECE_MS = 100;
/** Room that an utterance starts with; it doubles when it is full. */
const INITIAL_MS = 4_000;
const NONE = new Int16Array(0);

export interface UtteranceAudioOptions {
  /** What the caller says, at `inputRate`. */
  readonly ring: Ring;
  readonly inputRate: 8000 | 16000;
  /** What the platform is sent. */
  readonly outputRate: 8000 | 16000;
}

/**
 * The audio of the open utterance at the rate of the platform, made while the caller speaks: the request leaves as soon
 * as the end of speech is decided, however long the utterance was, and the ring need not hold all of it.
 */
export class UtteranceAudio {
  readonly #ring: Ring;
  readonly #resampler: Resampler;
  readonly #outputPerInput: number;
  readonly #pieceSamples: number;
  readonly #initialSamples: number;
  /** Input samples behind the end that the last output depends on. */
  readonly #lookaheadSamples: number;
  #startSample = 0;
  /** Everything before was taken. */
  #takenSample = 0;
  /** Of the open utterance, what the resampler delays in front; {@link NONE} while none is open. */
  #output = NONE;
  #written = 0;

  /** @throws RangeError - if a rate is not supported. */
  constructor({ ring, inputRate, outputRate }: UtteranceAudioOptions) {
    this.#ring = ring;
    this.#resampler = new Resampler({ inputRate, outputRate });
    this.#outputPerInput = outputRate / inputRate;
    this.#pieceSamples = (inputRate * PIECE_MS) / 1000;
    this.#initialSamples = (outputRate * INITIAL_MS) / 1000;
    this.#lookaheadSamples = Math.ceil(this.#resampler.delaySamples / this.#outputPerInput);
  }

  /** Opens an utterance that starts at `startSample` of the ring. */
  begin(startSample: number): void {
    this.#resampler.reset();
    this.#startSample = startSample;
    this.#takenSample = startSample;
    this.#output = new Int16Array(this.#initialSamples);
    this.#written = 0;
  }

  /**
   * Takes what the ring holds before `untilSample`, once it is worth while. @returns the position up to which the ring
   * is not needed any more; `untilSample` while no utterance is open.
   */
  take(untilSample: number): number {
    if (this.#output === NONE) return untilSample;
    if (untilSample - this.#takenSample >= this.#pieceSamples) this.#takeAll(untilSample);
    return this.#takenSample;
  }

  /**
   * Ends the utterance at `endSample`, which may lie before what was taken already. @returns its audio at the output
   * rate, the caller's own.
   */
  end(endSample: number): Int16Array {
    const { delaySamples } = this.#resampler;
    this.#takeAll(Math.min(this.#ring.headSample, endSample + this.#lookaheadSamples));
    const end = delaySamples + Math.round((endSample - this.#startSample) * this.#outputPerInput);
    if (this.#written < end) {
      this.#makeRoom(delaySamples);
      this.#written += this.#resampler.flush(this.#output.subarray(this.#written));
    }
    // Not a copy: it would be as large as all that was said, and made just when somebody waits.
    const pcm = this.#output.subarray(delaySamples, end);
    this.#output = NONE;
    return pcm;
  }

  #takeAll(untilSample: number): void {
    while (this.#takenSample < untilSample) {
      const end = Math.min(untilSample, this.#takenSample + this.#ring.windowSamples);
      const input = this.#ring.view(this.#takenSample, end);
      this.#makeRoom(this.#resampler.outputSamplesFor(input.length));
      this.#written += this.#resampler.process(input, this.#output.subarray(this.#written));
      this.#takenSample = end;
    }
  }

  #makeRoom(samples: number): void {
    if (this.#written + samples <= this.#output.length) return;
    const larger = new Int16Array(Math.max(2 * this.#output.length, this.#written + samples));
    larger.set(this.#output.subarray(0, this.#written));
    this.#output = larger;
  }
}
