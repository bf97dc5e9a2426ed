/** LiveKit's words, which the guide uses. */
export type ConnectionQuality = 'excellent' | 'good' | 'poor' | 'lost';

export interface ConnectionMetrics {
  /** From here to the agent and back; undefined until it is known. */
  readonly roundTripMs: number | undefined;
  /** Mean change of the round trip from one measurement to the next. */
  readonly jitterMs: number | undefined;
  /** What was given to send and has not left. */
  readonly bufferedBytes: number;
  readonly reconnects: number;
}

/** ITU-T G.114: up to 150 ms one way go unnoticed in most conversations, beyond 400 ms they are hard to bear. */
const EXCELLENT_ROUND_TRIP_MS = 300;
const GOOD_ROUND_TRIP_MS = 800;
const EXCELLENT_JITTER_MS = 50;
const GOOD_JITTER_MS = 200;
/** More than a fifth of a second of the caller's voice: the network does not keep up. */
const GOOD_BUFFERED_BYTES = 20_000;

/** How well a conversation can go over a link that has these `metrics`. */
export function qualityOf({ roundTripMs = 0, jitterMs = 0, bufferedBytes }: ConnectionMetrics): ConnectionQuality {
  if (roundTripMs > GOOD_ROUND_TRIP_MS || jitterMs > GOOD_JITTER_MS || bufferedBytes > GOOD_BUFFERED_BYTES)
    return 'poor';
  return roundTripMs <= EXCELLENT_ROUND_TRIP_MS && jitterMs <= EXCELLENT_JITTER_MS ? 'excellent' : 'good';
}

/** Round trips of one link: the newest, and the smoothed change from one to the next. */
export class RoundTrips {
  #lastMs: number | undefined;
  #jitterMs: number | undefined;

  get roundTripMs(): number | undefined {
    return this.#lastMs;
  }

  get jitterMs(): number | undefined {
    return this.#jitterMs;
  }

  add(roundTripMs: number): void {
    if (this.#lastMs !== undefined) {
      const change = Math.abs(roundTripMs - this.#lastMs);
      this.#jitterMs = this.#jitterMs === undefined ? change : this.#jitterMs + (change - this.#jitterMs) / 4;
    }
    this.#lastMs = roundTripMs;
  }
}
