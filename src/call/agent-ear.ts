import { Resampler } from '../audio/resampler.ts';
import type { Clock, Timer } from '../core/clock.ts';
import type { Capture } from '../ingress/capture.ts';
import { AGENT_SAMPLE_RATE } from '../platform/voice-agent/agent-link.ts';

const FRAME_MS = 20;
/** How often a caller who sends nothing is looked for. */
const CHECK_MS = 100;
/** What a network may hold packets back before their absence counts as silence. */
const STALLED_AFTER_MS = 250;

/**
 * The caller's voice for an agent: the call's capture at 16 kHz, as it comes, once and in order.
 *
 * An agent decides from the silence after a sentence that it has ended. A caller with silence suppression sends nothing
 * then, and the capture learns of the gap only with the next packet; so silence is sent for it meanwhile, and what the
 * capture fills in for the same gap later is left out. Packets that were only late are not: the caller is then heard by
 * so much later.
 */
export class AgentEar {
  readonly #capture: Capture;
  readonly #clock: Clock;
  readonly #send: (pcm: Int16Array) => void;
  readonly #resampler: Resampler;
  readonly #frame: Int16Array;
  readonly #resampled: Int16Array;
  readonly #silence: Int16Array;
  readonly #check: Timer;
  #nextSample = 0;
  /** Silence that was sent ahead of the capture, in its samples. */
  #aheadSamples = 0;
  /** Up to when the agent has what the caller said. */
  #sentUntilMs: number;
  #isHeld = false;
  #isClosed = false;

  /** `send` gets 16 bit mono at 16 kHz, which it may not keep. */
  constructor(capture: Capture, clock: Clock, send: (pcm: Int16Array) => void) {
    this.#capture = capture;
    this.#clock = clock;
    this.#send = send;
    this.#resampler = new Resampler({ inputRate: capture.sampleRate, outputRate: AGENT_SAMPLE_RATE });
    this.#frame = new Int16Array((capture.sampleRate * FRAME_MS) / 1000);
    this.#silence = new Int16Array(this.#frame.length);
    this.#resampled = new Int16Array((AGENT_SAMPLE_RATE * FRAME_MS) / 1000);
    this.#sentUntilMs = clock.nowMs();
    this.#check = clock.every(CHECK_MS, () => this.#fillStall());
  }

  /** Takes and releases what the capture has. */
  onAudio(): void {
    if (this.#isClosed) return;
    const { ring } = this.#capture;
    const frame = this.#frame;
    while (this.#nextSample + frame.length <= ring.headSample) {
      ring.read(this.#nextSample, frame);
      this.#nextSample += frame.length;
      ring.release(this.#nextSample);
      if (!this.#isHeld) this.#take(frame);
    }
  }

  /** A held caller is not listened to: what arrives is music or nothing. */
  setHeld(isHeld: boolean): void {
    const nowMs = this.#clock.nowMs();
    this.#isHeld = isHeld;
    this.#sentUntilMs = nowMs;
    // The capture fills the time in which nothing came up with silence, which the agent is not to sit through now.
    this.#aheadSamples = ((nowMs - this.#capture.lastArrivalMs) * this.#capture.sampleRate) / 1000;
  }

  close(): void {
    this.#isClosed = true;
    this.#check.cancel();
  }

  #take(frame: Int16Array): void {
    this.#sentUntilMs = this.#clock.nowMs();
    if (this.#aheadSamples > 0 && isZero(frame)) {
      this.#aheadSamples -= frame.length;
      return;
    }
    this.#aheadSamples = 0;
    this.#pass(frame);
  }

  #fillStall(): void {
    if (this.#isHeld) return;
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#capture.lastArrivalMs < STALLED_AFTER_MS) return;
    for (; this.#sentUntilMs + FRAME_MS <= nowMs; this.#sentUntilMs += FRAME_MS) {
      this.#aheadSamples += this.#silence.length;
      this.#pass(this.#silence);
    }
  }

  #pass(frame: Int16Array): void {
    const length = this.#resampler.process(frame, this.#resampled);
    this.#send(this.#resampled.subarray(0, length));
  }
}

function isZero(pcm: Int16Array): boolean {
  for (let i = 0; i < pcm.length; i++) if (pcm[i] !== 0) return false;
  return true;
}
