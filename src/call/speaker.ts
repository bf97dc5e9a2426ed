import { randomUUID } from 'node:crypto';
import type { GatewayError } from '../core/errors.ts';
import type { Capture } from '../ingress/capture.ts';
import type { LegMedia } from '../ingress/leg.ts';
import { BargeIn } from '../speech/barge-in.ts';
import { EchoDetector, type Hearing } from '../speech/echo-detector.ts';
import { EchoReference } from '../speech/echo-reference.ts';
import { type PlaybackTimes, Playout } from '../speech/playout.ts';
import type { CallServices } from './call.ts';
import type { Timeline, Turn } from './timeline.ts';

/** How a text is spoken. */
export interface Utterable {
  readonly voice: string;
  /** The turn that the text answers. */
  readonly turn?: Turn | undefined;
  /** Whether the caller's voice may end it. Default true. */
  readonly interruptible?: boolean | undefined;
}

export interface SpeakerOptions {
  readonly timeline: Timeline;
  readonly resumeAfterFalseAlarm: boolean;
}

/**
 * The mouth of one call: texts → synthesizer → playout, one after the other, and the events that tell of them. Hears the
 * caller's voice, who may interrupt.
 */
export class Speaker {
  readonly #callId: string;
  readonly #services: CallServices;
  readonly #timeline: Timeline;
  readonly #capture: Capture;
  readonly #playout: Playout;
  readonly #bargeIn: BargeIn;
  /** Of telephone lines; wideband legs come from programs, which cancel their echo themselves. */
  /** Made when the first reply is heard: a quarter of a megabyte that a call which only listens does without. */
  #echo: EchoDetector | undefined;
  readonly #echoReference = new EchoReference();
  /** Turns whose answer has not been heard yet, by playback. */
  readonly #turns = new Map<string, Turn>();

  constructor(callId: string, media: LegMedia, services: CallServices, options: SpeakerOptions) {
    this.#callId = callId;
    this.#services = services;
    this.#timeline = options.timeline;
    this.#capture = media.capture;
    const { events } = services;
    this.#playout = new Playout({
      sender: media.sender,
      format: media.format,
      clock: services.clock,
      prebuffer: services.prebuffer,
      onStarted: (playbackId, times) => {
        this.#recordStart(playbackId, times);
        events.emit('playback.started', callId, { playbackId, heardMs: 0 });
      },
      onMark: (playbackId, _index, heardMs) => events.emit('playback.mark', callId, { playbackId, heardMs }),
      onFinished: (playbackId, heardMs) => {
        events.emit('playback.finished', callId, { playbackId, heardMs });
        this.#settleTurn(playbackId);
      },
      onInterrupted: (playbackId, heardMs) => {
        events.emit('playback.interrupted', callId, { playbackId, heardMs });
        this.#settleTurn(playbackId);
      },
      onFailed: (playbackId, heardMs, error) => this.#fail(playbackId, heardMs, error),
      onUnderrun: () => services.speaking.underruns++,
      onPlayed: (pcm, timestamp, sentAtMs) => {
        if (media.capture.sampleRate !== 8000) return;
        this.#echo ??= new EchoDetector();
        this.#echo.play(pcm, this.#echoReference.place(timestamp, this.#capture.sampleAt(sentAtMs)));
      },
    });
    this.#bargeIn = new BargeIn({
      target: this.#playout,
      sampleRate: media.capture.sampleRate,
      resumeAfterFalseAlarm: options.resumeAfterFalseAlarm,
      counters: services.speaking,
      onBargeIn: (firstVoicedSample, silentAtMs) =>
        this.#timeline.recordBargeIn(silentAtMs - this.#capture.arrivalMsOf(firstVoicedSample)),
    });
    media.attach({
      onSent: (tag, timestamp, sentAtMs) => this.#playout.onSent(tag, timestamp, sentAtMs),
      onTick: (nowMs) => {
        this.#bargeIn.onTick(nowMs);
        this.#playout.onTick(nowMs);
      },
      reconfigure: (format) => this.#playout.reconfigure(format),
    });
  }

  /**
   * Speaks `text` after all that was given before. @returns the playback's id.
   *
   * @throws GatewayError `ERR_TTS_BACKLOG` - too much waits already.
   */
  speak(text: string, { voice, turn, interruptible = true }: Utterable): string {
    const playbackId = randomUUID();
    const { sampleRate } = this.#capture;
    // Before the caller has said anything it is no answer, and those who wait for one come first.
    const priority = turn === undefined && this.#timeline.turns.length === 0 ? 'greeting' : 'turn';
    if (turn) this.#turns.set(playbackId, turn);
    this.#playout.play(
      playbackId,
      (signal) => this.#services.synthesizer.speak(text, { voice, sampleRate, signal, priority }),
      interruptible,
    );
    return playbackId;
  }

  /** The next 20 ms of the caller, which start at `startSample` of the capture. @returns whether they are his voice, and no echo. */
  hear(frame: Int16Array, startSample: number, isVoice: boolean): boolean {
    let hearing: Hearing = isVoice ? 'caller' : 'nobody';
    if (this.#echo?.isActive(startSample)) hearing = this.#echo.judge(frame, startSample, isVoice);
    if (this.#bargeIn.isActive) this.#bargeIn.onFrame(frame, startSample, hearing, this.#services.clock.nowMs());
    return hearing === 'caller';
  }

  /** A caller on hold neither interrupts nor holds up what is to be heard afterwards. */
  setHeld(): void {
    this.#bargeIn.reset();
  }

  /** Silences what plays, and forgets what waits. */
  stop(): void {
    this.#playout.interrupt();
  }

  /** Silences what plays and plays nothing more. */
  close(): void {
    this.#playout.close();
  }

  #recordStart(playbackId: string, { openedAtMs, firstAudioAtMs, sentAtMs }: PlaybackTimes): void {
    const turn = this.#turns.get(playbackId);
    if (!turn) return;
    this.#timeline.record(turn, 'ttsFirstByte', firstAudioAtMs - openedAtMs);
    this.#timeline.record(turn, 'prebuffer', sentAtMs - firstAudioAtMs);
    this.#settleTurn(playbackId);
  }

  /** Whatever the caller heard of it was cut off: told as an interruption, after the error that says why. */
  #fail(playbackId: string, heardMs: number, { code, message, retryable }: GatewayError): void {
    const { events } = this.#services;
    events.emit('error', this.#callId, { code, message, retryable });
    events.emit('playback.interrupted', this.#callId, { playbackId, heardMs });
    this.#settleTurn(playbackId);
  }

  #settleTurn(playbackId: string): void {
    const turn = this.#turns.get(playbackId);
    if (turn) this.#timeline.finish(turn);
    this.#turns.delete(playbackId);
  }
}
