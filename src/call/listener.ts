import { randomUUID } from 'node:crypto';
import type { VoiceActivity } from '../audio/voice-activity.ts';
import type { Timer } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import type { Capture } from '../ingress/capture.ts';
import { isAudible } from '../speech/loudness.ts';
import { FRAME_MS, Segmenter, type SegmenterEvent, type SpeechEnded } from '../speech/segmenter.ts';
import type { Transcript } from '../speech/transcriber.ts';
import { UtteranceAudio } from '../speech/utterance-audio.ts';
import type { CallServices } from './call.ts';
import type { Timeline, Turn } from './timeline.ts';

/** How often an open utterance is looked at: has its caller stopped sending, has the end silence changed? */
const OPEN_CHECK_MS = 50;
/** What a network may hold packets back before their absence counts as silence, on top of the end silence. */
const STALL_GRACE_MS = 250;

/** The 20 ms at work, one for all calls of a rate, because a call runs to its end: it stays in the processor's cache. */
const FRAMES = { 8000: new Int16Array(8 * FRAME_MS), 16000: new Int16Array(16 * FRAME_MS) } as const;

export interface ListenerOptions {
  /** Utterances are handed to the transcriber at this rate. */
  readonly sttSampleRate: 8000 | 16000;
  readonly timeline: Timeline;
  /** Owned: closed with the listener. */
  readonly voiceActivity: VoiceActivity;
  /** Whether 20 ms from `startSample` on are the caller's voice, when they sound like a voice or do not. */
  readonly isVoice: (frame: Int16Array, startSample: number, soundsVoiced: boolean) => boolean;
  /** Told of each transcript that has words, in the order they were spoken. */
  readonly onTranscript: (text: string, turn: Turn) => void;
}

/**
 * The ear of one call: capture → voice activity → utterances → transcriber → events. Every `speech.ended` it emits is
 * followed by exactly one `transcript.final` or one `error` that names it, in order, also after the call has ended; what
 * was kept while the platform is away is told by whoever keeps it.
 */
export class Listener {
  readonly #callId: string;
  readonly #capture: Capture;
  readonly #services: CallServices;
  readonly #options: ListenerOptions;
  readonly #segmenter: Segmenter;
  readonly #utterance: UtteranceAudio;
  /** Runs while an utterance is open. */
  #openCheck: Timer | undefined;
  /** Keeps a connection to the platform open while the call lasts. */
  readonly #coolDown: () => void;
  #nextSample = 0;
  #utteranceId = '';
  #held = false;
  #closed = false;
  /** Resolves when every utterance so far has its answer. */
  #answered: Promise<void> = Promise.resolve();

