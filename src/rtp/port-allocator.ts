/**
 * The pairs of a port range: RTP on an even port, RTCP on the next (RFC 3550 section 11).
 *
 * Pairs are taken from the front of a queue that starts at a random place, and go back to its end. So a pair rests for
 * as long as the range allows, and late packets of a finished call find nobody there rather than the next call; and a
 * gateway that restarts does not begin with the ports it used last.
 */
export class PortAllocator {
  /** A ring of even ports; the pairs in use are not in it. */
  readonly #queue: Uint16Array;
  #head = 0;
  #free: number;

  /**
   * @param range - Inclusive.
   * @param random - A number of [0, 1).
   * @throws RangeError - if the range is not within 1-65535 or holds no pair.
   */
  constructor(range: readonly [number, number], random: () => number = Math.random) {
    const [first, last] = range;
    if (!Number.isInteger(first) || !Number.isInteger(last) || first < 1 || last > 65535) {
      throw new RangeError(`Expected a port range within 1-65535 but received ${first}-${last}`);
    }
    const firstEven = first + (first % 2);
    const pairs = Math.floor((last - firstEven + 1) / 2);
    if (pairs < 1) {
      throw new RangeError(`Expected a range with an even port and the next but received ${first}-${last}`);
    }
    const start = Math.floor(random() * pairs);
    this.#queue = Uint16Array.from({ length: pairs }, (_, pair) => firstEven + ((start + pair) % pairs) * 2);
    this.#free = pairs;
  }

  get freePairs(): number {
    return this.#free;
  }

  /** The even port of the pair that has rested longest, or undefined when all are in use. */
  take(): number | undefined {
    if (this.#free === 0) return undefined;
    const port = this.#queue[this.#head];
    this.#head = (this.#head + 1) % this.#queue.length;
    this.#free -= 1;
    return port;
  }

  /** Gives a pair back that `take()` returned. */
  release(port: number): void {
    if (this.#free === this.#queue.length) throw new RangeError(`Expected a port in use but received ${port}`);
    this.#queue[(this.#head + this.#free) % this.#queue.length] = port;
    this.#free += 1;
  }
}
