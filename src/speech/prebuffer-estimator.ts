/** Worth waiting for at most; a longer stall is heard as a pause. */
const MAX_START_DELAY_MS = 400;
/** A stall is believed by half at once, and forgotten by a twentieth with each reply without one. */
const GROWTH = 0.5;
const DECAY = 0.05;
/** Audio leaves in whole frames, which costs half of one on average. */
const FRAMING_MS = 10;

/**
 * How the audio of one reply came, against the time it takes to play.
 *
 * ```
 *  arrived ms │            ┌────
 *             │      ┌─────┘ ·        playing from the first chunk on runs dry where the stairs fall below
 *             │      │    · ┃         the line; starting later by that much, at its worst, is just enough
 *             │ ┌────┘ ·    ┃ late
 *             └─┴───·───────┻──────►
 * ```
 */
export class DeliveryTrace {
  #firstMs: number | undefined;
  #arrivedMs = 0;
  #latenessMs: number | undefined;
  #closed = false;

  /** A chunk of `audioMs` arrived at `nowMs`. */
  add(nowMs: number, audioMs: number): void {
    if (this.#closed) return;
    this.#firstMs ??= nowMs;
    if (this.#arrivedMs > 0) {
      const latenessMs = nowMs - this.#firstMs - this.#arrivedMs;
      this.#latenessMs = Math.max(this.#latenessMs ?? latenessMs, latenessMs);
    }
    this.#arrivedMs += audioMs;
  }

  /** What comes now was asked for by another request: a pause before it says nothing of stalls. */
  close(): void {
    this.#closed = true;
  }

  /** How long after its first audio the reply had to start, not to run dry. Undefined if it came in one piece. */
  get neededDelayMs(): number | undefined {
    return this.#latenessMs === undefined ? undefined : Math.max(0, this.#latenessMs + FRAMING_MS);
  }
}

/**
 * How long replies wait between their first audio and their first packet. Learned from all replies of a provider: not at
 * all while it delivers faster than is played, up to {@link MAX_START_DELAY_MS} when it stalls. Quick to grow, slow to
 * shrink.
 */
export class PrebufferEstimator {
  #startDelayMs: number;

  /** `startDelayMs` is what is assumed of a provider before anything was seen of it. */
  constructor(startDelayMs = 0) {
    this.#startDelayMs = startDelayMs;
  }

  get startDelayMs(): number {
    return this.#startDelayMs;
  }

  /** Takes what a reply turned out to have needed. */
  learn(trace: DeliveryTrace): void {
    const { neededDelayMs } = trace;
    if (neededDelayMs === undefined) return;
    const neededMs = Math.min(neededDelayMs, MAX_START_DELAY_MS);
    this.#startDelayMs += (neededMs - this.#startDelayMs) * (neededMs > this.#startDelayMs ? GROWTH : DECAY);
  }
}
