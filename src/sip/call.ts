import { randomInt } from 'node:crypto';
import { GatewayError } from '../core/errors.ts';
import type { AgentContext } from './agent-context.ts';
import { AnswerRetransmission } from './answer-retransmission.ts';
import { ALLOW, CAPABILITIES, RETRY_LATER, SDP_CONTENT, SUPPORTED } from './capabilities.ts';
import type { Dialog } from './dialog.ts';
import { readDtmfRelay } from './dtmf-relay.ts';
import type { SipRequest } from './message.ts';
import { OutgoingReinvite } from './outgoing-reinvite.ts';
import type { SessionDescription } from './sdp.ts';
import { InviteServerTransaction, type ServerTransaction } from './server-transaction.ts';
import { bodyText, readOffer, sessionOf } from './session-body.ts';

/** Why a call ended that neither side hung up. */
export type CallFailure =
  /** Our answer was never acknowledged. */
  | 'no-ack'
  /** The ACK of an INVITE without an offer had no answer that can be read. */
  | 'no-answer-in-ack'
  /** The peer no longer knows the call (481) or no longer answers (408, timeout). */
  | 'peer-lost';

/** A session description, or the status (300-699) that refuses. */
export type ReinviteReply = string | number;

/** An answer of ours that waits for its ACK. */
interface Unacknowledged {
  readonly cseqNumber: number;
  readonly retransmission: AnswerRetransmission;
  /** Whether we made the offer, so that the ACK brings the answer. */
  readonly awaitsAnswer: boolean;
  readonly onConfirmed: (answer: SessionDescription | undefined) => void;
}

/**
 * An INVITE session, whoever called: everything between its answer and its end (RFC 3261 sections 12.2, 14 and 15).
 *
 * The owner sets the callbacks it cares for. They run synchronously; after `onBye`, `onFailed` or `bye()` none follows.
 */
export abstract class Call {
  /** The peer hung up. */
  onBye: () => void = () => {};
  /** The call ended by itself; BYE was sent when there is somebody to send it to. */
  onFailed: (reason: CallFailure) => void = () => {};
  /** The peer wants to change the session; `offer` is undefined when it asks for ours. Default: 488. */
  onReinvite: (offer: SessionDescription | undefined) => ReinviteReply = () => 488;
  /** The ACK of a re-INVITE came, with the peer's answer when the offer was ours. */
  onReinviteConfirmed: (answer: SessionDescription | undefined) => void = () => {};
  /** A DTMF digit (`0-9A-D*#`) by INFO. */
  onInfoDigit: (digit: string, durationMs: number) => void = () => {};

  readonly dialog: Dialog;
  protected readonly agent: AgentContext;
  readonly #isCaller: boolean;
  #ended = false;
  #unacknowledged: Unacknowledged | undefined;
  #reinvite: OutgoingReinvite | undefined;
  #bye: { readonly done: Promise<void>; readonly resolve: () => void } | undefined;

  constructor(agent: AgentContext, dialog: Dialog, isCaller: boolean) {
    this.agent = agent;
    this.dialog = dialog;
    this.#isCaller = isCaller;
    agent.register(this);
  }

