/** The capture clock and that of the RTP timestamps may go apart by this much before the one is placed on the other anew. */
const MAX_DRIFT_SAMPLES = 480;

/**
 * Places what was played on the capture clock. The RTP timestamps of a call place its frames among each other to the
 * sample, as its caller hears them; the time of sending, which wavers with the event loop, only places the whole.
 */
export class EchoReference {
  /** Position of timestamp 0. */
  #offset: number | undefined;

  /** Position of a frame with `timestamp`, sent at `sentSample` of the capture clock; both in samples at 8 kHz. */
  place(timestamp: number, sentSample: number): number {
    const drift = this.#offset === undefined ? Number.POSITIVE_INFINITY : this.#positionOf(timestamp) - sentSample;
    if (Math.abs(drift) > MAX_DRIFT_SAMPLES) this.#offset = sentSample - timestamp;
    return this.#positionOf(timestamp);
  }

  #positionOf(timestamp: number): number {
    return (this.#offset ?? 0) + timestamp;
  }
}
