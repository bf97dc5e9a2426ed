import type { Clock, Timer } from '../core/clock.ts';
import type { SipCounters } from './counters.ts';
import type { SipResponse } from './message.ts';
import { T1_MS, T2_MS, T4_MS, TIMER_D_MS, TRANSACTION_TIMEOUT_MS } from './timers.ts';

/** Why no final response came. */
export type ClientFailure = 'timeout' | 'transport' | 'closed';

export interface ClientTransactionOptions {
  readonly clock: Clock;
  readonly counters: SipCounters;
  /** Sends the request; called again for each retransmission. `onError` says that the system did not take it. */
  transmit(onError: () => void): void;
  /** Sends the ACK of a 300-699; unused outside INVITE. */
  acknowledge(response: SipResponse): void;
  /** Provisional responses, the final one and, for INVITE, every repeated or forked 2xx. */
  onResponse(response: SipResponse): void;
  /** No final response came; called at most once and never after one. */
  onFailure(reason: ClientFailure): void;
  onTerminated(): void;
}

/** One request sent and the responses to it (RFC 3261 section 17.1). Repeats the request until the peer has it. */
export abstract class ClientTransaction {
  protected readonly options: ClientTransactionOptions;
  protected state: 'calling' | 'proceeding' | 'accepted' | 'completed' | 'terminated' = 'calling';
  #repeatTimer: Timer | undefined;
  #stateTimer: Timer | undefined;

  constructor(options: ClientTransactionOptions) {
    this.options = options;
  }

  get finished(): boolean {
    return this.state !== 'calling' && this.state !== 'proceeding';
  }

  start(): void {
    this.startStateTimer(TRANSACTION_TIMEOUT_MS, () => this.fail('timeout')); // Timer B or F.
    this.startRepeatTimer(T1_MS);
    this.#transmit();
  }

  abstract receiveResponse(response: SipResponse): void;

  /** Ends without a final response. Idempotent. */
  fail(reason: ClientFailure): void {
    const unanswered = !this.finished;
    if (reason === 'timeout' && unanswered) this.options.counters.timeouts++;
    this.terminate();
    if (unanswered) this.options.onFailure(reason);
  }

  protected terminate(): void {
    if (this.state === 'terminated') return;
    this.state = 'terminated';
    this.stopTimers();
    this.options.onTerminated();
  }

  protected stopTimers(): void {
    this.#repeatTimer?.cancel();
    this.#stateTimer?.cancel();
  }

  protected startStateTimer(delayMs: number, run: () => void): void {
    this.#stateTimer?.cancel();
    this.#stateTimer = this.options.clock.after(delayMs, run);
  }

  protected startRepeatTimer(intervalMs: number): void {
    this.#repeatTimer?.cancel();
    this.#repeatTimer = this.options.clock.after(intervalMs, () => {
      this.options.counters.retransmissionsSent++;
      this.#transmit();
      if (!this.finished) this.startRepeatTimer(this.nextIntervalMs(intervalMs));
    });
  }

  protected stopRepeating(): void {
    this.#repeatTimer?.cancel();
  }

  protected abstract nextIntervalMs(intervalMs: number): number;

  #transmit(): void {
    this.options.transmit(() => this.fail('transport'));
  }
}

/** RFC 3261 section 17.1.2: timers E, F and K. */
export class NonInviteClientTransaction extends ClientTransaction {
  receiveResponse(response: SipResponse): void {
    if (this.finished) return;
    if (response.status < 200) {
      this.state = 'proceeding';
      this.startRepeatTimer(T2_MS);
    } else {
      this.state = 'completed';
      this.stopRepeating();
      this.startStateTimer(T4_MS, () => this.terminate()); // Timer K.
    }
    this.options.onResponse(response);
  }

  protected nextIntervalMs(intervalMs: number): number {
    return Math.min(intervalMs * 2, T2_MS);
  }
}

/** RFC 3261 section 17.1.1 with the Accepted state of RFC 6026: timers A, B, D and M. */
export class InviteClientTransaction extends ClientTransaction {
  receiveResponse(response: SipResponse): void {
    const { status } = response;
    if (status < 200) {
      if (this.finished) return;
      this.state = 'proceeding';
      this.stopTimers(); // A ringing phone may take as long as it likes.
    } else if (status < 300) {
      if (this.state === 'completed' || this.state === 'terminated') return;
      if (this.state !== 'accepted') {
        this.state = 'accepted';
        this.stopRepeating();
        this.startStateTimer(TRANSACTION_TIMEOUT_MS, () => this.terminate()); // Timer M.
      }
    } else {
      if (this.state === 'accepted' || this.state === 'terminated') return;
      this.options.acknowledge(response);
      if (this.state === 'completed') return;
      this.state = 'completed';
      this.stopRepeating();
      this.startStateTimer(TIMER_D_MS, () => this.terminate());
    }
    this.options.onResponse(response);
  }

  /** Gives the request up when no final response follows a CANCEL within 64*T1 (RFC 3261 section 9.1). */
  limitAfterCancel(): void {
    if (!this.finished) this.startStateTimer(TRANSACTION_TIMEOUT_MS, () => this.fail('timeout'));
  }

  protected nextIntervalMs(intervalMs: number): number {
    return intervalMs * 2;
  }
}
