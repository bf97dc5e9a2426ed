import { VoiceActivity } from '../../audio/voice-activity.ts';
import { ENGINE_SAMPLE_RATE } from '../engines/engine.ts';
import { MAX_UTTERANCE_S } from '../utterance.ts';

const FRAME_MS = 20;
const FRAME_SAMPLES = (ENGINE_SAMPLE_RATE * FRAME_MS) / 1000;
/** So much voice, pauses of 100 ms in it allowed, is somebody who speaks and not a click. */
const ONSET_FRAMES = 120 / FRAME_MS;
const BROKEN_AFTER_FRAMES = 100 / FRAME_MS;
/** Silence that ends an utterance. */
const END_FRAMES = 600 / FRAME_MS;
/** What is kept from before the onset was known: the onset itself and the soft consonant in front of it. */
const PRE_ROLL_FRAMES = 400 / FRAME_MS;
const MAX_FRAMES = ((MAX_UTTERANCE_S - 1) * 1000) / FRAME_MS;

export interface EarListener {
  /** Somebody began to speak. */
  onSpeech(): void;
  /** Somebody has spoken: 16 kHz, owned by the listener. */
  onUtterance(pcm: Int16Array): void;
}

/** Finds utterances in the caller's audio. Time is that of the audio. `VoiceActivity.load()` must be done before. */
export class CallerEar {
  readonly #listener: EarListener;
  readonly #detector = new VoiceActivity({ sampleRate: ENGINE_SAMPLE_RATE });
  readonly #partial = new Int16Array(FRAME_SAMPLES);
  #partialSamples = 0;
  #frames: Int16Array[] = [];
  #voicedFrames = 0;
  #silentFrames = 0;
  #isSpeaking = false;

  constructor(listener: EarListener) {
    this.#listener = listener;
  }

  /** Whether an utterance is under way. */
  get isSpeaking(): boolean {
    return this.#isSpeaking;
  }

  /** Takes any number of samples. */
  hear(pcm: Int16Array): void {
    for (let from = 0; from < pcm.length; ) {
      const part = pcm.subarray(from, from + FRAME_SAMPLES - this.#partialSamples);
      this.#partial.set(part, this.#partialSamples);
      this.#partialSamples += part.length;
      from += part.length;
      if (this.#partialSamples < FRAME_SAMPLES) return;
      this.#partialSamples = 0;
      this.#takeFrame(this.#partial.slice());
    }
  }

  /** The audio stopped: what was said so far is an utterance. */
  flush(): void {
    if (this.#isSpeaking) this.#finish();
  }

  close(): void {
    this.#detector.close();
  }

  #takeFrame(frame: Int16Array): void {
    const isVoice = this.#detector.process(frame);
    this.#frames.push(frame);
    this.#silentFrames = isVoice ? 0 : this.#silentFrames + 1;
    if (isVoice) this.#voicedFrames++;
    if (this.#isSpeaking) {
      if (this.#silentFrames >= END_FRAMES || this.#frames.length >= MAX_FRAMES) this.#finish();
      return;
    }
    if (this.#silentFrames >= BROKEN_AFTER_FRAMES) this.#voicedFrames = 0;
    if (this.#voicedFrames >= ONSET_FRAMES) {
      this.#isSpeaking = true;
      this.#listener.onSpeech();
    } else if (this.#frames.length > PRE_ROLL_FRAMES) {
      this.#frames.shift();
    }
  }

  #finish(): void {
    const pcm = new Int16Array(this.#frames.length * FRAME_SAMPLES);
    for (const [index, frame] of this.#frames.entries()) pcm.set(frame, index * FRAME_SAMPLES);
    this.#frames = [];
    this.#voicedFrames = 0;
    this.#silentFrames = 0;
    this.#isSpeaking = false;
    this.#listener.onUtterance(pcm);
  }
}
