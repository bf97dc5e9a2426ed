import { randomUUID } from 'node:crypto';
import { VoiceActivity } from '../audio/voice-activity.ts';
import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import type { CallEndReason, EventBus } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import type { Leg, LegMedia } from '../ingress/leg.ts';
import type { EndSilence } from '../speech/end-silence.ts';
import type { PrebufferEstimator } from '../speech/prebuffer-estimator.ts';
import type { Synthesizer } from '../speech/synthesizer.ts';
import type { Transcriber } from '../speech/transcriber.ts';
import { Listener } from './listener.ts';
import { Speaker } from './speaker.ts';
import type { SpeakingCounters } from './speaking-counters.ts';
import { type LatencyWord, Timeline, type Turn } from './timeline.ts';

/** What every call shares. */
export interface CallServices {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly logger: Logger;
  readonly transcriber: Transcriber;
  readonly endSilence: Pick<EndSilence, 'ms'>;
  readonly synthesizer: Synthesizer;
  readonly prebuffer: PrebufferEstimator;
  readonly speaking: SpeakingCounters;
  observeLatency(word: LatencyWord, ms: number): void;
}

/** Who talks with the caller in the place of the gateway's own ear and mouth, such as a hosted voice agent. */
export interface CallPartner {
  /** The capture ring grew; the partner takes and releases what is in it. */
  onAudio(): void;
  onDtmf(digit: string, durationMs: number): void;
  setHeld(held: boolean): void;
  /** The leg is gone. Resolves when nothing more will be told of the call. */
  close(): Promise<void>;
}

export interface CallOptions {
  /** Hands an answered call to a partner. Absent: the gateway listens and speaks itself. */
  readonly join?: ((call: Call, media: LegMedia) => CallPartner) | undefined;
  /** Of the audio that the platform is sent. */
  readonly sttSampleRate: 8000 | 16000;
  readonly maxCallMs: number;
  readonly voice: string;
  /** Whether a reply goes on after a noise that silenced it. */
  readonly resumeAfterFalseAlarm: boolean;
  /** Told of each transcript that has words, in order: what to do with the call. */
  readonly onTranscript: (call: Call, text: string, turn: Turn) => void;
  /** Told once, when the leg is gone and every utterance has its answer. */
  readonly onSettled: (call: Call) => void;
}

export interface CallSummary {
  readonly callId: string;
  readonly state: 'ringing' | 'answered' | 'held' | 'ended';
  readonly ingress: string;
  readonly from: string;
  readonly to: string;
  readonly sipCallId: string | null;
  /** ISO 8601 in UTC. */
  readonly startedAt: string;
  readonly answeredAt: string | null;
  readonly endedAt: string | null;
  readonly endReason: CallEndReason | null;
}

export interface CallDescription extends CallSummary {
  readonly turns: readonly Turn[];
  readonly statistics: Readonly<Record<string, number>>;
}

export interface SpeakOptions {
  /** Default: the call's. */
  readonly voice?: string | undefined;
  /** The turn that the text answers. */
  readonly turn?: Turn;
  /** Whether the caller's voice may end it. Default true. */
  readonly interruptible?: boolean | undefined;
}

/** One call: a leg on one side, speech or a partner on the other, and the events that tell of both. */
export class Call {
  readonly id: string = randomUUID();
  readonly leg: Leg;
  readonly #services: CallServices;
  readonly #options: CallOptions;
  readonly #logger: Logger;
  readonly #timeline: Timeline;
  readonly #startedWallMs: number;
  #answeredWallMs: number | undefined;
  #endedWallMs: number | undefined;
  #endReason: CallEndReason | undefined;
  #held = false;
  #listener: Listener | undefined;
  #speaker: Speaker | undefined;
  #partner: CallPartner | undefined;
  #limit: Timer | undefined;

  constructor(leg: Leg, services: CallServices, options: CallOptions) {
    this.leg = leg;
    this.#services = services;
    this.#options = options;
    this.#logger = services.logger.child({ callId: this.id });
    this.#timeline = new Timeline((word, ms) => services.observeLatency(word, ms));
    this.#startedWallMs = services.clock.wallMs();
  }

  /** In wall time. */
  get startedMs(): number {
    return this.#startedWallMs;
  }

  /** Whether the gateway itself can speak on it now. */
  get canSpeak(): boolean {
    return this.#speaker !== undefined && this.#endReason === undefined;
  }

