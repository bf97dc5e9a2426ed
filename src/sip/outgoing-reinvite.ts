import { randomInt } from 'node:crypto';
import type { Timer } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { acknowledger } from './acknowledge.ts';
import type { AgentContext } from './agent-context.ts';
import { ALLOW, SDP_CONTENT } from './capabilities.ts';
import type { ClientFailure } from './client-transaction.ts';
import type { Dialog } from './dialog.ts';
import type { SipResponse } from './message.ts';
import { SipRefusedError } from './refused-error.ts';
import { bodyText } from './session-body.ts';

/** How often a re-INVITE that met the peer's own (491) is tried again. */
const MAX_GLARE_RETRIES = 4;

export interface OutgoingReinviteOptions {
  readonly agent: AgentContext;
  readonly dialog: Dialog;
  readonly offer: string;
  /** Whether the Call-ID is ours. */
  readonly isCaller: boolean;
  /** Whether an answer of ours still waits for its ACK, so that no offer may be made. */
  readonly isBusy: () => boolean;
  /** The peer no longer knows the call or no longer answers (RFC 3261 section 12.2.1.2). */
  readonly onLost: () => void;
  readonly onSettled: () => void;
}

/** A change of the session that we ask for (RFC 3261 section 14.1). */
export class OutgoingReinvite {
  /** The peer's answer; rejects as `Call.reinvite` documents. */
  readonly result: Promise<string>;
  readonly #options: OutgoingReinviteOptions;
  #resolve: (answer: string) => void = () => {};
  #reject: (error: GatewayError) => void = () => {};
  #retriesLeft = MAX_GLARE_RETRIES;
  #retryTimer: Timer | undefined;
  #settled = false;
  #pending = false;

  constructor(options: OutgoingReinviteOptions) {
    this.#options = options;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#send();
  }

  /** Whether an INVITE of ours is on its way; during the pause after a collision none is. */
  get pending(): boolean {
    return this.#pending;
  }

  /** The call ended. A 2xx that comes nevertheless is still acknowledged. */
  abandon(): void {
    this.#fail(new GatewayError('ERR_WRONG_STATE', 'a call that ended while it was being changed'));
  }

  #send(): void {
    const { agent, dialog, offer } = this.#options;
    this.#pending = true;
    let acknowledge: (() => void) | undefined;
    const fields = [dialog.contact(), ALLOW, SDP_CONTENT];
    agent.transactions.sendInvite(dialog.request('INVITE', fields, Buffer.from(offer, 'utf8')), {
      onResponse: (response) => {
        if (response.status >= 300) this.#receiveRefusal(response);
        else if (response.status >= 200) {
          acknowledge ??= this.#receiveAnswer(response);
          acknowledge();
        }
      },
      onFailure: (reason) => this.#receiveNothing(reason),
    });
  }

  #receiveAnswer(response: SipResponse): () => void {
    const { agent, dialog } = this.#options;
    dialog.refreshTarget(response);
    this.#settle(() => this.#resolve(bodyText(response)));
    return acknowledger(agent, dialog, response);
  }

  #receiveRefusal({ status, reason }: SipResponse): void {
    this.#pending = false;
    if (status === 491 && !this.#settled && this.#retriesLeft > 0) {
      this.#retriesLeft--;
      this.#retryLater();
      return;
    }
    this.#fail(new SipRefusedError(status, reason));
    if (status === 481 || status === 408) this.#options.onLost();
  }

  /**
   * Whoever chose the Call-ID waits longer, in units of 10 ms, so that the second attempts do not meet again; and longer
   * still while our own answer is not acknowledged, which has an end of its own.
   */
  #retryLater(): void {
    const { agent, isCaller, isBusy } = this.#options;
    const delayMs = 10 * (isCaller ? randomInt(210, 401) : randomInt(0, 201));
    this.#retryTimer = agent.clock.after(delayMs, () => {
      if (isBusy()) this.#retryLater();
      else this.#send();
    });
  }

  #receiveNothing(reason: ClientFailure): void {
    if (reason === 'timeout') {
      this.#fail(new GatewayError('ERR_SIP_TIMEOUT', 'a re-INVITE without an answer'));
      this.#options.onLost();
    } else this.#fail(new SipRefusedError(503, 'the re-INVITE could not be sent'));
  }

  #fail(error: GatewayError): void {
    this.#settle(() => this.#reject(error));
  }

  /** The first outcome counts. */
  #settle(settle: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#pending = false;
    this.#retryTimer?.cancel();
    this.#options.onSettled();
    settle();
  }
}
