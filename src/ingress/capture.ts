import { Concealer } from '../audio/concealer.ts';
import { Ring } from '../audio/ring.ts';

/** Silence for a gap is written in pieces of this length, so that its reader can make room in between. */
const GAP_PIECE_MS = 500;
/** A gap up to this length is a loss and is concealed; a longer one is silence. */
const MAX_CONCEALED_MS = 60;
/** What the concealer needs to know of the voice before a gap. */
const CONCEALER_HISTORY_MS = 60;
/** How fast the mapping from samples to time follows a sender whose clock is slow, in ms per ms. */
const CREEP = 0.001;

export interface CaptureOptions {
  readonly sampleRate: 8000 | 16000;
  /** Longest stretch that the reader may keep back. */
  readonly capacityMs: number;
  /** Monotonic time at which sample 0 is placed. */
  readonly startMs: number;
  /** The ring grew; the reader takes what it wants and releases the rest before it returns. */
  readonly onAudio: () => void;
}

/**
 * The caller's audio as one unbroken line of samples that starts at the answer: the capture clock. RTP timestamps
 * place it, so jitter leaves no trace. A short loss is concealed; what was not sent is silence of the right length.
 */
export class Capture {
  readonly sampleRate: 8000 | 16000;
  readonly ring: Ring;
  readonly #startMs: number;
  readonly #onAudio: () => void;
  /** Position of timestamp 0; undefined until the first packet placed it by its arrival. */
  #base: number | undefined;
  /** Least `arrival − position` seen, in ms: when sample 0 can have been heard at the earliest. */
  #offsetMs = Number.POSITIVE_INFINITY;
  #lastArrivalMs: number;
  /** Made at the first loss: most calls have none. */
  #concealer: Concealer | undefined;
  #concealedSamples = 0;

  constructor(options: CaptureOptions) {
    this.sampleRate = options.sampleRate;
    this.#startMs = options.startMs;
    this.#lastArrivalMs = options.startMs;
    this.#onAudio = options.onAudio;
    this.ring = new Ring({ capacitySamples: this.#toSamples(options.capacityMs) });
  }

  /** Monotonic time of the newest packet; the start before there was one. */
  get lastArrivalMs(): number {
    return this.#lastArrivalMs;
  }

  /** Samples that were lost and made up. */
  get concealedSamples(): number {
    return this.#concealedSamples;
  }

  /**
   * Appends `pcm`, whose first sample has `timestamp` on the session's unbroken axis, in units of `sampleRate`. A gap
   * before it is filled; what lies before the head was taken already and is dropped. After a loss the beginning of
   * `pcm` is changed in place, to lead over from what was made up.
   */
  write(pcm: Int16Array, timestamp: number, arrivalMs: number): void {
    this.#base ??= Math.max(0, this.#toSamples(arrivalMs - this.#startMs) - pcm.length) - timestamp;
    this.#lastArrivalMs = arrivalMs;
    const position = timestamp + this.#base;
    const gapSamples = position - this.ring.headSample;
    if (gapSamples > 0 && gapSamples <= this.#toSamples(MAX_CONCEALED_MS)) this.#conceal(gapSamples, pcm);
    else this.#fill(position);
    const overlap = this.ring.headSample - position;
    if (overlap >= pcm.length) return;
    this.ring.write(overlap > 0 ? pcm.subarray(overlap) : pcm);
    const offsetMs = arrivalMs - (this.ring.headSample * 1000) / this.sampleRate;
    this.#offsetMs = Math.min(offsetMs, this.#offsetMs + Math.max(0, offsetMs - this.#offsetMs) * CREEP);
    this.#onAudio();
  }

  /** Milliseconds since the answer of a sample. */
  toMs(sample: number): number {
    return Math.round((sample * 10_000) / this.sampleRate) / 10;
  }

  /** Monotonic time at which `sample` reached the gateway, freed of jitter. */
  arrivalMsOf(sample: number): number {
    const offsetMs = Number.isFinite(this.#offsetMs) ? this.#offsetMs : this.#startMs;
    return offsetMs + (sample * 1000) / this.sampleRate;
  }

  /** Position on the capture clock of what reaches the gateway at `nowMs`, on the monotonic clock. */
  sampleAt(nowMs: number): number {
    return Math.round(((nowMs - this.arrivalMsOf(0)) * this.sampleRate) / 1000);
  }

  #conceal(gapSamples: number, next: Int16Array): void {
    this.#concealer ??= new Concealer({ sampleRate: this.sampleRate });
    const { headSample, tailSample } = this.ring;
    const history = new Int16Array(Math.min(headSample - tailSample, this.#toSamples(CONCEALER_HISTORY_MS)));
    this.ring.read(headSample - history.length, history);
    const gap = new Int16Array(gapSamples);
    this.#concealer.good(history);
    this.#concealer.conceal(gap);
    this.#concealer.good(next);
    this.ring.write(gap);
    this.#concealedSamples += gapSamples;
  }

  #fill(position: number): void {
    const piece = this.#toSamples(GAP_PIECE_MS);
    while (position > this.ring.headSample) {
      const written = this.ring.writeSilence(Math.min(piece, position - this.ring.headSample));
      this.#onAudio();
      if (written === 0) return;
    }
  }

  #toSamples(ms: number): number {
    return Math.round((ms * this.sampleRate) / 1000);
  }
}
