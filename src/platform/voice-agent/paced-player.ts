import { SampleQueue } from '../../audio/sample-queue.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import { AGENT_SAMPLE_RATE } from './agent-link.ts';
import { type AgentPlayer, type AgentPlayerHandlers, MAX_MARKS, MAX_WAITING_MS } from './agent-player.ts';

const SAMPLES_PER_MS = AGENT_SAMPLE_RATE / 1000;
const TICK_MS = 20;
/** A voice that comes just in time has gaps between its chunks, in which the agent has not stopped to speak. */
const HANGOVER_MS = 200;
/** Longest piece that is handed on at once, after a stall. */
const PIECE_SAMPLES = TICK_MS * SAMPLES_PER_MS;

/** Hands the agent's voice on at the speed at which it is spoken: the player of a program without a loudspeaker. */
export class PacedPlayer implements AgentPlayer {
  readonly #clock: Clock;
  readonly #handlers: AgentPlayerHandlers;
  readonly #queue = new SampleQueue(MAX_WAITING_MS * SAMPLES_PER_MS);
  readonly #piece = new Int16Array(PIECE_SAMPLES);
  /** Oldest first; positions are samples since the start. */
  readonly #marks: { readonly name: string; readonly sample: number }[] = [];
  #timer: Timer | undefined;
  /** When the sample `#anchorSample` was heard. */
  #anchorMs = 0;
  #anchorSample = 0;
  #playedSample = 0;
  #emptySinceMs: number | undefined;
  #volume = 1;
  #isPaused = false;
  #isSpeaking = false;
  #isClosed = false;
  #droppedSamples = 0;

  constructor(clock: Clock, handlers: AgentPlayerHandlers) {
    this.#clock = clock;
    this.#handlers = handlers;
  }

  get isPlaying(): boolean {
    return this.#queue.length > 0 || this.#isSpeaking;
  }

  get droppedMs(): number {
    return this.#droppedSamples / SAMPLES_PER_MS;
  }

  play(pcm: Int16Array): void {
    if (this.#isClosed) return;
    this.#droppedSamples += pcm.length - this.#queue.write(pcm);
    this.#run();
  }

  mark(name: string): void {
    if (this.#isClosed || this.#marks.length >= MAX_MARKS) return;
    this.#marks.push({ name, sample: this.#playedSample + this.#queue.length });
    this.#tellMarks();
  }

  clear(): void {
    this.#queue.clear();
    this.#marks.length = 0;
    this.#stop();
    this.#setSpeaking(false);
  }

  pause(): void {
    this.#isPaused = true;
    this.#stop();
  }

  resume(): void {
    this.#isPaused = false;
    this.#run();
  }

  setVolume(volume: number): void {
    this.#volume = volume;
  }

  close(): void {
    this.#isClosed = true;
    this.clear();
  }

  #run(): void {
    if (this.#timer || this.#isPaused || this.#queue.length === 0) return;
    this.#anchor(this.#clock.nowMs());
    this.#emptySinceMs = undefined;
    this.#timer = this.#clock.every(TICK_MS, () => this.#onTick());
    this.#setSpeaking(true);
  }

  #anchor(nowMs: number): void {
    this.#anchorMs = nowMs;
    this.#anchorSample = this.#playedSample;
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #onTick(): void {
    const nowMs = this.#clock.nowMs();
    if (this.#queue.length > 0) this.#emptySinceMs = undefined;
    const dueSample = this.#anchorSample + Math.floor((nowMs - this.#anchorMs) * SAMPLES_PER_MS);
    while (this.#timer && this.#playedSample < dueSample && this.#queue.length > 0) {
      const piece = this.#piece.subarray(0, Math.min(PIECE_SAMPLES, dueSample - this.#playedSample));
      const length = this.#queue.read(piece);
      this.#playedSample += length;
      this.#tellPlayed(piece.subarray(0, length));
      this.#tellMarks();
    }
    if (this.#timer === undefined || this.#queue.length > 0) return;
    this.#anchor(nowMs);
    this.#emptySinceMs ??= nowMs;
    if (nowMs - this.#emptySinceMs < HANGOVER_MS) return;
    this.#stop();
    this.#setSpeaking(false);
  }

  #tellPlayed(pcm: Int16Array): void {
    if (this.#volume !== 1) for (let i = 0; i < pcm.length; i++) pcm[i] = Math.round(pcm[i]! * this.#volume);
    this.#handlers.onPlayed?.(pcm);
  }

  #tellMarks(): void {
    for (let mark = this.#marks[0]; mark && mark.sample <= this.#playedSample; mark = this.#marks[0]) {
      this.#marks.shift();
      this.#handlers.onMark(mark.name);
    }
  }

  #setSpeaking(isSpeaking: boolean): void {
    if (isSpeaking === this.#isSpeaking) return;
    this.#isSpeaking = isSpeaking;
    if (isSpeaking) this.#handlers.onSpeaking();
    else this.#handlers.onListening();
  }
}
