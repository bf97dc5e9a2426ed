import { GatewayError } from '../core/errors.ts';
import { acknowledger } from './acknowledge.ts';
import type { AgentContext } from './agent-context.ts';
import { Call } from './call.ts';
import type { ClientFailure } from './client-transaction.ts';
import { Dialog } from './dialog.ts';
import { type SipResponse, tagOf } from './message.ts';
import { SipRefusedError } from './refused-error.ts';
import type { OutgoingRequest } from './request.ts';
import { bodyText } from './session-body.ts';
import type { SentInvite } from './transactions.ts';

/** A call of ours that was answered. */
export class OutgoingCall extends Call {
  /** The peer's answer to our offer. */
  readonly answer: string;

  constructor(agent: AgentContext, dialog: Dialog, answer: string) {
    super(agent, dialog, true);
    this.answer = answer;
  }

  protected override receiveEarlyBye(): void {}
}

export interface PlaceCallOptions {
  readonly signal: AbortSignal | undefined;
  /** 101-199; a body is the session description of early media. */
  readonly onProvisional: ((status: number, sdp: string | undefined) => void) | undefined;
}

/**
 * Sends an INVITE and follows it to its answer: acknowledges, takes the first 2xx of a forked call and hangs up the
 * others (RFC 3261 section 13.2.2.4), cancels when `signal` aborts.
 */
export class OutgoingInvite {
  readonly result: Promise<OutgoingCall>;
  readonly #agent: AgentContext;
  readonly #invite: OutgoingRequest;
  readonly #options: PlaceCallOptions;
  readonly #sent: SentInvite;
  /** Repeats the ACK, per To tag of a 2xx. */
  readonly #acknowledged = new Map<string, () => void>();
  #state: 'calling' | 'ringing' | 'cancelled' | 'over' = 'calling';
  #resolve: (call: OutgoingCall) => void = () => {};
  #reject: (error: GatewayError) => void = () => {};
  readonly #onAbort = () => this.#abort();

  constructor(agent: AgentContext, invite: OutgoingRequest, options: PlaceCallOptions) {
    this.#agent = agent;
    this.#invite = invite;
    this.#options = options;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    options.signal?.addEventListener('abort', this.#onAbort);
    this.#sent = agent.transactions.sendInvite(invite, {
      onResponse: (response) => this.#receive(response),
      onFailure: (reason) => this.#fail(reason),
    });
  }

  /** A CANCEL must wait for the first provisional response (RFC 3261 section 9.1). */
  #abort(): void {
    if (this.#state === 'ringing') {
      this.#state = 'cancelled';
      this.#sent.cancel();
    }
  }

  #receive(response: SipResponse): void {
    const { status, reason } = response;
    if (status < 200) this.#receiveProvisional(response);
    else if (status < 300) this.#receiveSuccess(response);
    else this.#settle(() => this.#reject(this.#aborted() ?? new SipRefusedError(status, reason)));
  }

  #receiveProvisional(response: SipResponse): void {
    const { onProvisional, signal } = this.#options;
    if (this.#state === 'calling') this.#state = 'ringing';
    if (signal?.aborted) this.#abort();
    else if (response.status > 100 && onProvisional !== undefined) {
      const sdp = response.body.length > 0 ? bodyText(response) : undefined;
      this.#agent.guard(() => onProvisional(response.status, sdp));
    }
  }

  #receiveSuccess(response: SipResponse): void {
    const tag = tagOf(response.to);
    let acknowledge = this.#acknowledged.get(tag);
    if (acknowledge !== undefined) {
      acknowledge();
      return;
    }
    const dialog = Dialog.ofClient(this.#invite, response);
    acknowledge = acknowledger(this.#agent, dialog, response);
    acknowledge();
    this.#acknowledged.set(tag, acknowledge);

    const answer = bodyText(response);
    if (this.#state !== 'over' && this.#aborted() === undefined && answer !== '') {
      this.#settle(() => this.#resolve(new OutgoingCall(this.#agent, dialog, answer)));
      return;
    }
    this.#agent.transactions.send(dialog.request('BYE'), { onResponse: () => {}, onFailure: () => {} });
    this.#settle(() => this.#reject(this.#aborted() ?? new SipRefusedError(488, 'answered without a description')));
  }

  #fail(reason: ClientFailure): void {
    const failure =
      reason === 'timeout'
        ? new GatewayError('ERR_SIP_TIMEOUT', `no answer to the INVITE to ${this.#invite.uri}`)
        : new SipRefusedError(503, 'the INVITE could not be sent');
    this.#settle(() => this.#reject(this.#aborted() ?? failure));
  }

  #aborted(): GatewayError | undefined {
    return this.#options.signal?.aborted ? new GatewayError('ERR_ABORTED', 'a call that was given up') : undefined;
  }

  /** The first outcome counts. */
  #settle(settle: () => void): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    settle();
  }
}
