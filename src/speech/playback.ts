import type { Law } from '../audio/g711.ts';
import type { GatewayError } from '../core/errors.ts';
import { EncodedAudio } from './encoded-audio.ts';
import { DeliveryTrace } from './prebuffer-estimator.ts';

/** G.711 has one clock rate (RFC 3551 section 4.5.14). */
export const SAMPLES_PER_MS = 8;

/** Stands in a source behind the audio of each sentence. */
export const SENTENCE_END: unique symbol = Symbol('end of sentence');

/** Stands in a live source that has nothing more for now: what it gave is played to its last sample, also mid-frame. */
export const PAUSE: unique symbol = Symbol('pause');

/** Opens the audio of a playback, 16 bit mono at 8 kHz; called when its turn to be fetched has come. */
export type PlaybackSource = (signal: AbortSignal) => AsyncIterable<Int16Array | typeof SENTENCE_END | typeof PAUSE>;

/** One reply on its way to the caller's ear. Its positions are samples of its own audio. */
export class Playback {
  readonly id: string;
  readonly source: PlaybackSource;
  /** Whether the caller's voice may end it. */
  readonly interruptible: boolean;
  readonly controller: AbortController = new AbortController();
  readonly audio: EncodedAudio = new EncodedAudio();
  readonly delivery: DeliveryTrace = new DeliveryTrace();
  /** Marks its frames in the send ring; a new one is given when frames with the old one no longer count. */
  tag: number;
  /** Everything before was written to the send ring. */
  writtenSample = 0;
  /** Everything before has left for the network. */
  heardSample = 0;
  /** Nothing is written until enough is there to ride out a late chunk. */
  isBuffering = true;
  /** When the audio that is being buffered began to come. */
  bufferingSinceMs: number | undefined;
  /** A fade-out follows its audio in the send ring, in case that no more comes in time. */
  hasTail = false;
  /** The source yields nothing more. */
  hasEnded = false;
  failure: GatewayError | undefined;
  hasStarted = false;
  openedAtMs: number | undefined;
  firstAudioAtMs: number | undefined;
  /** Sentences that were told as played. */
  marksTold = 0;
  readonly #sentenceEnds: number[] = [];
  /** End of what the source has yielded. */
  #spokenSample = 0;
  /** Where the source paused last. */
  #pausedSample = -1;
  /** The gain comes from `#rampFrom` at this position. */
  #rampSample = -1;
  #rampFrom = 0;

  constructor(id: string, source: PlaybackSource, interruptible: boolean, tag: number) {
    this.id = id;
    this.source = source;
    this.interruptible = interruptible;
    this.tag = tag;
  }

  get unwrittenSamples(): number {
    return Math.max(0, this.audio.endSample - this.writtenSample);
  }

  get isHeard(): boolean {
    return this.hasEnded && this.heardSample >= this.audio.endSample;
  }

  /** What the gateway added, silence in the last frame or a fade-out, does not count. */
  get heardMs(): number {
    return Math.min(this.heardSample, this.#spokenSample) / SAMPLES_PER_MS;
  }

  /** Whether a sentence was heard to its end and not told yet. */
  get hasMark(): boolean {
    return this.heardSample >= (this.#sentenceEnds[this.marksTold] ?? Number.POSITIVE_INFINITY);
  }

  append(law: Law, pcm: Int16Array, nowMs: number): void {
    this.firstAudioAtMs ??= nowMs;
    this.bufferingSinceMs ??= nowMs;
    this.delivery.add(nowMs, pcm.length / SAMPLES_PER_MS);
    this.audio.append(law, pcm);
    this.#spokenSample = this.audio.endSample;
  }

  endSentence(): void {
    this.#sentenceEnds.push(this.audio.endSample);
    this.delivery.close();
  }

  /** Nothing more comes for now: fills the last frame of `frameSamples` up with silence, so that it can be written. */
  pause(law: Law, frameSamples: number): void {
    const lastSamples = this.unwrittenSamples % frameSamples;
    if (lastSamples > 0) this.audio.append(law, new Int16Array(frameSamples - lastSamples));
    this.#pausedSample = this.audio.endSample;
  }

  /** Whether it is no use to wait for more before what is there is played. */
  get isComplete(): boolean {
    return this.hasEnded || (this.unwrittenSamples > 0 && this.#pausedSample === this.audio.endSample);
  }

  /** No more comes, although more should: what was heard until now ends softly. */
  breakOff(law: Law): void {
    const isHeard = !this.isBuffering || this.unwrittenSamples > 0;
    if (isHeard && this.audio.endSample > 0) this.audio.appendFadeOut(law);
  }

  /** Whether a frame of `samples` can be written; the last one need not be full. */
  hasFrame(samples: number): boolean {
    return this.unwrittenSamples >= samples || (this.hasEnded && this.unwrittenSamples > 0);
  }

  /** What is written next comes out of silence. */
  fadeIn(): void {
    this.#rampSample = this.writtenSample;
    this.#rampFrom = 0;
  }

  /** What is written next comes from `gain`, unless it comes from another already, which nobody has heard change. */
  rampFrom(gain: number): void {
    if (this.#rampSample === this.writtenSample) return;
    this.#rampSample = this.writtenSample;
    this.#rampFrom = gain;
  }

  /** The gain that what is written next comes from, when `gain` is what it goes to. */
  gainBefore(gain: number): number {
    return this.#rampSample === this.writtenSample ? this.#rampFrom : gain;
  }
}