  /** SIP Call-ID. */
  get callId(): string {
    return this.dialog.callId;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Hangs up. The BYE waits until our answer is acknowledged (RFC 3261 section 15). Resolves when the peer has answered
   * the BYE or will not any more; at once when the call is over.
   */
  bye(): Promise<void> {
    if (this.#bye !== undefined) return this.#bye.done;
    if (this.#ended) return Promise.resolve();
    let resolve = () => {};
    const done = new Promise<void>((settle) => {
      resolve = settle;
    });
    this.#bye = { done, resolve };
    if (this.#unacknowledged === undefined) this.#sendBye();
    return done;
  }

  /**
   * Offers the peer a changed session. A collision with the peer's own change is retried after the pause of RFC 3261
   * section 14.1.
   *
   * @returns the peer's answer.
   * @throws GatewayError `ERR_WRONG_STATE` - when the call is not established or a change is under way.
   * @throws SipRefusedError `ERR_SIP_REFUSED` - when the peer keeps the session as it is.
   * @throws GatewayError `ERR_SIP_TIMEOUT` - when the peer is lost; `onFailed` is called, too.
   */
  reinvite(offer: string): Promise<string> {
    if (!this.isEstablished() || this.#bye !== undefined || this.#unacknowledged || this.#reinvite) {
      const error = new GatewayError('ERR_WRONG_STATE', 'a call that is not established or is being changed');
      return Promise.reject(error);
    }
    this.#reinvite = new OutgoingReinvite({
      agent: this.agent,
      dialog: this.dialog,
      offer,
      isCaller: this.#isCaller,
      isBusy: () => this.#unacknowledged !== undefined,
      onLost: () => this.#fail('peer-lost'),
      onSettled: () => {
        this.#reinvite = undefined;
      },
    });
    return this.#reinvite.result;
  }

  /** A request of the peer within the dialog; a method that is served, in a transaction of its own. */
  receiveRequest(transaction: ServerTransaction): void {
    const { request } = transaction;
    if (!this.dialog.accept(request)) transaction.respond(500);
    else if (request.method === 'BYE') this.#receiveBye(transaction);
    else if (this.#ended || this.#bye !== undefined) transaction.respond(481);
    else if (transaction instanceof InviteServerTransaction) this.#receiveReinvite(transaction);
    else if (request.method === 'INFO') this.#receiveInfo(transaction);
    else transaction.respond(200, { fields: CAPABILITIES });
  }

  /** An ACK of the peer within the dialog. */
  receiveAck(request: SipRequest): void {
    const pending = this.#unacknowledged;
    if (pending === undefined || pending.cseqNumber !== request.cseq.number) {
      this.agent.counters.strayAcks++;
      return;
    }
    this.#stopRetransmission();
    const answer = pending.awaitsAnswer ? readAnswerOf(request) : undefined;
    if (this.#bye !== undefined) this.#sendBye();
    else if (pending.awaitsAnswer && answer === undefined) this.#fail('no-answer-in-ack');
    else this.agent.guard(() => pending.onConfirmed(answer));
  }

  /** The user agent is closing: stops all timers without a word to anybody. */
  abandon(): void {
    this.#end();
    this.#bye?.resolve();
  }

  /** Whether the session was answered and is not over. */
  protected isEstablished(): boolean {
    return !this.#ended;
  }

  /** Answers an INVITE and sees to it that the answer arrives. */
  protected accept(
    transaction: InviteServerTransaction,
    sdp: string,
    awaitsAnswer: boolean,
    onConfirmed: (answer: SessionDescription | undefined) => void,
  ): void {
    transaction.respond(200, {
      fields: [this.dialog.contact(), ALLOW, SUPPORTED, SDP_CONTENT],
      body: Buffer.from(sdp, 'utf8'),
    });
    const retransmission = new AnswerRetransmission(this.agent.clock, transaction, () => this.#receiveNoAck());
    this.#unacknowledged = {
      cseqNumber: transaction.request.cseq.number,
      retransmission,
      awaitsAnswer,
      onConfirmed,
    };
  }

  /** BYE before the call was answered. */
  protected abstract receiveEarlyBye(): void;

  /** The call is over before it was answered. */
  protected endUnanswered(): void {
    this.#end();
    this.#bye?.resolve();
  }

  #receiveBye(transaction: ServerTransaction): void {
    transaction.respond(200);
    if (this.#ended) return;
    if (!this.isEstablished()) {
      this.receiveEarlyBye();
      return;
    }
    this.#end();
    if (this.#bye === undefined) this.agent.guard(() => this.onBye());
    else this.#bye.resolve();
  }

  #receiveReinvite(transaction: InviteServerTransaction): void {
    if (!this.isEstablished()) {
      // The first INVITE has no final response yet (RFC 3261 section 14.2).
      const fields = [{ ...RETRY_LATER, value: String(randomInt(0, 11)) }];
      transaction.respond(500, { fields });
      return;
    }
    if (this.#reinvite?.pending || this.#unacknowledged !== undefined) {
      transaction.respond(491);
      return;
    }
    const body = readOffer(transaction);
    if (body === undefined) return;
    let reply: ReinviteReply = 500;
    this.agent.guard(() => {
      reply = this.onReinvite(body.offer);
    });
    this.#answerReinvite(transaction, body.offer, reply);
  }

  #answerReinvite(
    transaction: InviteServerTransaction,
    offer: SessionDescription | undefined,
    reply: ReinviteReply,
  ): void {
    if (typeof reply === 'number') {
      transaction.respond(reply >= 300 && reply <= 699 ? reply : 500);
    } else if (this.#ended) {
      transaction.respond(487);
    } else {
      this.dialog.refreshTarget(transaction.request);
      this.accept(transaction, reply, offer === undefined, (answer) => this.onReinviteConfirmed(answer));
    }
  }

  #receiveInfo(transaction: ServerTransaction): void {
    const { request } = transaction;
    const dtmf = readDtmfRelay(bodyText(request));
    // An INFO without a body only asks whether the call is alive (RFC 2976 section 2.2).
    if (dtmf === undefined && request.body.length > 0) {
      transaction.respond(400);
      return;
    }
    const understood = dtmf === undefined || this.agent.guard(() => this.onInfoDigit(dtmf.digit, dtmf.durationMs));
    transaction.respond(understood ? 200 : 500);
  }

  #receiveNoAck(): void {
    this.agent.counters.timeouts++;
    this.#unacknowledged = undefined;
    if (this.#bye !== undefined) this.#sendBye();
    else this.#fail('no-ack');
  }

  #fail(reason: CallFailure): void {
    if (this.#ended || this.#bye !== undefined) return;
    this.#sendBye();
    this.agent.guard(() => this.onFailed(reason));
  }

  /** The call is over for the owner, and known to the user agent until the peer has answered. */
  #sendBye(): void {
    this.#stop();
    const finished = () => {
      this.agent.release(this);
      this.#bye?.resolve();
    };
    this.agent.transactions.send(this.dialog.request('BYE'), {
      onResponse: ({ status }) => {
        if (status >= 200) finished();
      },
      onFailure: finished,
    });
  }

  #end(): void {
    this.#stop();
    this.agent.release(this);
  }

  #stop(): void {
    this.#ended = true;
    this.#stopRetransmission();
    this.#reinvite?.abandon();
  }

  #stopRetransmission(): void {
    this.#unacknowledged?.retransmission.stop();
    this.#unacknowledged = undefined;
  }
}

function readAnswerOf(ack: SipRequest): SessionDescription | undefined {
  try {
    return sessionOf(ack);
  } catch {
    return undefined;
  }
}