  constructor(callId: string, capture: Capture, services: CallServices, options: ListenerOptions) {
    this.#callId = callId;
    this.#capture = capture;
    this.#services = services;
    this.#options = options;
    this.#utterance = new UtteranceAudio({
      ring: capture.ring,
      inputRate: capture.sampleRate,
      outputRate: options.sttSampleRate,
    });
    this.#segmenter = new Segmenter({
      sampleRate: capture.sampleRate,
      endSilenceMs: services.endSilence.ms,
      voice: (frame) => {
        const isVoice = options.voiceActivity.judge(frame, capture.levels);
        return options.isVoice(frame, this.#nextSample - frame.length, isVoice);
      },
    });
    this.#coolDown = services.transcriber.warm();
  }

  onAudio(): void {
    if (this.#closed) return;
    const { ring, frameEndSample } = this.#capture;
    const frame = FRAMES[this.#capture.sampleRate];
    this.#nextSample = frameEndSample;
    if (this.#held) {
      ring.release(frameEndSample);
      return;
    }
    const startSample = frameEndSample - frame.length;
    ring.read(startSample, frame);
    this.#take(this.#segmenter.push(frame, startSample));
    ring.release(Math.min(this.#utterance.take(frameEndSample), this.#segmenter.nextUtteranceFromSample));
  }

  /** A held caller is not listened to: what arrives is music or nothing. */
  setHeld(held: boolean): void {
    if (held) this.#finish();
    this.#held = held;
  }

  /** Ends an open utterance. @returns a promise for the answer to the last one. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#finish();
      this.#closed = true;
      this.#coolDown();
      this.#options.voiceActivity.close();
    }
    return this.#answered;
  }

  #finish(): void {
    for (const event of this.#segmenter.finish()) this.#take(event);
  }

  /**
   * Follows the end silence while an utterance is open, and ends that of a caller who sends nothing any more, as one
   * with silence suppression does.
   */
  #lookAtOpen(): void {
    this.#segmenter.endSilenceMs = this.#services.endSilence.ms;
    const silentMs = this.#services.clock.nowMs() - this.#capture.lastArrivalMs;
    if (silentMs > this.#segmenter.endSilenceMs + STALL_GRACE_MS) this.#finish();
  }

  #take(event: SegmenterEvent | undefined): void {
    if (!event) return;
    const { events } = this.#services;
    if (event.type === 'started') {
      this.#utteranceId = randomUUID();
      this.#utterance.begin(event.startSample);
      this.#segmenter.endSilenceMs = this.#services.endSilence.ms;
      this.#openCheck = this.#services.clock.every(OPEN_CHECK_MS, () => this.#lookAtOpen());
      events.emit('speech.started', this.#callId, { utteranceId: this.#utteranceId });
      return;
    }
    this.#openCheck?.cancel();
    this.#transcribe(this.#utteranceId, event);
  }

  #transcribe(id: string, ended: SpeechEnded): void {
    const { startSample, lastVoicedSample, isSpeech } = ended;
    // Speech that goes on to the last packet ends with it, not with the last whole frame.
    const endSample = ended.endSample === this.#nextSample ? this.#capture.ring.headSample : ended.endSample;
    const { events, clock, transcriber } = this.#services;
    const { timeline, sttSampleRate: sampleRate } = this.#options;
    const startMs = this.#capture.toMs(startSample);
    const endMs = this.#capture.toMs(endSample);
    events.emit('speech.ended', this.#callId, { utteranceId: id, startMs, endMs });
    const decidedAtMs = clock.nowMs();
    const voicedMs = this.#capture.arrivalMsOf(lastVoicedSample);
    const turn = timeline.begin(id, startMs, endMs);
    timeline.record(turn, 'endpointing', decidedAtMs - voicedMs);
    const pcm = this.#utterance.end(endSample);
    const isSent = isSpeech && isAudible(pcm, sampleRate);
    const callId = this.#callId;
    const transcript: Promise<Transcript> = isSent
      ? transcriber.submit({ id, callId, pcm, sampleRate, startMs, endMs, decidedAtMs, voicedAtMs: voicedMs })
      : Promise.resolve(transcriber.skip({ id, startMs, endMs }));
    const tell = transcript.then(
      ({ text, parts, sttQueueMs, sttMs }) => {
        if (isSent) {
          timeline.record(turn, 'sttQueue', sttQueueMs);
          timeline.record(turn, 'stt', sttMs);
        }
        const latencyMs = Math.max(0, Math.round(clock.nowMs() - voicedMs));
        const [first] = parts;
        // Utterances that were one request are one event, which comes with the last of them.
        const isLast = parts.at(-1)?.id === id;
        return () => {
          if (isLast) {
            const whole = { startMs: first?.startMs ?? startMs, endMs, latencyMs, utterances: parts };
            events.emit('transcript.final', this.#callId, { text, ...whole });
          }
          if (isLast && text !== '' && !this.#closed) this.#options.onTranscript(text, turn);
          else timeline.finish(turn);
        };
      },
      (thrown: unknown) => () => {
        const { code, message, retryable } = asSttError(thrown);
        // Whoever keeps it answers for it, later.
        if (code !== 'ERR_STT_DEFERRED') {
          events.emit('error', this.#callId, { code, message, retryable, utteranceId: id });
        }
        timeline.finish(turn);
      },
    );
    this.#answered = this.#answered.then(() => tell).then((run) => run());
  }
}

function asSttError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError('ERR_STT_FAILED', { found: toError(thrown).message, cause: thrown });
}
