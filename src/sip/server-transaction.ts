import type { Clock, Timer } from '../core/clock.ts';
import type { SipCounters } from './counters.ts';
import { type HeaderField, type SipRequest, tagOf } from './message.ts';
import { buildResponse, type ResponseOptions } from './response.ts';
import type { SocketAddress } from './socket-address.ts';
import { T1_MS, T2_MS, T4_MS, TRANSACTION_TIMEOUT_MS } from './timers.ts';

export interface ServerTransactionOptions {
  readonly clock: Clock;
  readonly counters: SipCounters;
  readonly request: SipRequest;
  readonly source: SocketAddress;
  /** Tag of our side in every response but 100. */
  readonly localTag: string;
  /** The Server header of every response, or nothing. */
  readonly product: readonly HeaderField[];
  /** Sends to where responses to this request go. */
  transmit(bytes: Uint8Array): void;
  onTerminated(): void;
}

/** One request received and the responses to it (RFC 3261 section 17.2). Repeats them until the peer has them. */
export abstract class ServerTransaction {
  readonly request: SipRequest;
  readonly source: SocketAddress;
  readonly localTag: string;
  protected readonly options: ServerTransactionOptions;
  protected lastResponse: Uint8Array | undefined;
  #timer: Timer | undefined;
  #finalStatus: number | undefined;
  #terminated = false;

  constructor(options: ServerTransactionOptions) {
    this.options = options;
    this.request = options.request;
    this.source = options.source;
    this.localTag = tagOf(options.request.to) || options.localTag;
  }

  get finalStatus(): number | undefined {
    return this.#finalStatus;
  }

  /**
   * Sends a response; after a final one every further call is ignored.
   *
   * @throws TypeError - when `options` hold CR, LF or NUL.
   */
  respond(status: number, options: ResponseOptions = {}): void {
    if (this.#finalStatus !== undefined || this.#terminated) return;
    const toTag = status === 100 ? undefined : this.localTag;
    const fields = [...(options.fields ?? []), ...this.options.product];
    this.lastResponse = buildResponse(this.request, this.source, status, { ...options, toTag, fields });
    if (status >= 200) this.#finalStatus = status;
    this.options.transmit(this.lastResponse);
    if (status >= 200) this.completed(status);
  }

  /** The same request came again. */
  abstract receiveRetransmission(): void;

  /** Forgets the transaction; nothing is sent any more. */
  terminate(): void {
    if (this.#terminated) return;
    this.#terminated = true;
    this.#timer?.cancel();
    this.options.onTerminated();
  }

  protected abstract completed(status: number): void;

  protected repeatResponse(): void {
    if (this.lastResponse !== undefined) this.options.transmit(this.lastResponse);
  }

  protected startTimer(delayMs: number, run: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.options.clock.after(delayMs, run);
  }
}

/** RFC 3261 section 17.2.2. */
export class NonInviteServerTransaction extends ServerTransaction {
  receiveRetransmission(): void {
    this.options.counters.retransmissionsReceived++;
    this.repeatResponse();
  }

  protected completed(): void {
    this.startTimer(TRANSACTION_TIMEOUT_MS, () => this.terminate()); // Timer J.
  }
}

/**
 * RFC 3261 section 17.2.1 with the Accepted state of RFC 6026.
 *
 * ```
 *  Proceeding ─ 2xx ─► Accepted ─ timer L ─► terminated        (the call repeats the 2xx)
 *      └ 300-699 ─► Completed (timers G, H) ─ ACK ─► Confirmed ─ timer I ─► terminated
 * ```
 */
export class InviteServerTransaction extends ServerTransaction {
  #state: 'proceeding' | 'accepted' | 'completed' | 'confirmed' = 'proceeding';
  #giveUpAtMs = 0;

  receiveRetransmission(): void {
    this.options.counters.retransmissionsReceived++;
    if (this.#state === 'proceeding' || this.#state === 'completed') this.repeatResponse();
  }

  /** An ACK with this transaction's branch. @returns whether it was for a 300-699 and so is dealt with. */
  receiveAck(): boolean {
    if (this.#state === 'completed') {
      this.#state = 'confirmed';
      this.startTimer(T4_MS, () => this.terminate()); // Timer I.
    }
    return this.#state === 'confirmed';
  }

  /** Sends the 2xx once more, as the call asks for it until its ACK came. */
  repeatSuccess(): void {
    if (this.#state !== 'accepted') return;
    this.options.counters.retransmissionsSent++;
    this.repeatResponse();
  }

  protected completed(status: number): void {
    if (status < 300) {
      this.#state = 'accepted';
      this.startTimer(TRANSACTION_TIMEOUT_MS, () => this.terminate()); // Timer L.
      return;
    }
    this.#state = 'completed';
    this.#giveUpAtMs = this.options.clock.nowMs() + TRANSACTION_TIMEOUT_MS;
    this.#scheduleRepeat(T1_MS);
  }

  /** Timer G, doubling up to T2, until timer H. */
  #scheduleRepeat(intervalMs: number): void {
    const leftMs = this.#giveUpAtMs - this.options.clock.nowMs();
    this.startTimer(Math.min(intervalMs, leftMs), () => {
      if (this.options.clock.nowMs() >= this.#giveUpAtMs) {
        this.options.counters.timeouts++;
        this.terminate();
        return;
      }
      this.options.counters.retransmissionsSent++;
      this.repeatResponse();
      this.#scheduleRepeat(Math.min(intervalMs * 2, T2_MS));
    });
  }
}