  /** Announces the call, answers it and starts to listen. A leg that can not be answered ends the call. */
  async start(): Promise<void> {
    const { events, clock } = this.#services;
    const { ingress, from, to, sipCallId, parameters } = this.leg;
    events.emit('call.started', this.id, {
      ingress,
      from,
      to,
      ...(sipCallId === undefined ? {} : { sipCallId }),
      ...(parameters === undefined ? {} : { parameters }),
    });
    this.#logger.info({ ingress, from, to, sipCallId }, 'call started');
    let media: LegMedia;
    try {
      media = await this.leg.answer({
        onAudio: () => (this.#listener ?? this.#partner)?.onAudio(),
        onDtmf: (digit, durationMs) => {
          events.emit('dtmf', this.id, { digit, durationMs });
          this.#partner?.onDtmf(digit, durationMs);
        },
        onHeld: () => this.#setHeld(true),
        onResumed: () => this.#setHeld(false),
        onEnded: (reason) => this.#end(reason),
      });
    } catch (thrown) {
      this.#logger.warn({ error: toError(thrown) }, 'the call could not be answered');
      this.#end(thrown instanceof GatewayError ? 'rejected' : 'error');
      return;
    }
    if (this.#endReason !== undefined) return;
    this.#answeredWallMs = clock.wallMs();
    events.emit('call.answered', this.id, {});
    this.#limit = clock.after(this.#options.maxCallMs, () => this.hangup('gateway'));
    if (this.#options.join) this.#partner = this.#options.join(this, media);
    else this.#listenAndSpeak(media);
  }

  /**
   * Speaks `text` after what is being spoken already. @returns the playback's id.
   *
   * @throws GatewayError `ERR_WRONG_STATE` - the call is not up; `ERR_TTS_BACKLOG` - too much waits already.
   */
  speak(text: string, options: SpeakOptions = {}): string {
    return this.#upSpeaker().speak(text, { ...options, voice: options.voice ?? this.#options.voice });
  }

  /** Silences what is being spoken, and what waits. @throws GatewayError `ERR_WRONG_STATE` */
  stopSpeaking(): void {
    this.#upSpeaker().stop();
  }

  hangup(reason: CallEndReason): void {
    this.leg.hangup(reason);
  }

  summarize(): CallSummary {
    const iso = (wallMs: number | undefined): string | null =>
      wallMs === undefined ? null : new Date(wallMs).toISOString();
    return {
      callId: this.id,
      state: this.#state(),
      ingress: this.leg.ingress,
      from: this.leg.from,
      to: this.leg.to,
      sipCallId: this.leg.sipCallId ?? null,
      startedAt: new Date(this.#startedWallMs).toISOString(),
      answeredAt: iso(this.#answeredWallMs),
      endedAt: iso(this.#endedWallMs),
      endReason: this.#endReason ?? null,
    };
  }

  describe(): CallDescription {
    return { ...this.summarize(), turns: this.#timeline.turns, statistics: this.leg.statistics() };
  }

  #listenAndSpeak(media: LegMedia): void {
    const speaker = new Speaker(this.id, media, this.#services, {
      timeline: this.#timeline,
      resumeAfterFalseAlarm: this.#options.resumeAfterFalseAlarm,
    });
    this.#speaker = speaker;
    this.#listener = new Listener(this.id, media.capture, this.#services, {
      sttSampleRate: this.#options.sttSampleRate,
      timeline: this.#timeline,
      voiceActivity: new VoiceActivity({ sampleRate: media.capture.sampleRate }),
      isVoice: (frame, startSample, soundsVoiced) => speaker.hear(frame, startSample, soundsVoiced),
      onTranscript: (text, turn) => this.#options.onTranscript(this, text, turn),
    });
  }

  #upSpeaker(): Speaker {
    if (this.#speaker && this.#endReason === undefined) return this.#speaker;
    if (this.#partner && this.#endReason === undefined) {
      throw new GatewayError('ERR_WRONG_STATE', {
        found: 'the call is joined to a hosted agent, which does the talking',
        needed: 'a call of GATEWAY_ON_CALL transcribe, echo or app',
      });
    }
    throw new GatewayError('ERR_WRONG_STATE', { found: 'the call is not up', needed: 'an answered call' });
  }

  #state(): CallSummary['state'] {
    if (this.#endReason !== undefined) return 'ended';
    if (this.#answeredWallMs === undefined) return 'ringing';
    return this.#held ? 'held' : 'answered';
  }

  #setHeld(held: boolean): void {
    if (this.#held === held || this.#endReason !== undefined) return;
    this.#held = held;
    this.#listener?.setHeld(held);
    this.#speaker?.setHeld();
    this.#partner?.setHeld(held);
    this.#services.events.emit(held ? 'call.held' : 'call.resumed', this.id, {});
  }

  #end(reason: CallEndReason): void {
    if (this.#endReason !== undefined) return;
    this.#endReason = reason;
    this.#endedWallMs = this.#services.clock.wallMs();
    this.#limit?.cancel();
    this.#speaker?.close();
    const settled = (this.#listener ?? this.#partner)?.close() ?? Promise.resolve();
    this.#services.events.emit('call.ended', this.id, { reason });
    this.#logger.info({ reason, ...this.leg.statistics() }, 'call ended');
    void settled.then(() => this.#options.onSettled(this));
  }
}
