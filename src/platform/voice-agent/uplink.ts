import { rms } from '../../audio/level.ts';
import { Ring } from '../../audio/ring.ts';
import type { Clock } from '../../core/clock.ts';
import type { AgentCounters } from './agent-counters.ts';
import { AGENT_SAMPLE_RATE, type AgentLink, type ToolResult } from './agent-link.ts';

const SAMPLES_PER_MS = AGENT_SAMPLE_RATE / 1000;
/**
 * What a caller says while there is no link is kept for so long and sent when there is one: the last words before the
 * agent hears again matter, what is older was said to nobody.
 */
const KEPT_MS = 2_000;
/** A link that has more than about a second of audio to send is too slow for more. */
const MAX_BUFFERED_BYTES = 131_072;
/** Small messages that wait for a link. */
const MAX_WAITING = 128;
/** A level is of now or of nothing. */
const LEVEL_FRESH_MS = 200;
/** Longest piece of silence that stands in for a muted microphone. */
const SILENCE = new Int16Array(AGENT_SAMPLE_RATE / 10);

/** Everything that goes to the agent, over whichever link there is at the moment. */
export class Uplink {
  readonly #clock: Clock;
  readonly #counters: AgentCounters;
  readonly #kept = new Ring({ capacitySamples: KEPT_MS * SAMPLES_PER_MS });
  readonly #waiting: ((link: AgentLink) => void)[] = [];
  #link: AgentLink | undefined;
  #isMuted = false;
  #isPaused = false;
  #level = 0;
  #levelAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, counters: AgentCounters) {
    this.#clock = clock;
    this.#counters = counters;
  }

  get isMuted(): boolean {
    return this.#isMuted;
  }

  /** Root mean square of what the caller says now, 0 … 1. */
  get level(): number {
    return this.#clock.nowMs() - this.#levelAtMs < LEVEL_FRESH_MS ? this.#level : 0;
  }

  /** Goes on over `link`: what was kept leaves first. Undefined: there is none. */
  setLink(link: AgentLink | undefined): void {
    this.#link = link;
    if (!link) return;
    for (const send of this.#waiting.splice(0)) send(link);
    const { tailSample, headSample } = this.#kept;
    link.sendAudio(this.#kept.view(tailSample, headSample));
    this.#kept.release(headSample);
  }

  /**
   * The caller's voice. A muted caller is silence, not a gap: the agent decides from the silence after it that a
   * sentence has ended.
   */
  sendAudio(pcm: Int16Array): void {
    if (this.#isPaused) return;
    if (!this.#isMuted) {
      this.#noteLevel(pcm);
      this.#send(pcm);
      return;
    }
    this.#level = 0;
    for (let sent = 0; sent < pcm.length; sent += SILENCE.length) {
      this.#send(SILENCE.subarray(0, Math.min(SILENCE.length, pcm.length - sent)));
    }
  }

  sendMark(name: string): void {
    this.#later((link) => link.sendMark(name));
  }

  sendToolResults(results: readonly ToolResult[]): void {
    this.#later((link) => link.sendToolResults(results));
  }

  sendDtmf(digit: string): void {
    this.#later((link) => link.sendDtmf(digit));
  }

  setMuted(isMuted: boolean): void {
    this.#isMuted = isMuted;
  }

  /** Nothing of the caller is sent, and nothing is kept to be sent later. */
  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (isPaused) this.#kept.release(this.#kept.headSample);
  }

  #send(pcm: Int16Array): void {
    const link = this.#link;
    if (link && link.bufferedBytes <= MAX_BUFFERED_BYTES) link.sendAudio(pcm);
    else if (link) this.#counters.droppedUpMs += pcm.length / SAMPLES_PER_MS;
    else this.#keep(pcm);
  }

  /** The newest audio pushes the oldest out. */
  #keep(pcm: Int16Array): void {
    const kept = this.#kept;
    const newest = pcm.length > kept.capacitySamples ? pcm.subarray(pcm.length - kept.capacitySamples) : pcm;
    const overflow = kept.headSample - kept.tailSample + newest.length - kept.capacitySamples;
    if (overflow > 0) kept.release(kept.tailSample + overflow);
    this.#counters.droppedUpMs += (Math.max(0, overflow) + pcm.length - newest.length) / SAMPLES_PER_MS;
    kept.write(newest);
  }

  #later(send: (link: AgentLink) => void): void {
    if (this.#link) send(this.#link);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(send);
  }

  #noteLevel(pcm: Int16Array): void {
    if (pcm.length === 0) return;
    this.#level = rms(pcm) / 32768;
    this.#levelAtMs = this.#clock.nowMs();
  }
}
