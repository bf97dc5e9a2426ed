import { randomUUID } from 'node:crypto';
import { Resampler } from '../audio/resampler.ts';
import { SampleQueue } from '../audio/sample-queue.ts';
import type { Clock } from '../core/clock.ts';
import type { EventBus } from '../core/events.ts';
import type { LegFormat, LegMedia, LegPlayout } from '../ingress/leg.ts';
import { AGENT_SAMPLE_RATE } from '../platform/voice-agent/agent-link.ts';
import {
  type AgentPlayer,
  type AgentPlayerHandlers,
  MAX_MARKS,
  MAX_WAITING_MS,
} from '../platform/voice-agent/agent-player.ts';
import { PAUSE, type PlaybackSource, Playout, SENTENCE_END } from '../speech/playout.ts';
import type { PrebufferEstimator } from '../speech/prebuffer-estimator.ts';
import { CatchUp } from './agent-catch-up.ts';

/** G.711's. */
const SAMPLE_RATE = 8000;
const SAMPLES_PER_MS = SAMPLE_RATE / 1000;
/** The resampler works on pieces of this length, which bounds its output. */
const PIECE_SAMPLES = 1600;
/** Handed to the playout at a time. */
const CHUNK_SAMPLES = 1600;
/** What the playout keeps encoded; the rest waits here. */
const BACKLOG_MS = 2_000;
/** A voice that comes just in time may be late by this much before the last samples are played without the next. */
const LATE_MS = 40;
/** Audio that comes later than this belongs to what the agent says next. A shorter pause may be a stall of the network. */
const SPURT_END_MS = 300;
/** After a hold of this length nobody waits for the rest of a sentence any more. */
const STALE_AFTER_MS = 5_000;

export interface AgentVoiceOptions {
  readonly callId: string;
  readonly media: LegMedia;
  readonly clock: Clock;
  readonly events: EventBus;
  /** What is known of the agents' stalls; one for all calls. */
  readonly prebuffer: PrebufferEstimator;
  readonly handlers: AgentPlayerHandlers;
}

interface Mark {
  readonly name: string;
  /** It is reached when everything before this position was heard. */
  readonly sample: number;
}

/**
 * The agent's voice on the phone.
 *
 * ```
 *  16 kHz ─► resampler ─► queue ─► playout (starts late enough for the stalls, encodes) ─► send ring ─► caller
 *                          marks travel along, and are told from the tap ◄──────────────────────┘
 * ```
 *
 * It comes over TCP: nothing is lost or out of order, so there is nothing for a jitter buffer of packets to mend. Most
 * agents send whole sentences far ahead of real time; that is no delay to be recovered, and whatever shortened it would
 * cut what the agent says. So audio waits its turn, and the buffer adapts where it can without harm: at the start of a
 * spurt, by the stalls that were seen. Only an agent that sends without a break, silence included, would stay late for
 * good after a stall: there the {@link CatchUp} shortens silence.
 */
export class AgentVoice implements AgentPlayer {
  readonly #options: AgentVoiceOptions;
  readonly #playout: Playout;
  readonly #resampler = new Resampler({ inputRate: AGENT_SAMPLE_RATE, outputRate: SAMPLE_RATE });
  readonly #resampled = new Int16Array(PIECE_SAMPLES);
  readonly #queue = new SampleQueue(MAX_WAITING_MS * SAMPLES_PER_MS);
  readonly #catchUp = new CatchUp();
  /** Oldest first. */
  readonly #marks: Mark[] = [];
  /** Names of the marks that are with the playout. */
  readonly #markNames: string[] = [];
  /** What the agent says without a pause is one playback. */
  #spurt: { isOver: boolean } | undefined;
  /** What the resampler still gives too much at its start, so that what comes out is as long as what goes in. */
  #early: number;
  /** Since the resampler started: where that is at 8 kHz, and how much went in at 16 kHz. */
  #startSample = 0;
  #inputSamples = 0;
  /** How much was given to the queue, and taken from it. */
  #queuedSample = 0;
  #takenSample = 0;
  #lastAudioMs = 0;
  /** Nothing came for a while, and the playout plays what it has to the last sample. */
  #isIdle = false;
  #isPauseDue = false;
  #isPaused = false;
  #pausedAtMs = 0;
  #wake: (() => void) | undefined;
  #droppedSamples = 0;
  #volume = 1;
  #isSpeaking = false;
  #isClosed = false;

