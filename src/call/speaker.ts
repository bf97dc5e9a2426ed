import { randomUUID } from 'node:crypto';
import type { GatewayError } from '../core/errors.ts';
import type { LegMedia } from '../ingress/leg.ts';
import { type PlaybackTimes, Playout } from '../speech/playout.ts';
import type { CallServices } from './call.ts';
import type { Timeline, Turn } from './timeline.ts';

/** The mouth of one call: texts → synthesizer → playout, one after the other, and the events that tell of them. */
export class Speaker {
  readonly #callId: string;
  readonly #services: CallServices;
  readonly #timeline: Timeline;
  readonly #sampleRate: number;
  readonly #playout: Playout;
  /** Turns whose answer has not been heard yet, by playback. */
  readonly #turns = new Map<string, Turn>();

  constructor(callId: string, media: LegMedia, services: CallServices, timeline: Timeline) {
    this.#callId = callId;
    this.#services = services;
    this.#timeline = timeline;
    this.#sampleRate = media.capture.sampleRate;
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
    });
    media.attach(this.#playout);
  }

  /**
   * Speaks `text` after all that was given before. @returns the playback's id.
   *
   * @throws GatewayError `ERR_TTS_BACKLOG` - too much waits already.
   */
  speak(text: string, voice: string, turn: Turn | undefined): string {
    const playbackId = randomUUID();
    if (turn) this.#turns.set(playbackId, turn);
    this.#playout.play(playbackId, (signal) =>
      this.#services.synthesizer.speak(text, { voice, sampleRate: this.#sampleRate, signal }),
    );
    return playbackId;
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
