import type { Clock } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import type { FrameSender } from '../rtp/transport.ts';
import { PAUSE, Playback, type PlaybackSource, SAMPLES_PER_MS, SENTENCE_END } from './playback.ts';
import { type PlayoutFormat, PlayoutWriter } from './playout-writer.ts';
import { PrebufferEstimator } from './prebuffer-estimator.ts';

export { PAUSE, type PlaybackSource, SENTENCE_END } from './playback.ts';
export type { PlayoutFormat } from './playout-writer.ts';

/** On the monotonic clock. */
export interface PlaybackTimes {
  /** The source was opened: the text went to the synthesizer. */
  readonly openedAtMs: number;
  readonly firstAudioAtMs: number;
  /** Its first packet left. */
  readonly sentAtMs: number;
}

export interface PlayoutOptions {
  /** Where frames go. Its tap and tick must reach {@link Playout.onSent} and {@link Playout.onTick}. */
  readonly sender: FrameSender;
  readonly format: PlayoutFormat;
  readonly clock: Clock;
  /** What is known of the provider's stalls; one for all calls. Default: one of its own. */
  readonly prebuffer?: PrebufferEstimator;
  /** Audio kept ahead of the caller's ear before its source has to wait. Default 30 s. */
  readonly maxBacklogMs?: number;
  /** Playbacks that may wait. Default 64. */
  readonly maxPlaybacks?: number;
  readonly onStarted: (playbackId: string, times: PlaybackTimes) => void;
  /** Sentence number `index` of it, from 0, was heard to its end. */
  readonly onMark?: (playbackId: string, index: number, heardMs: number) => void;
  /** All of it was heard. Follows `onStarted`, unless there was no audio at all. */
  readonly onFinished: (playbackId: string, heardMs: number) => void;
  readonly onInterrupted: (playbackId: string, heardMs: number) => void;
  /** Its source broke off, and what had come of it was heard. */
  readonly onFailed: (playbackId: string, heardMs: number, error: GatewayError) => void;
  /** The caller heard silence because audio came too late. */
  readonly onUnderrun?: () => void;
  /**
   * What left at `sentAtMs`: audio at 8 kHz with its gain, valid until this returns. `timestamp` is that of RTP. Not told
   * of the silence between.
   */
  readonly onPlayed?: (pcm: Int16Array, timestamp: number, sentAtMs: number) => void;
}

export interface PlayoutStatistics {
  readonly playbacks: number;
  /** Audio that is encoded and not yet in the send ring. */
  readonly backlogMs: number;
  /** How often the caller heard silence because audio came too late. */
  readonly underruns: number;
}

/** Audio that must be there before a playback begins, and again after it ran dry, besides what is learned. */
const MIN_BUFFER_MS = 30;
/** When nothing has left for this long, the call is on hold, and there is nothing to fade out. */
const HOLD_MS = 200;

/**
 * Plays replies to one caller, one after the other.
 *
 * ```
 *  source ─► encode ahead ─► backlog ─► on each tick ─► send ring ─► network
 *                              ▲                           │
 *                              └── kept until heard ◄─ tap ┘ what really left
 * ```
 *
 * The next source is opened when the one before has ended, so that replies follow without a gap and each costs its
 * request only when it is sure to be spoken next. All reports come from the tap, not from what was written.
 *
 * When the ring is about to run dry, a fade-out is written behind the audio. It is taken back if more comes before it
 * leaves; else the audio is faded in when there is enough of it again. So a frame never waits for the one after it to
 * come, and nothing clicks however long the event loop stalls.
 */
export class Playout {
  readonly #options: PlayoutOptions;
  readonly #sender: FrameSender;
  readonly #writer: PlayoutWriter;
  readonly #prebuffer: PrebufferEstimator;
  /** Oldest first; the first is the one that is heard. */
  #queue: Playback[] = [];
  /** Index of the playback that is written to the ring now. */
  #writing = 0;
  #pulling: Playback | undefined;
  /** Wakes the source that waits for room in the backlog. */
  #onRoom: (() => void) | undefined;
  #isPaused = false;
  #underruns = 0;
  #closed = false;

  constructor(options: PlayoutOptions) {
    this.#options = options;
    this.#sender = options.sender;
    this.#writer = new PlayoutWriter(options.sender, options.format);
    this.#prebuffer = options.prebuffer ?? new PrebufferEstimator();
  }

  get isPlaying(): boolean {
    return this.#queue.length > 0;
  }