  constructor(options: AgentVoiceOptions) {
    const { media, clock, prebuffer, callId, events, handlers } = options;
    this.#options = options;
    this.#early = this.#resampler.delaySamples;
    const interrupted = (playbackId: string, heardMs: number): void =>
      events.emit('playback.interrupted', callId, { playbackId, heardMs });
    const playout = new Playout({
      sender: media.sender,
      format: media.format,
      clock,
      prebuffer,
      maxBacklogMs: BACKLOG_MS,
      onStarted: (playbackId) => {
        events.emit('playback.started', callId, { playbackId, heardMs: 0 });
        this.#setSpeaking(true);
      },
      onMark: (playbackId, _index, heardMs) => {
        events.emit('playback.mark', callId, { playbackId, heardMs });
        const name = this.#markNames.shift();
        if (name !== undefined) handlers.onMark(name);
      },
      onFinished: (playbackId, heardMs) => {
        events.emit('playback.finished', callId, { playbackId, heardMs });
        if (this.isPlaying) return;
        for (const { name } of this.#marks.splice(0)) handlers.onMark(name);
        this.#setSpeaking(false);
      },
      onInterrupted: interrupted,
      onFailed: interrupted,
    });
    this.#playout = playout;
    const driven: LegPlayout = {
      onSent: (tag, timestamp, sentAtMs) => playout.onSent(tag, timestamp, sentAtMs),
      onTick: (nowMs) => {
        this.#checkIdle(nowMs);
        playout.onTick(nowMs);
      },
      reconfigure: (format: LegFormat) => playout.reconfigure(format),
    };
    media.attach(driven);
  }

  get isPlaying(): boolean {
    return this.#queue.length > 0 || this.#playout.isPlaying;
  }

  get droppedMs(): number {
    return this.#droppedSamples / SAMPLES_PER_MS;
  }

  play(pcm: Int16Array): void {
    if (this.#isClosed || pcm.length === 0) return;
    if (this.#isPaused) {
      this.#droppedSamples += pcm.length / 2;
      return;
    }
    const nowMs = this.#options.clock.nowMs();
    if (this.#catchUp.skips(pcm, nowMs, () => this.#waitingMs())) return;
    this.#lastAudioMs = nowMs;
    this.#isIdle = false;
    this.#inputSamples += pcm.length;
    for (let start = 0; start < pcm.length; start += 2 * PIECE_SAMPLES) {
      const piece = pcm.subarray(start, start + 2 * PIECE_SAMPLES);
      this.#enqueue(this.#resampled.subarray(0, this.#resampler.process(piece, this.#resampled)));
    }
    this.#begin();
    this.#wakeUp();
  }

  mark(name: string): void {
    if (this.#isClosed || this.#marks.length + this.#markNames.length >= MAX_MARKS) return;
    if (!this.isPlaying || this.#isAllHeard) {
      this.#options.handlers.onMark(name);
      return;
    }
    this.#marks.push({ name, sample: this.#startSample + Math.ceil(this.#inputSamples / 2) });
    this.#wakeUp();
  }

  clear(): void {
    this.#queue.clear();
    this.#marks.length = 0;
    this.#markNames.length = 0;
    this.#resampler.reset();
    this.#restart(0);
    this.#queuedSample = 0;
    this.#takenSample = 0;
    this.#isPauseDue = false;
    this.#endSpurt();
    this.#playout.interrupt();
    this.#playout.duck(this.#volume);
    this.#setSpeaking(false);
  }

  /**
   * What the agent says to a caller who is away is not kept, as on any line: it would come as a heap of questions
   * whether anybody is there.
   */
  pause(): void {
    this.#isPaused = true;
    this.#pausedAtMs = this.#options.clock.nowMs();
    this.#playout.pause();
  }

  /** Goes on with the rest of what was being said, unless that is long ago. */
  resume(): void {
    const nowMs = this.#options.clock.nowMs();
    this.#isPaused = false;
    this.#lastAudioMs = nowMs;
    if (nowMs - this.#pausedAtMs > STALE_AFTER_MS) this.#giveUpRest();
    else this.#playout.resume();
  }

  setVolume(volume: number): void {
    this.#volume = volume;
    this.#playout.duck(volume);
  }

  close(): void {
    this.#isClosed = true;
    this.clear();
    this.#playout.close();
  }

  /** Whether the caller heard the last sample, although the playback is kept open for what may follow. */
  get #isAllHeard(): boolean {
    const isHandedOn = this.#isIdle && !this.#isPauseDue && this.#marks.length === 0 && this.#markNames.length === 0;
    return isHandedOn && this.#queue.length === 0 && this.#options.media.sender.queuedFrames === 0;
  }

  /** The agent did not ask for it, and may wait for its marks. */
  #giveUpRest(): void {
    const names = [...this.#markNames, ...this.#marks.map(({ name }) => name)];
    this.#droppedSamples += this.#queue.length;
    this.clear();
    for (const name of names) this.#options.handlers.onMark(name);
  }

  #waitingMs(): number {
    const { media } = this.#options;
    const sentMs = media.sender.queuedFrames * media.format.ptimeMs;
    return this.#queue.length / SAMPLES_PER_MS + this.#playout.statistics.backlogMs + sentMs;
  }

  #enqueue(pcm: Int16Array): void {
    const dropped = Math.min(this.#early, pcm.length);
    this.#early -= dropped;
    const taken = this.#queue.write(pcm.subarray(dropped));
    this.#queuedSample += taken;
    this.#droppedSamples += pcm.length - dropped - taken;
  }

  #begin(): void {
    if (this.#spurt) return;
    const spurt = { isOver: false };
    this.#spurt = spurt;
    const source: PlaybackSource = (signal) => this.#read(spurt, signal);
    this.#playout.play(randomUUID(), source);
  }

  /** The queue as a source of the playout, with marks and pauses where they belong. */
  async *#read(spurt: { readonly isOver: boolean }, signal: AbortSignal): ReturnType<PlaybackSource> {
    while (!signal.aborted) {
      const mark = this.#marks[0];
      const toMark = mark ? mark.sample - this.#takenSample : Number.POSITIVE_INFINITY;
      const ready = Math.min(this.#queue.length, toMark, CHUNK_SAMPLES);
      // Audio that was dropped for want of room has taken its mark along: it is told where the rest ends.
      if (mark && (toMark <= 0 || (this.#isIdle && this.#queue.length === 0))) {
        this.#marks.shift();
        this.#markNames.push(mark.name);
        yield SENTENCE_END;
      } else if (ready > 0) {
        const pcm = new Int16Array(ready);
        this.#takenSample += this.#queue.read(pcm);
        yield pcm;
      } else if (this.#isPauseDue) {
        this.#isPauseDue = false;
        yield PAUSE;
      } else if (spurt.isOver) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Looks whether the agent has paused: nothing waits any more, and nothing came for a while. */
  #checkIdle(nowMs: number): void {
    const { prebuffer, media } = this.#options;
    if (!this.#spurt || this.#isPaused || this.#wake === undefined || media.sender.queuedFrames > 1) return;
    const quietMs = nowMs - this.#lastAudioMs - prebuffer.startDelayMs;
    if (!this.#isIdle && quietMs >= LATE_MS) {
      this.#isIdle = true;
      this.#isPauseDue = true;
      const length = this.#resampler.flush(this.#resampled);
      this.#enqueue(this.#resampled.subarray(0, length));
      this.#restart(this.#queuedSample);
      this.#wakeUp();
    } else if (this.#isIdle && quietMs >= SPURT_END_MS) {
      this.#endSpurt();
    }
  }

  #restart(sample: number): void {
    this.#early = this.#resampler.delaySamples;
    this.#startSample = sample;
    this.#inputSamples = 0;
  }

  #endSpurt(): void {
    if (this.#spurt) this.#spurt.isOver = true;
    this.#spurt = undefined;
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #setSpeaking(isSpeaking: boolean): void {
    if (isSpeaking === this.#isSpeaking) return;
    this.#isSpeaking = isSpeaking;
    if (isSpeaking) this.#options.handlers.onSpeaking();
    else this.#options.handlers.onListening();
  }
}
