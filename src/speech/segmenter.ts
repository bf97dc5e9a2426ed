import { QuietestPoint } from './quietest-point.ts';

export const FRAME_MS = 20;

/** A start needs this many voiced frames of the last {@link ONSET_WINDOW_FRAMES}: a click has one or two. */
const ONSET_FRAMES = 3;
const ONSET_WINDOW_FRAMES = 5;
/** A pause is broken by two voiced frames of the last three: clicks in it must not keep an utterance open. */
const CONTINUE_WINDOW_FRAMES = 3;
/** How far back from the maximum the cut is looked for: a pause for breath is likely within. */
const CUT_SEARCH_MS = 2_500;

export interface SegmenterOptions {
  readonly sampleRate: number;
  /** Silence that ends an utterance. Default 500 ms. */
  readonly endSilenceMs?: number;
  /** Audio kept before the first voiced frame, so that a late detector cuts nothing off. Default 300 ms. */
  readonly preRollMs?: number;
  /** Audio kept after the last voiced frame; never more than `endSilenceMs`. Default 300 ms. */
  readonly postRollMs?: number;
  /** Voiced audio that makes an utterance speech; less is a blip. Default 100 ms, the shortest words. */
  readonly minSpeechMs?: number;
  /**
   * Longest utterance. Default 15 s: few sentences are longer, a caller who never pauses costs four requests a minute,
   * and a transcript is never further behind than one such stretch and its answer.
   */
  readonly maxUtteranceMs?: number;
  /** Voice activity of each 20 ms frame, asked once per frame in order. */
  readonly voice: (frame: Int16Array) => boolean;
}

export interface SpeechStarted {
  readonly type: 'started';
  readonly startSample: number;
}

export interface SpeechEnded {
  readonly type: 'ended';
  /** The utterance is [startSample, endSample), pre-roll and tail included. */
  readonly startSample: number;
  readonly endSample: number;
  /** End of its last voiced frame. */
  readonly lastVoicedSample: number;
  /** False for a blip with less voiced audio than `minSpeechMs`. */
  readonly isSpeech: boolean;
  /** `maximum`: the caller goes on, and the next utterance starts where this one ends. */
  readonly reason: 'silence' | 'maximum' | 'finished';
}

export type SegmenterEvent = SpeechStarted | SpeechEnded;

/**
 * Decides where utterances start and end.
 *
 * ```
 *          ┌── preRoll ──┐                      ┌─ postRoll ─┐
 *   ───────┼─────────────▇▇▇▇▇▇▇▇▁▁▇▇▇▇▇▇▇▇▇▇▇▇▇┼────────────┼────────▲──────
 *     startSample    first voiced        lastVoiced     endSample   decided: endSilence after lastVoiced
 * ```
 *
 * Pure: positions are samples of the capture clock, and time passes only with `push`. Utterances never overlap, and a
 * pre-roll never reaches back into the utterance before.
 */
export class Segmenter {
  readonly #voice: (frame: Int16Array) => boolean;
  readonly #frameSamples: number;
  readonly #sampleRate: number;
  readonly #preRollSamples: number;
  readonly #maxPostRollSamples: number;
  readonly #minSpeechSamples: number;
  readonly #maxSamples: number;
  readonly #cutSearchSamples: number;
  /** How long an utterance is when its loudness begins to matter. */
  readonly #searchFromSamples: number;
  readonly #quietest: QuietestPoint;
  #endSilenceMs = 0;
  #endSilenceSamples = 0;
  #postRollSamples = 0;

  /** End of the newest frame. */
  #nextSample = 0;
  /** Nothing before this may become part of an utterance any more. */
  #floorSample = 0;
  /** Voice activity of the newest frames, the newest in bit 0. */
  #voicedBits = 0;
  /** Start of the open utterance. */
  #startSample: number | undefined;
  #lastVoicedSample = 0;
  #voicedSamples = 0;
  /** Told one per push; more than one waits only after a cut at the maximum. */
  #events: SegmenterEvent[] = [];

  constructor(options: SegmenterOptions) {
    const samples = (ms: number): number => Math.round((ms * options.sampleRate) / 1000);
    this.#voice = options.voice;
    this.#sampleRate = options.sampleRate;
    this.#frameSamples = samples(FRAME_MS);
    this.#preRollSamples = samples(options.preRollMs ?? 300);
    this.#maxPostRollSamples = samples(options.postRollMs ?? 300);
    this.endSilenceMs = options.endSilenceMs ?? 500;
    this.#minSpeechSamples = samples(options.minSpeechMs ?? 100);
    this.#maxSamples = samples(options.maxUtteranceMs ?? 15_000);
    this.#cutSearchSamples = samples(CUT_SEARCH_MS);
    this.#searchFromSamples = this.#maxSamples - this.#cutSearchSamples;
    if (this.#searchFromSamples < this.#cutSearchSamples) {
      throw new RangeError(
        `Expected at least ${2 * CUT_SEARCH_MS} for maxUtteranceMs but received ${options.maxUtteranceMs}`,
      );
    }
    this.#quietest = new QuietestPoint(CUT_SEARCH_MS / FRAME_MS);
  }

  get endSilenceMs(): number {
    return this.#endSilenceMs;
  }

