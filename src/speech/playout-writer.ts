import { G711, type Law } from '../audio/g711.ts';
import type { FrameSender } from '../rtp/transport.ts';
import { type Playback, SAMPLES_PER_MS } from './playback.ts';
import { rampGain } from './playout-gain.ts';
import { SentFrames } from './sent-frames.ts';

/** How frames are made; a re-INVITE may change it. */
export interface PlayoutFormat {
  readonly law: Law;
  readonly payloadType: number;
  readonly ptimeMs: number;
}

/**
 * How much of the send ring is used: as long as the event loop may stall unheard. The rest stays free for digits, which
 * leave behind the audio that is in the ring already.
 */
const RING_MS = 500;
/** The tag of fade-outs, which are no playback's audio. */
const FADE_OUT_TAG = 0;
/** Tags beyond belong to others who write to the same ring. */
const MAX_TAG = 2 ** 31 - 1;

/** Writes the frames of playbacks to the send ring, with what gain they need, and takes them back. */
export class PlayoutWriter {
  readonly #sender: FrameSender;
  #format: PlayoutFormat;
  #frame: Uint8Array;
  #pcm: Int16Array;
  readonly #sent = new SentFrames();
  #gain = 1;
  #lastTag = FADE_OUT_TAG;

  constructor(sender: FrameSender, format: PlayoutFormat) {
    this.#sender = sender;
    this.#format = format;
    this.#frame = new Uint8Array(format.ptimeMs * SAMPLES_PER_MS);
    this.#pcm = new Int16Array(this.#frame.length);
  }

  get format(): PlayoutFormat {
    return this.#format;
  }

  get gain(): number {
    return this.#gain;
  }

  get frameSamples(): number {
    return this.#frame.length;
  }

  nextTag(): number {
    this.#lastTag = (this.#lastTag % MAX_TAG) + 1;
    return this.#lastTag;
  }

  /** When a frame that is written now leaves, at the earliest. */
  departureMs(nowMs: number): number {
    const { queuedFrames, lastSentMs } = this.#sender;
    return Math.max(nowMs, lastSentMs + this.#format.ptimeMs) + queuedFrames * this.#format.ptimeMs;
  }

  /** Writes the next frame of `playback`, the last one filled up with silence. @returns false when the ring has enough. */
  write(playback: Playback): boolean {
    const { law, payloadType, ptimeMs } = this.#format;
    if (this.#sender.queuedFrames * ptimeMs >= RING_MS) return false;
    const frame = this.#frame;
    const length = playback.audio.read(playback.writtenSample, frame);
    frame.fill(law === 'ulaw' ? G711.ULAW_SILENCE : G711.ALAW_SILENCE, length);
    const from = playback.gainBefore(this.#gain);
    if (from !== 1 || this.#gain !== 1) this.#scaleFrame(from, this.#gain);
    if (!this.#sender.write(frame, payloadType, frame.length, 0, playback.tag)) return false;
    this.#sent.add(playback.tag, law, frame);
    playback.writtenSample += frame.length;
    return true;
  }

  /**
   * Writes what lets the audio of `playback` end without a click where it was written to: its next 10 ms, or what could
   * have been them, faded out.
   */
  writeFadeOut(playback: Playback): boolean {
    if (playback.audio.endSample === 0) return false;
    const frame = this.#frame;
    playback.audio.readMirrored(playback.writtenSample, frame);
    this.#scaleFrame(playback.gainBefore(this.#gain), 0);
    const { law, payloadType } = this.#format;
    if (!this.#sender.write(frame, payloadType, frame.length, 0, FADE_OUT_TAG)) return false;
    this.#sent.add(FADE_OUT_TAG, law, frame);
    return true;
  }

  /** What left with `tag`, with its gain; valid until the next call. Undefined if it was not written here. */
  sentAudio(tag: number): Int16Array | undefined {
    return this.#sent.take(tag);
  }

  /** Puts a tail behind `playback` when the ring is about to run dry. */
  guard(playback: Playback): void {
    const isPlaying = !playback.isBuffering && !playback.hasEnded && playback.writtenSample > 0;
    if (isPlaying && !playback.hasTail && this.#sender.queuedFrames <= 1)
      playback.hasTail = this.writeFadeOut(playback);
  }

  /** Whether the tail of `playback` has left, and silence follows it. */
  hasRunDry(playback: Playback): boolean {
    return playback.hasTail && this.#sender.queuedFrames === 0;
  }

  /** Whether nothing is in the ring but frames of `playbacks` and their tails. */
  owns(playbacks: readonly Playback[]): boolean {
    let frames = 0;
    for (const { writtenSample, heardSample, hasTail } of playbacks) {
      frames += (writtenSample - heardSample) / this.#frame.length + Number(hasTail);
    }
    return this.#sender.queuedFrames <= frames;
  }

  /**
   * Empties the ring. What was dropped counts as not written, what the tap has not told yet as heard; frames that it
   * tells later bear a tag nobody knows any more. `isContinued`: what is written next goes on where the audio that has
   * left ends.
   *
   * @returns whether anything was dropped; then the audio stops short in front of `playbacks[0]`.
   */
  takeBack(playbacks: readonly Playback[], isContinued: boolean): boolean {
    // Without audio of a playback in it, the ring belongs to others.
    const isMine = playbacks.some(({ writtenSample, heardSample, hasTail }) => writtenSample > heardSample || hasTail);
    let dropped = isMine ? this.#sender.flush(isContinued) : 0;
    const stopsShort = dropped > 0;
    for (const playback of playbacks.toReversed()) {
      const isTailDropped = playback.hasTail && dropped > 0;
      if (isTailDropped) dropped--;
      const unheard = (playback.writtenSample - playback.heardSample) / this.#frame.length;
      const unwritten = Math.min(dropped, unheard);
      dropped -= unwritten;
      playback.writtenSample -= unwritten * this.#frame.length;
      playback.heardSample = playback.writtenSample;
      playback.tag = this.nextTag();
      if (isTailDropped) playback.hasTail = false;
    }
    return stopsShort;
  }

  /** Frames that are written from now on have this gain, coming from the one before at the position of `playback`. */
  setGain(gain: number, playback: Playback | undefined): void {
    playback?.rampFrom(this.#gain);
    this.#gain = gain;
  }

  /** Goes on in another format; nothing of `playbacks` may be in the ring. */
  reconfigure(format: PlayoutFormat, playbacks: readonly Playback[]): void {
    if (format.law !== this.#format.law) {
      for (const { audio } of playbacks) audio.recode(this.#format.law, format.law);
    }
    this.#format = format;
    this.#frame = new Uint8Array(format.ptimeMs * SAMPLES_PER_MS);
    this.#pcm = new Int16Array(this.#frame.length);
  }

  #scaleFrame(from: number, to: number): void {
    const { law } = this.#format;
    G711.decode(law, this.#frame, this.#pcm);
    rampGain(this.#pcm, from, to);
    G711.encode(law, this.#pcm, this.#frame);
  }
}
