import type { Endpoint } from './transport.ts';

/** Packets with consecutive sequence numbers that a source other than SDP's must show. */
const LEARNING_PACKETS = 4;
/** They must take at least this long, so that a burst of guesses does not qualify. */
const LEARNING_SPREAD_MS = (LEARNING_PACKETS - 1) * 9 - 5;
const LEARNING_WINDOW_MS = 5000;
/** No endpoint. A number, so that V8 compares numbers and makes no object of each packet's source. */
const NO_SOURCE = -1;

/**
 * Decides whose packets are taken, as strict RTP does (Asterisk).
 *
 * The source that SDP names wins at once. Another one (a caller behind NAT) is taken only while none has won, after
 * {@link LEARNING_PACKETS} packets in sequence, spread over {@link LEARNING_SPREAD_MS} within
 * {@link LEARNING_WINDOW_MS}. From then on every other source is refused until `renegotiate()`. Only SDP's own source
 * may still take over, and only until the window after the negotiation has closed.
 *
 * After a renegotiation the source so far goes on being heard until another has won or the window has closed, so that
 * a session refresh costs no audio; while it sends, its packets keep a competitor from qualifying.
 */
export class SourceLock {
  #sdp: Endpoint | undefined;
  #current: Endpoint = NO_SOURCE;
  #destination: Endpoint | undefined;
  /** A source has won since the last negotiation. */
  #locked = false;
  #windowEndMs: number;
  #candidate: Endpoint | undefined;
  #candidatePackets = 0;
  #candidateSinceMs = 0;
  #candidateSequenceNumber = 0;

  /** `sdp` is where SDP says that packets come from, unless the peer sends none (hold) or it is not known yet. */
  constructor(sdp: Endpoint | undefined, nowMs: number) {
    this.#sdp = sdp;
    this.#destination = sdp;
    this.#windowEndMs = nowMs + LEARNING_WINDOW_MS;
  }

  get locked(): boolean {
    return this.#locked;
  }

  /** Whose packets are taken now. */
  get source(): Endpoint | undefined {
    return this.#current === NO_SOURCE ? undefined : this.#current;
  }

  /** Where packets should go: SDP's endpoint until a source has won, then that source (symmetric RTP, RFC 4961). */
  get destination(): Endpoint | undefined {
    return this.#destination;
  }

  renegotiate(sdp: Endpoint | undefined, nowMs: number): void {
    if (sdp !== this.#sdp) this.#destination = sdp;
    this.#sdp = sdp;
    this.#locked = false;
    this.#windowEndMs = nowMs + LEARNING_WINDOW_MS;
    this.#candidate = undefined;
  }

  /** Whether a packet of `source` is to be taken. Only well-formed RTP may be asked about. */
  accept(source: Endpoint, sequenceNumber: number, nowMs: number): boolean {
    if (source === this.#current && this.#locked) return true;
    if (source === this.#sdp && (!this.#locked || nowMs <= this.#windowEndMs)) return this.#lock(source);
    if (this.#locked) return false;
    if (this.#current !== NO_SOURCE && nowMs > this.#windowEndMs) {
      this.#lock(this.#current);
      return source === this.#current;
    }
    if (source === this.#current) {
      this.#candidate = undefined;
      return true;
    }
    return this.#qualifies(source, sequenceNumber, nowMs) && this.#lock(source);
  }

  #lock(source: Endpoint): true {
    this.#current = source;
    this.#destination = source;
    this.#locked = true;
    this.#candidate = undefined;
    return true;
  }

  #qualifies(source: Endpoint, sequenceNumber: number, nowMs: number): boolean {
    const follows =
      source === this.#candidate &&
      sequenceNumber === ((this.#candidateSequenceNumber + 1) & 0xffff) &&
      nowMs - this.#candidateSinceMs <= LEARNING_WINDOW_MS;
    this.#candidateSequenceNumber = sequenceNumber;
    if (follows) {
      this.#candidatePackets += 1;
      if (this.#candidatePackets < LEARNING_PACKETS) return false;
      if (nowMs - this.#candidateSinceMs >= LEARNING_SPREAD_MS) return true;
    }
    this.#candidate = source;
    this.#candidatePackets = 1;
    this.#candidateSinceMs = nowMs;
    return false;
  }
}