  /** From the next frame on, also for the utterance that is open. */
  set endSilenceMs(endSilenceMs: number) {
    if (endSilenceMs === this.#endSilenceMs) return;
    this.#endSilenceMs = endSilenceMs;
    this.#endSilenceSamples = Math.round((endSilenceMs * this.#sampleRate) / 1000);
    this.#postRollSamples = Math.min(this.#maxPostRollSamples, this.#endSilenceSamples);
  }

  /** Whether an utterance is open. */
  get isOpen(): boolean {
    return this.#startSample !== undefined;
  }

  /**
   * The oldest sample that can still become part of an utterance; the owner of the audio may let go of older ones once
   * it has copied what the last `ended` event named.
   */
  get retainFromSample(): number {
    if (this.#startSample !== undefined) return this.#startSample;
    const reach = this.#preRollSamples + ONSET_WINDOW_FRAMES * this.#frameSamples;
    return Math.max(this.#floorSample, this.#nextSample - reach);
  }

  /** As {@link retainFromSample}, for an owner who copies the open utterance as it goes: where the next one may start. */
  get nextUtteranceFromSample(): number {
    if (this.#startSample === undefined) return this.retainFromSample;
    return Math.max(this.#startSample, this.#nextSample - this.#cutSearchSamples);
  }

  /**
   * Takes the next 20 ms. A frame that does not follow on the one before ends an open utterance there: the capture
   * clock was set anew.
   *
   * @throws RangeError - if the frame is not 20 ms long.
   */
  push(frame: Int16Array, startSample: number): SegmenterEvent | undefined {
    if (frame.length !== this.#frameSamples) {
      throw new RangeError(`Expected ${this.#frameSamples} samples for a frame but received ${frame.length}`);
    }
    if (startSample !== this.#nextSample) this.#restart(startSample);
    this.#nextSample = startSample + frame.length;
    const isVoiced = this.#voice(frame);
    this.#voicedBits = ((this.#voicedBits << 1) | Number(isVoiced)) & ((1 << ONSET_WINDOW_FRAMES) - 1);
    if (this.#startSample === undefined) this.#considerStart();
    else this.#continueOpen(this.#startSample, frame, isVoiced);
    return this.#events.shift();
  }

  /** Ends an open utterance with what was heard of it: the call ended, or its audio stopped coming. */
  finish(): SegmenterEvent[] {
    if (this.#startSample !== undefined) {
      this.#end(Math.min(this.#nextSample, this.#lastVoicedSample + this.#postRollSamples), 'finished');
    }
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #restart(startSample: number): void {
    this.#events = this.finish();
    this.#floorSample = startSample;
    this.#voicedBits = 0;
  }

  #considerStart(): void {
    if (countBits(this.#voicedBits) < ONSET_FRAMES) return;
    const oldestVoiced = 31 - Math.clz32(this.#voicedBits);
    const firstVoicedSample = this.#nextSample - (oldestVoiced + 1) * this.#frameSamples;
    this.#open(Math.max(this.#floorSample, firstVoicedSample - this.#preRollSamples));
    this.#lastVoicedSample = this.#nextSample;
    this.#voicedSamples = ONSET_FRAMES * this.#frameSamples;
  }

  #continueOpen(startSample: number, frame: Int16Array, isVoiced: boolean): void {
    if (this.#nextSample - startSample > this.#searchFromSamples) this.#quietest.push(frame);
    const recent = this.#voicedBits & ((1 << CONTINUE_WINDOW_FRAMES) - 1);
    if (isVoiced && countBits(recent) > 1) {
      this.#lastVoicedSample = this.#nextSample;
      this.#voicedSamples += this.#frameSamples;
    }
    // A voiced frame may be the first of more: the next one tells.
    if (!isVoiced && this.#nextSample - this.#lastVoicedSample >= this.#endSilenceSamples) {
      this.#end(this.#lastVoicedSample + this.#postRollSamples, 'silence');
    } else if (this.#nextSample - startSample >= this.#maxSamples) {
      this.#cut();
    }
  }

  /** The utterance is as long as it may get: it ends at its quietest point of late, and the rest is the next one. */
  #cut(): void {
    const cutSample = this.#nextSample - this.#quietest.framesAgo * this.#frameSamples;
    const lastVoicedSample = this.#lastVoicedSample;
    this.#lastVoicedSample = Math.min(lastVoicedSample, cutSample);
    this.#end(cutSample, 'maximum');
    if (lastVoicedSample <= cutSample) return;
    this.#open(cutSample);
    this.#lastVoicedSample = lastVoicedSample;
    this.#voicedSamples = lastVoicedSample - cutSample;
  }

  #open(startSample: number): void {
    this.#startSample = startSample;
    this.#quietest.clear();
    this.#events.push({ type: 'started', startSample });
  }

  #end(endSample: number, reason: SpeechEnded['reason']): void {
    this.#events.push({
      type: 'ended',
      startSample: this.#startSample ?? endSample,
      endSample,
      lastVoicedSample: this.#lastVoicedSample,
      isSpeech: this.#voicedSamples >= this.#minSpeechSamples,
      reason,
    });
    this.#startSample = undefined;
    this.#floorSample = endSample;
    this.#voicedBits = 0;
  }
}

/** Of a number of at most five bits. */
function countBits(bits: number): number {
  return (bits & 1) + ((bits >> 1) & 1) + ((bits >> 2) & 1) + ((bits >> 3) & 1) + ((bits >> 4) & 1);
}