  /** Whether the caller hears a playback that may be interrupted, or hears it again after `resume()`. */
  get isInterruptible(): boolean {
    const first = this.#queue[0];
    return first?.interruptible === true && (first.writtenSample > 0 || this.#isPaused);
  }

  /** When all that was written until now will have been heard, on the monotonic clock. */
  silentAtMs(nowMs: number): number {
    return this.#writer.departureMs(nowMs);
  }

  get statistics(): PlayoutStatistics {
    return {
      playbacks: this.#queue.length,
      backlogMs: this.#backlogSamples() / SAMPLES_PER_MS,
      underruns: this.#underruns,
    };
  }

  /**
   * Plays `source` after all that was given before. Its fate is told once: finished, interrupted or failed.
   * `interruptible` says whether `interrupt('interruptible')` ends it.
   *
   * @throws GatewayError `ERR_TTS_BACKLOG` - too many wait; `ERR_WRONG_STATE` - the playout is closed.
   */
  play(playbackId: string, source: PlaybackSource, interruptible = true): void {
    const { maxPlaybacks = 64 } = this.#options;
    if (this.#closed) throw new GatewayError('ERR_WRONG_STATE', 'the call can not be spoken to any more');
    if (this.#queue.length >= maxPlaybacks) {
      throw new GatewayError('ERR_TTS_BACKLOG', `${this.#queue.length} replies wait already`);
    }
    this.#queue.push(new Playback(playbackId, source, interruptible, this.#writer.nextTag()));
    this.#pullNext();
  }

  /**
   * Silences the caller's ear now, but for a fade-out of 10 ms: drops what has not left (digits behind it as well), and
   * every playback, or every one that may be interrupted. What comes after is neither ducked nor paused.
   *
   * @returns how much was heard of the playback that was speaking, in ms.
   */
  interrupt(which: 'all' | 'interruptible' = 'all'): number {
    this.#cut();
    const isKept = ({ interruptible }: Playback): boolean => which === 'interruptible' && !interruptible;
    const interrupted = this.#queue.filter((playback) => !isKept(playback));
    this.#queue = this.#queue.filter(isKept);
    this.#isPaused = false;
    this.#writer.setGain(1, undefined);
    for (const playback of interrupted) playback.controller.abort();
    if (this.#pulling?.controller.signal.aborted) this.#pulling = undefined;
    this.#tellRoom();
    this.#pullNext();
    this.#fill();
    for (const playback of interrupted) this.#options.onInterrupted(playback.id, playback.heardMs);
    return interrupted[0]?.heardMs ?? 0;
  }

  /** Stops speaking where it is, with a fade-out, until `resume()`. Sources are still fetched. */
  pause(): void {
    if (this.#isPaused) return;
    this.#cut();
    this.#isPaused = true;
    const first = this.#queue[0];
    if (first && first.heardSample > 0) first.fadeIn();
  }

  /** Goes on speaking where `pause()` stopped. */
  resume(): void {
    this.#isPaused = false;
    this.#fill();
  }

  /**
   * Speaks with `gain` from the next frame on; 1 ends it. Frames that wait are taken back and made anew, unless digits
   * are among them.
   *
   * @throws RangeError - if the gain is not 0-1.
   */
  duck(gain: number): void {
    if (!(gain >= 0 && gain <= 1)) throw new RangeError(`Expected a gain of 0-1 but received ${gain}`);
    if (gain === this.#writer.gain) return;
    if (this.#writer.owns(this.#queue)) this.#takeBack(true);
    this.#advance(this.#sender.lastSentMs);
    this.#writer.setGain(gain, this.#queue[this.#writing]);
    this.#fill();
  }

  /**
   * Goes on in another format, with the next frame. The sender itself is to be reconfigured before; audio that waits
   * in it is taken back and made anew.
   */
  reconfigure(format: PlayoutFormat): void {
    this.#takeBack(false);
    this.#writer.reconfigure(format, this.#queue);
    this.#advance(this.#sender.lastSentMs);
    this.#fill();
  }

  /** Interrupts what plays, and plays nothing more. */
  close(): void {
    this.#closed = true;
    this.interrupt();
  }

  /** The tap: a frame with `tag` left. */
  onSent(tag: number, timestamp: number, sentAtMs: number): void {
    const pcm = this.#options.onPlayed && this.#writer.sentAudio(tag);
    if (pcm) this.#options.onPlayed?.(pcm, timestamp, sentAtMs);
    for (const playback of this.#queue) {
      if (playback.tag !== tag) continue;
      playback.heardSample += this.#writer.frameSamples;
      playback.audio.release(Math.min(playback.heardSample, playback.writtenSample));
      this.#advance(sentAtMs);
      return;
    }
  }

  /** Tops the ring up. */
  onTick(_nowMs: number): void {
    const before = this.#queue[this.#writing];
    if (before && this.#writer.hasRunDry(before)) this.#noteGap(before);
    this.#fill();
    const playback = this.#queue[this.#writing];
    if (playback && !this.#isPaused) this.#writer.guard(playback);
    this.#tellRoom();
  }

  #pullNext(): void {
    if (this.#pulling) return;
    const next = this.#queue.find((playback) => playback.openedAtMs === undefined);
    if (!next) return;
    this.#pulling = next;
    void this.#pull(next);
  }

  /** Fetches all of one source. */
  async #pull(playback: Playback): Promise<void> {
    const { clock } = this.#options;
    const { signal } = playback.controller;
    playback.openedAtMs = clock.nowMs();
    try {
      for await (const item of playback.source(signal)) {
        if (signal.aborted) return;
        if (item === SENTENCE_END) {
          playback.endSentence();
          continue;
        }
        if (item === PAUSE) {
          playback.pause(this.#writer.format.law, this.#writer.frameSamples);
          this.#fill();
          continue;
        }
        if (item.length === 0) continue;
        playback.append(this.#writer.format.law, item, clock.nowMs());
        this.#fill();
        await this.#room(signal);
      }
    } catch (thrown) {
      playback.failure = asPlaybackError(thrown);
    } finally {
      this.#prebuffer.learn(playback.delivery);
    }
    if (signal.aborted) return;
    if (playback.failure) playback.breakOff(this.#writer.format.law);
    playback.hasEnded = true;
    this.#pulling = undefined;
    this.#fill();
    this.#pullNext();
    this.#advance(this.#sender.lastSentMs);
  }

  async #room(signal: AbortSignal): Promise<void> {
    const { maxBacklogMs = 30_000 } = this.#options;
    while (!signal.aborted && this.#backlogSamples() > maxBacklogMs * SAMPLES_PER_MS) {
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    }
  }

  #tellRoom(): void {
    this.#onRoom?.();
    this.#onRoom = undefined;
  }

  #backlogSamples(): number {
    let samples = 0;
    for (const playback of this.#queue) samples += playback.unwrittenSamples;
    return samples;
  }

  /** Writes what is ready into the ring, as far as that has room. */
  #fill(): void {
    if (this.#isPaused) return;
    const writer = this.#writer;
    for (let playback = this.#queue[this.#writing]; playback; playback = this.#queue[this.#writing]) {
      if (playback.hasTail && playback.hasFrame(writer.frameSamples)) {
        this.#replaceTail(playback);
        continue;
      }
      if (playback.isBuffering && !this.#mayStart(playback)) return;
      playback.isBuffering = false;
      while (playback.hasFrame(writer.frameSamples)) {
        if (!writer.write(playback)) return;
      }
      if (!playback.hasEnded) return;
      this.#writing++;
    }
  }

  #mayStart({ isComplete, unwrittenSamples, bufferingSinceMs }: Playback): boolean {
    if (isComplete) return true;
    const neededSamples = Math.max(MIN_BUFFER_MS * SAMPLES_PER_MS, this.#writer.frameSamples);
    if (unwrittenSamples < neededSamples || bufferingSinceMs === undefined) return false;
    const departureMs = this.#writer.departureMs(this.#options.clock.nowMs());
    return departureMs - bufferingSinceMs >= this.#prebuffer.startDelayMs;
  }

  /** Audio came while the tail waited to leave, or just after. */
  #replaceTail(playback: Playback): void {
    if (this.#writer.owns(this.#queue)) {
      this.#takeBack(true);
      this.#advance(this.#options.clock.nowMs());
    } else {
      // Digits follow the tail and must not be lost; it is heard.
      playback.hasTail = false;
      playback.fadeIn();
    }
  }

  /** A playback whose audio came too late has silence in its middle; it goes on once enough is there again. */
  #noteGap(playback: Playback): void {
    playback.hasTail = false;
    playback.fadeIn();
    if (playback.hasEnded) return;
    this.#underruns++;
    this.#options.onUnderrun?.();
    playback.isBuffering = true;
    playback.bufferingSinceMs = playback.unwrittenSamples > 0 ? this.#options.clock.nowMs() : undefined;
  }

  /** Empties the ring, so that writing begins anew where the ear is. @returns whether that cuts audio off. */
  #takeBack(isContinued: boolean): boolean {
    const stopsShort = this.#writer.takeBack(this.#queue, isContinued);
    this.#writing = 0;
    for (const playback of this.#queue) if (playback.hasTail) this.#noteGap(playback);
    return stopsShort;
  }

  /** Empties the ring, and fades out what is heard. */
  #cut(): void {
    const { lastSentMs } = this.#sender;
    const stopsShort = this.#takeBack(false);
    this.#advance(lastSentMs);
    const first = this.#queue[0];
    if (!stopsShort || !first || first.heardSample === 0 || this.#closed) return;
    if (this.#options.clock.nowMs() - lastSentMs < HOLD_MS) this.#writer.writeFadeOut(first);
  }

  /** Tells what the newest position of the ear means: starts and ends, in order. */
  #advance(sentAtMs: number): void {
    const { onStarted, onMark, onFinished, onFailed } = this.#options;
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      const { openedAtMs, firstAudioAtMs } = first;
      if (!first.hasStarted && first.heardSample > 0 && openedAtMs !== undefined && firstAudioAtMs !== undefined) {
        first.hasStarted = true;
        onStarted(first.id, { openedAtMs, firstAudioAtMs, sentAtMs });
        continue;
      }
      while (first.hasStarted && first.hasMark) onMark?.(first.id, first.marksTold++, first.heardMs);
      if (!first.isHeard) return;
      this.#queue.shift();
      this.#writing = Math.max(0, this.#writing - 1);
      if (first.failure) onFailed(first.id, first.heardMs, first.failure);
      else onFinished(first.id, first.heardMs);
    }
  }
}

function asPlaybackError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError('ERR_TTS_TORN', { found: `the audio broke off: ${toError(thrown).message}`, cause: thrown });
}
