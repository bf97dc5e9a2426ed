import type { ConnectionQuality } from './connection-quality.ts';

/** What a session knows of its conversation, under the names of the guide. Times are milliseconds, levels 0 … 1. */
export interface CallAnalytics {
  readonly connectionStats: {
    /** Undefined until it was measured. */
    readonly quality: ConnectionQuality | undefined;
    readonly isConnected: boolean;
    readonly connectionAttempts: number;
    readonly reconnectionAttempts: number;
    /** From `start` to the first link. */
    readonly connectionEstablishedTime: number | undefined;
    readonly roundTripTime: number | undefined;
  };
  readonly audioMetrics: {
    readonly userAudioLevel: number;
    readonly agentAudioLevel: number;
    readonly agentSpeakingTime: number;
    readonly isPaused: boolean;
    readonly volume: number;
  };
  readonly performanceMetrics: {
    readonly callDuration: number;
    /** From a transcription of the caller to the agent's voice: the newest, and the mean. */
    readonly responseTime: number | undefined;
    readonly averageResponseTime: number | undefined;
    readonly reconnectionCount: number;
  };
  readonly participants: readonly { readonly identity: 'user' | 'agent'; readonly connectionTime: number }[];
  /** One track each way. */
  readonly trackStats: { readonly totalTracks: number; readonly activeTracks: number };
  readonly callStats: { readonly totalBytesSent: number; readonly totalBytesReceived: number };
}

/** Times of one conversation. `nowMs` is monotonic. */
export class CallTimes {
  connectionAttempts = 0;
  reconnectionAttempts = 0;
  reconnections = 0;
  #startedMs: number | undefined;
  #connectedMs: number | undefined;
  #endedMs: number | undefined;
  #speakingSinceMs: number | undefined;
  #spokenMs = 0;
  #saidAtMs: number | undefined;
  #responseMs: number | undefined;
  #responses = 0;
  #responsesMs = 0;

  start(nowMs: number): void {
    this.#startedMs = nowMs;
  }

  connected(nowMs: number): void {
    this.#connectedMs ??= nowMs;
  }

  end(nowMs: number): void {
    this.listening(nowMs);
    this.#endedMs ??= nowMs;
  }

  /** What the caller said was understood. */
  transcribed(nowMs: number): void {
    this.#saidAtMs = nowMs;
  }

  speaking(nowMs: number): void {
    this.#speakingSinceMs ??= nowMs;
    if (this.#saidAtMs === undefined) return;
    this.#responseMs = nowMs - this.#saidAtMs;
    this.#responses++;
    this.#responsesMs += this.#responseMs;
    this.#saidAtMs = undefined;
  }

  listening(nowMs: number): void {
    if (this.#speakingSinceMs !== undefined) this.#spokenMs += nowMs - this.#speakingSinceMs;
    this.#speakingSinceMs = undefined;
  }

  /** From `start` to the first link. */
  get connectionEstablishedMs(): number | undefined {
    if (this.#startedMs === undefined || this.#connectedMs === undefined) return undefined;
    return Math.round(this.#connectedMs - this.#startedMs);
  }

  get responseMs(): number | undefined {
    return this.#responseMs === undefined ? undefined : Math.round(this.#responseMs);
  }

  get meanResponseMs(): number | undefined {
    return this.#responses === 0 ? undefined : Math.round(this.#responsesMs / this.#responses);
  }

  /** Since the first link. */
  durationMs(nowMs: number): number {
    return this.#connectedMs === undefined ? 0 : Math.round((this.#endedMs ?? nowMs) - this.#connectedMs);
  }

  spokenMs(nowMs: number): number {
    const sinceMs = this.#speakingSinceMs ?? nowMs;
    return Math.round(this.#spokenMs + nowMs - sinceMs);
  }
}
