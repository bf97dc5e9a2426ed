import { G711, type Law } from '../audio/g711.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import type { FrameSender } from '../rtp/transport.ts';
import { Playback, type PlaybackSource, SAMPLES_PER_MS } from './playback.ts';

export type { PlaybackSource } from './playback.ts';

/** How frames are made; a re-INVITE may change it. */
export interface PlayoutFormat {
  readonly law: Law;
  readonly payloadType: number;
  readonly ptimeMs: number;
}

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
  /** Audio that must be there before a playback begins, and again after it ran dry. Default 80 ms. */
  readonly prebufferMs?: number;
  /** Audio kept ahead of the caller's ear before its source has to wait. Default 30 s. */
  readonly maxBacklogMs?: number;
  /** Playbacks that may wait. Default 64. */
  readonly maxPlaybacks?: number;
  readonly onStarted: (playbackId: string, times: PlaybackTimes) => void;
  /** All of it was heard. Follows `onStarted`, unless there was no audio at all. */
  readonly onFinished: (playbackId: string, heardMs: number) => void;
  readonly onInterrupted: (playbackId: string, heardMs: number) => void;
  /** Its source broke off, and what had come of it was heard. */
  readonly onFailed: (playbackId: string, heardMs: number, error: GatewayError) => void;
}

export interface PlayoutStatistics {
  readonly playbacks: number;
  /** Audio that is encoded and not yet in the send ring. */
  readonly backlogMs: number;
  /** How often the caller heard silence because audio came too late. */
  readonly underruns: number;
}

/**
 * How much of the send ring is used: as long as the event loop may stall unheard. The rest stays free for digits, which
 * leave behind the audio that is in the ring already.
 */
const RING_MS = 500;
/** Tags beyond belong to others who write to the same ring. */
const MAX_TAG = 2 ** 31 - 1;

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
 */
export class Playout {
  readonly #options: PlayoutOptions;
  readonly #sender: FrameSender;
  #format: PlayoutFormat;
  #frame: Uint8Array;
  /** Oldest first; the first is the one that is heard. */
  #queue: Playback[] = [];
  /** Index of the playback that is written to the ring now. */
  #writing = 0;
  #pulling: Playback | undefined;
  /** Wakes the source that waits for room in the backlog. */
  #onRoom: (() => void) | undefined;
  #lastTag = 0;
  /** The ring was empty at the last tick, with more to come. */
  #isStarving = false;
  #underruns = 0;
  #closed = false;

  constructor(options: PlayoutOptions) {
    this.#options = options;
    this.#sender = options.sender;
    this.#format = options.format;
    this.#frame = new Uint8Array(options.format.ptimeMs * SAMPLES_PER_MS);
  }

