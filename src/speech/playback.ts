import type { GatewayError } from '../core/errors.ts';
import { EncodedAudio } from './encoded-audio.ts';

/** G.711 has one clock rate (RFC 3551 section 4.5.14). */
export const SAMPLES_PER_MS = 8;

/** Opens the audio of a playback, 16 bit mono at 8 kHz; called when its turn to be fetched has come. */
export type PlaybackSource = (signal: AbortSignal) => AsyncIterable<Int16Array>;

/** One reply on its way to the caller's ear. Its positions are samples of its own audio. */
export class Playback {
  readonly id: string;
  readonly source: PlaybackSource;
  readonly controller: AbortController = new AbortController();
  readonly audio: EncodedAudio = new EncodedAudio();
  /** Marks its frames in the send ring; a new one is given when frames with the old one no longer count. */
  tag: number;
  /** Everything before was written to the send ring. */
  writtenSample = 0;
  /** Everything before has left for the network. */
  heardSample = 0;
  /** Nothing is written until enough is there to ride out a late chunk. */
  isBuffering = true;
  /** The source yields nothing more. */
  hasEnded = false;
  failure: GatewayError | undefined;
  hasStarted = false;
  openedAtMs: number | undefined;
  firstAudioAtMs: number | undefined;

  constructor(id: string, source: PlaybackSource, tag: number) {
    this.id = id;
    this.source = source;
    this.tag = tag;
  }

  get unwrittenSamples(): number {
    return Math.max(0, this.audio.endSample - this.writtenSample);
  }

  get isHeard(): boolean {
    return this.hasEnded && this.heardSample >= this.audio.endSample;
  }

  /** The silence that fills the last frame does not count. */
  get heardMs(): number {
    return Math.min(this.heardSample, this.audio.endSample) / SAMPLES_PER_MS;
  }
}
