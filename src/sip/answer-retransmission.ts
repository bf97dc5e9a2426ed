import type { Clock, Timer } from '../core/clock.ts';
import type { InviteServerTransaction } from './server-transaction.ts';
import { T1_MS, T2_MS, TRANSACTION_TIMEOUT_MS } from './timers.ts';

/**
 * Repeats the 2xx to an INVITE until its ACK came, for 64*T1 at most (RFC 3261 section 13.3.1.4): every hop but the
 * last may be reliable, so this is not the transaction's work.
 */
export class AnswerRetransmission {
  readonly #clock: Clock;
  readonly #transaction: InviteServerTransaction;
  #repeatTimer: Timer;
  readonly #endTimer: Timer;

  /** @param onTimeout no ACK came. */
  constructor(clock: Clock, transaction: InviteServerTransaction, onTimeout: () => void) {
    this.#clock = clock;
    this.#transaction = transaction;
    this.#endTimer = clock.after(TRANSACTION_TIMEOUT_MS, () => {
      this.stop();
      onTimeout();
    });
    this.#repeatTimer = this.#repeatAfter(T1_MS);
  }

  stop(): void {
    this.#repeatTimer.cancel();
    this.#endTimer.cancel();
  }

  #repeatAfter(intervalMs: number): Timer {
    return this.#clock.after(intervalMs, () => {
      this.#transaction.repeatSuccess();
      this.#repeatTimer = this.#repeatAfter(Math.min(intervalMs * 2, T2_MS));
    });
  }
}
