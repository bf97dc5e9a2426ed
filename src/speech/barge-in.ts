import { PitchFinder } from '../audio/pitch.ts';
import type { Hearing } from './echo-detector.ts';

/** How loud a reply goes on while it is not known whether the caller speaks: 14 dB below, so that both are understood. */
const DUCK_GAIN = 0.2;
/** The reply falls silent at so many voiced frames of the last five: what the segmenter calls the start of speech. */
const ONSET_FRAMES = 3;
const ONSET_WINDOW_FRAMES = 5;
/** So many frames with a pitch are a voice: coughs, knocks and breath have none, hardly a word has fewer. */
const PITCHED_FRAMES = 3;
/** Least similarity of one period to the next that counts as a pitch. */
const PITCH_CORRELATION = 0.7;
/** So much voice is speech also without a pitch, as a whisper is. */
const VOICED_FRAMES = 25;
/** After so much silence a duck is over, and after so much a pause. */
const DUCK_RELEASE_FRAMES = 10;
const PAUSE_RELEASE_FRAMES = 25;
/** A caller who stops sending is silent. */
const STALL_MS = 600;

/** The reply that is spoken over. */
export interface BargeInTarget {
  /** Whether something is heard that the caller may interrupt. */
  readonly isInterruptible: boolean;
  duck(gain: number): void;
  pause(): void;
  resume(): void;
  interrupt(which: 'interruptible'): void;
  /** When all that was written until now will have been heard, on the monotonic clock. */
  silentAtMs(nowMs: number): number;
}

export interface BargeInOptions {
  readonly target: BargeInTarget;
  readonly sampleRate: 8000 | 16000;
  /** Whether a reply goes on after a noise that silenced it; else it is given up as soon as it falls silent. */
  readonly resumeAfterFalseAlarm: boolean;
  readonly counters: BargeInCounters;
  /** The caller has interrupted a reply: the first sample of the voice, and when the reply was heard last. */
  readonly onBargeIn: (firstVoicedSample: number, silentAtMs: number) => void;
}

/** Of all calls together. */
export class BargeInCounters {
  /** Replies that were made quieter because of a voiced frame. */
  ducked = 0;
  /** Replies that the caller interrupted. */
  bargeIns = 0;
  /** Replies that went on, or went on as loud as before, because no speech followed. */
  falseAlarms = 0;
}

/**
 * Lets a caller speak over a reply.
 *
 * ```
 *  idle ── a voiced frame ──► ducked ── onset ──► paused ── it is speech ──► interrupted
 *    ▲                          │                    │
 *    └──────── silence ─────────┴────────────────────┘  false alarm: the reply goes on where it was
 * ```
 *
 * The reply falls silent at the onset; whether its request is given up is decided when a voice is told from a cough.
 * Pure: time passes with frames of 20 ms, and with `onTick` where they stop coming.
 */
export class BargeIn {
  readonly #options: BargeInOptions;
  readonly #pitch: PitchFinder;
  /** The frame before and the one at work. */
  readonly #window: Int16Array;
  #state: 'idle' | 'ducked' | 'paused' = 'idle';
  /** Voice of the newest frames, the newest in bit 0. */
  #voicedBits = 0;
  #firstVoicedSample = 0;
  #voicedFrames = 0;
  #pitchedFrames = 0;
  #silentFrames = 0;
  #silentAtMs = 0;
  #lastFrameMs = 0;

  constructor(options: BargeInOptions) {
    this.#options = options;
    this.#pitch = new PitchFinder(options.sampleRate);
    this.#window = new Int16Array((2 * 20 * options.sampleRate) / 1000);
  }

  /** Whether frames matter: something plays, or was silenced. */
  get isActive(): boolean {
    return this.#state !== 'idle' || this.#options.target.isInterruptible;
  }

  /** The next 20 ms of the caller, which start at `startSample`. */
  onFrame(frame: Int16Array, startSample: number, hearing: Hearing, nowMs: number): void {
    this.#lastFrameMs = nowMs;
    if (!this.#options.target.isInterruptible) {
      this.reset();
      return;
    }
    this.#window.copyWithin(0, frame.length);
    this.#window.set(frame, frame.length);
    this.#voicedBits = ((this.#voicedBits << 1) | Number(hearing !== 'nobody')) & ((1 << ONSET_WINDOW_FRAMES) - 1);
    if (hearing !== 'nobody') this.#onVoice(startSample, hearing === 'caller', nowMs);
    else if (this.#state !== 'idle') this.#onSilence();
  }

  /** About once per packet time. */
  onTick(nowMs: number): void {
    if (this.#state !== 'idle' && nowMs - this.#lastFrameMs > STALL_MS) this.#falseAlarm();
  }

  /** Forgets what was heard. What was ducked or paused for it goes on as before. */
  reset(): void {
    if (this.#state !== 'idle') {
      this.#options.target.duck(1);
      this.#options.target.resume();
    }
    this.#state = 'idle';
    this.#voicedBits = 0;
    this.#voicedFrames = 0;
    this.#pitchedFrames = 0;
    this.#silentFrames = 0;
  }

  #onVoice(startSample: number, isCaller: boolean, nowMs: number): void {
    const { target, resumeAfterFalseAlarm, counters } = this.#options;
    this.#silentFrames = 0;
    this.#voicedFrames++;
    if (this.#isPitched()) this.#pitchedFrames++;
    if (this.#state === 'idle') {
      this.#state = 'ducked';
      this.#firstVoicedSample = startSample;
      counters.ducked++;
      target.duck(DUCK_GAIN);
    }
    if (this.#state === 'ducked' && isCaller && countBits(this.#voicedBits) >= ONSET_FRAMES) {
      this.#state = 'paused';
      target.pause();
      this.#silentAtMs = target.silentAtMs(nowMs);
    }
    const isSpeech = this.#pitchedFrames >= PITCHED_FRAMES || this.#voicedFrames >= VOICED_FRAMES;
    if (this.#state === 'paused' && isCaller && (isSpeech || !resumeAfterFalseAlarm)) this.#interrupt();
  }

  #onSilence(): void {
    this.#silentFrames++;
    if (this.#silentFrames >= (this.#state === 'ducked' ? DUCK_RELEASE_FRAMES : PAUSE_RELEASE_FRAMES)) {
      this.#falseAlarm();
    }
  }

  #interrupt(): void {
    const { target, counters, onBargeIn } = this.#options;
    this.#state = 'idle';
    this.reset();
    counters.bargeIns++;
    target.interrupt('interruptible');
    onBargeIn(this.#firstVoicedSample, this.#silentAtMs);
  }

  #falseAlarm(): void {
    this.#options.counters.falseAlarms++;
    this.reset();
  }

  #isPitched(): boolean {
    const start = this.#window.length - this.#pitch.windowSamples;
    this.#pitch.search(this.#window, start, -1);
    return this.#pitch.correlation >= PITCH_CORRELATION;
  }
}

/** Of a number of at most five bits. */
function countBits(bits: number): number {
  return (bits & 1) + ((bits >> 1) & 1) + ((bits >> 2) & 1) + ((bits >> 3) & 1) + ((bits >> 4) & 1);
}