  get isPlaying(): boolean {
    return this.#queue.length > 0;
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
   *
   * @throws GatewayError `ERR_TTS_BACKLOG` - too many wait; `ERR_WRONG_STATE` - the playout is closed.
   */
  play(playbackId: string, source: PlaybackSource): void {
    const { maxPlaybacks = 64 } = this.#options;
    if (this.#closed) throw new GatewayError('ERR_WRONG_STATE', 'the call can not be spoken to any more');
    if (this.#queue.length >= maxPlaybacks) {
      throw new GatewayError('ERR_TTS_BACKLOG', `${this.#queue.length} replies wait already`);
    }
    this.#queue.push(new Playback(playbackId, source, this.#nextTag()));
    this.#pullNext();
  }

  /**
   * Silences the caller's ear now: drops what has not left (digits behind it as well), and every playback.
   *
   * @returns how much was heard of the playback that was speaking, in ms.
   */
  interrupt(): number {
    this.#takeBack();
    this.#advance(this.#sender.lastSentMs);
    const interrupted = this.#queue;
    this.#queue = [];
    this.#writing = 0;
    this.#pulling = undefined;
    this.#isStarving = false;
    for (const playback of interrupted) playback.controller.abort();
    this.#tellRoom();
    for (const playback of interrupted) this.#options.onInterrupted(playback.id, playback.heardMs);
    return interrupted[0]?.heardMs ?? 0;
  }

  /**
   * Goes on in another format, with the next frame. The sender itself is to be reconfigured before; audio that waits
   * in it is taken back and made anew.
   */
  reconfigure(format: PlayoutFormat): void {
    this.#takeBack();
    if (format.law !== this.#format.law) {
      for (const playback of this.#queue) playback.audio.recode(this.#format.law, format.law);
    }
    this.#format = format;
    this.#frame = new Uint8Array(format.ptimeMs * SAMPLES_PER_MS);
    this.#advance(this.#sender.lastSentMs);
    this.#fill();
  }

  /** Interrupts what plays, and plays nothing more. */
  close(): void {
    this.#closed = true;
    this.interrupt();
  }

  /** The tap: a frame with `tag` left. */
  onSent(tag: number, _timestamp: number, sentAtMs: number): void {
    for (const playback of this.#queue) {
      if (playback.tag !== tag) continue;
      playback.heardSample += this.#frame.length;
      playback.audio.release(Math.min(playback.heardSample, playback.writtenSample));
      this.#advance(sentAtMs);
      return;
    }
  }

  /** Tops the ring up. */
  onTick(_nowMs: number): void {
    this.#watchForUnderrun();
    this.#fill();
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
      for await (const pcm of playback.source(signal)) {
        if (signal.aborted) return;
        if (pcm.length === 0) continue;
        playback.firstAudioAtMs ??= clock.nowMs();
        playback.audio.append(this.#format.law, pcm);
        this.#fill();
        await this.#room(signal);
      }
    } catch (thrown) {
      playback.failure = asPlaybackError(thrown);
    }
    if (signal.aborted) return;
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

  /** Writes what is ready into the ring, up to {@link RING_MS}. */
  #fill(): void {
    const { prebufferMs = 80 } = this.#options;
    for (let playback = this.#queue[this.#writing]; playback; playback = this.#queue[this.#writing]) {
      const isReady = playback.hasEnded || playback.unwrittenSamples >= prebufferMs * SAMPLES_PER_MS;
      if (playback.isBuffering && !isReady) return;
      playback.isBuffering = false;
      while (playback.unwrittenSamples >= this.#frame.length || (playback.hasEnded && playback.unwrittenSamples > 0)) {
        if (!this.#write(playback)) return;
      }
      if (!playback.hasEnded) return;
      this.#writing++;
    }
  }

  /** Writes one frame, the last one filled up with silence. @returns false when the ring has enough. */
  #write(playback: Playback): boolean {
    const { law, payloadType, ptimeMs } = this.#format;
    if (this.#sender.queuedFrames * ptimeMs >= RING_MS) return false;
    const length = playback.audio.read(playback.writtenSample, this.#frame);
    this.#frame.fill(law === 'ulaw' ? G711.ULAW_SILENCE : G711.ALAW_SILENCE, length);
    if (!this.#sender.write(this.#frame, payloadType, this.#frame.length, 0, playback.tag)) return false;
    playback.writtenSample += this.#frame.length;
    this.#isStarving = false;
    return true;
  }

  /** A playback whose audio comes too late has silence in its middle; it goes on once enough is there again. */
  #watchForUnderrun(): void {
    const playback = this.#queue[this.#writing];
    const isStarving =
      playback !== undefined &&
      !playback.isBuffering &&
      !playback.hasEnded &&
      playback.writtenSample > 0 &&
      playback.unwrittenSamples < this.#frame.length &&
      this.#sender.queuedFrames === 0;
    // The ring was empty one tick ago already: a frame of silence has left in between.
    if (isStarving && this.#isStarving) {
      this.#underruns++;
      playback.isBuffering = true;
    }
    this.#isStarving = isStarving && !playback.isBuffering;
  }

  /**
   * Empties the ring. What was dropped counts as not written, what the tap has not told yet as heard; frames that it
   * tells later bear a tag nobody knows any more.
   */
  #takeBack(): void {
    // Without audio of this playout in it, the ring belongs to others.
    const isMine = this.#queue.some(({ writtenSample, heardSample }) => writtenSample > heardSample);
    let droppedSamples = isMine ? this.#sender.flush() * this.#frame.length : 0;
    for (const playback of this.#queue.toReversed()) {
      const dropped = Math.min(droppedSamples, playback.writtenSample - playback.heardSample);
      droppedSamples -= dropped;
      playback.heardSample = playback.writtenSample - dropped;
      playback.writtenSample = playback.heardSample;
      playback.tag = this.#nextTag();
    }
    this.#writing = 0;
  }

  /** Tells what the newest position of the ear means: starts and ends, in order. */
  #advance(sentAtMs: number): void {
    const { onStarted, onFinished, onFailed } = this.#options;
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      const { openedAtMs, firstAudioAtMs } = first;
      if (!first.hasStarted && first.heardSample > 0 && openedAtMs !== undefined && firstAudioAtMs !== undefined) {
        first.hasStarted = true;
        onStarted(first.id, { openedAtMs, firstAudioAtMs, sentAtMs });
        continue;
      }
      if (!first.isHeard) return;
      this.#queue.shift();
      this.#writing = Math.max(0, this.#writing - 1);
      if (first.failure) onFailed(first.id, first.heardMs, first.failure);
      else onFinished(first.id, first.heardMs);
    }
  }

  #nextTag(): number {
    this.#lastTag = (this.#lastTag % MAX_TAG) + 1;
    return this.#lastTag;
  }
}

function asPlaybackError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError('ERR_TTS_TORN', { found: `the audio broke off: ${toError(thrown).message}`, cause: thrown });
}
