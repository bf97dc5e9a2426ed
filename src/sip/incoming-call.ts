import type { Timer } from '../core/clock.ts';
import type { AgentContext } from './agent-context.ts';
import { Call } from './call.ts';
import { ALLOW } from './capabilities.ts';
import { Dialog } from './dialog.ts';
import { extraFields } from './extra-fields.ts';
import { fieldValue, fieldValues, type HeaderField, type SipRequest } from './message.ts';
import type { NameAddress } from './name-address.ts';
import type { SessionDescription } from './sdp.ts';
import type { InviteServerTransaction } from './server-transaction.ts';
import type { SocketAddress } from './socket-address.ts';
import { RING_REFRESH_MS } from './timers.ts';
import { uriUser } from './uri.ts';

/** Who calls or is called. */
export interface Party {
  readonly uri: string;
  readonly displayName: string | undefined;
  /** User part of a sip URI or number of a tel URI, escapes resolved. */
  readonly user: string | undefined;
}

/** An INVITE that arrived. Rings until the owner answers or rejects it, or the caller gives up. */
export class IncomingCall extends Call {
  /** The caller gave up before the answer. */
  onCancelled: () => void = () => {};
  /** The ACK of the answer came, with the peer's answer when the INVITE had no offer. */
  onConfirmed: (answer: SessionDescription | undefined) => void = () => {};

  readonly from: Party;
  readonly to: Party;
  /** Undefined: the caller asks for our offer, which `answer()` then carries. */
  readonly offer: SessionDescription | undefined;
  readonly source: SocketAddress;
  readonly #transaction: InviteServerTransaction;
  readonly #request: SipRequest;
  #state: 'waiting' | 'answered' | 'over' = 'waiting';
  #ringTimer: Timer | undefined;

  constructor(
    agent: AgentContext,
    transaction: InviteServerTransaction,
    local: SocketAddress,
    offer: SessionDescription | undefined,
  ) {
    super(agent, Dialog.ofServer(transaction, local), false);
    this.#transaction = transaction;
    this.#request = transaction.request;
    this.from = party(this.#request.from);
    this.to = party(this.#request.to);
    this.offer = offer;
    this.source = transaction.source;
  }

  /** Header fields of the INVITE, in order. */
  get fields(): readonly HeaderField[] {
    return this.#request.fields;
  }

  /** First value of a header field of the INVITE. */
  header(name: string): string | undefined {
    return fieldValue(this.#request, name.toLowerCase());
  }

  /** All values of a header field of the INVITE, one per line. */
  headerValues(name: string): string[] {
    return fieldValues(this.#request, name.toLowerCase());
  }

  /** Sends 180 Ringing, again each minute until the answer. @returns false when the call is no longer waiting. */
  ring(): boolean {
    if (this.#state !== 'waiting') return false;
    this.#transaction.respond(180, { fields: [this.dialog.contact(), ALLOW] });
    this.#ringTimer?.cancel();
    this.#ringTimer = this.agent.clock.after(RING_REFRESH_MS, () => this.ring());
    return true;
  }

  /**
   * Sends 200 with our answer, or with our offer when the INVITE had none, and repeats it until the ACK.
   *
   * @returns false when the call is no longer waiting; nothing was sent.
   */
  answer(sdp: string): boolean {
    if (!this.#leaveWaiting('answered')) return false;
    this.accept(this.#transaction, sdp, this.offer === undefined, (answer) => this.onConfirmed(answer));
    return true;
  }

  /**
   * Refuses the call.
   *
   * @param status 300-699.
   * @param reason default: the phrase of RFC 3261.
   * @returns false when the call is no longer waiting; nothing was sent.
   * @throws RangeError - for another status. TypeError - for CR, LF or NUL in the rest.
   */
  reject(status: number, reason?: string, headers: Readonly<Record<string, string>> = {}): boolean {
    if (!Number.isInteger(status) || status < 300 || status > 699) {
      throw new RangeError(`Expected 300-699 for status but received ${status}`);
    }
    if (this.#state !== 'waiting') return false;
    this.#transaction.respond(status, { reason, fields: extraFields(headers) });
    this.#leaveWaiting('over');
    this.endUnanswered();
    return true;
  }

  /** Hangs up; a call not answered yet is refused with 480. */
  override bye(): Promise<void> {
    if (this.reject(480)) return Promise.resolve();
    return super.bye();
  }

  /** CANCEL of `transaction` came; does nothing once that has its final response. */
  cancel(transaction: InviteServerTransaction): void {
    if (transaction === this.#transaction) this.receiveEarlyBye();
  }

  override abandon(): void {
    this.#leaveWaiting('over');
    super.abandon();
  }

  protected override isEstablished(): boolean {
    return this.#state === 'answered' && super.isEstablished();
  }

  protected override receiveEarlyBye(): void {
    if (!this.#leaveWaiting('over')) return;
    this.#transaction.respond(487);
    this.endUnanswered();
    this.agent.guard(() => this.onCancelled());
  }

  #leaveWaiting(next: 'answered' | 'over'): boolean {
    if (this.#state !== 'waiting') return false;
    this.#state = next;
    this.#ringTimer?.cancel();
    return true;
  }
}

function party({ uri, displayName }: NameAddress): Party {
  return { uri: uri.text, displayName, user: uriUser(uri) };
}
