import { fieldValue, type HeaderField, type SipRequest, type SipResponse, tagOf } from './message.ts';
import type { NameAddress } from './name-address.ts';
import type { OutgoingRequest } from './request.ts';
import { contactField, echoed } from './serialize.ts';
import type { ServerTransaction } from './server-transaction.ts';
import { hostAddress, type SocketAddress } from './socket-address.ts';
import { isSipUri, type Uri, uriEndpoint } from './uri.ts';

interface DialogState {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** From of our requests, tag included. */
  readonly localValue: string;
  /** To of our requests, tag included when the peer has one. */
  readonly remoteValue: string;
  /** Contact of the peer, which a re-INVITE may replace. */
  remoteTarget: Uri;
  readonly routeSet: readonly NameAddress[];
  localCseq: number;
  remoteCseq: number;
  /** Our address and port as this peer reaches them. */
  readonly local: SocketAddress;
  /** Where the peer's first message came from. */
  readonly source: SocketAddress;
  /** Whether the peer's own address is not reachable, so that `source` is used instead of its Contact. */
  readonly behindNat: boolean;
}

/**
 * The state two user agents share between INVITE and BYE (RFC 3261 section 12), the same for caller and called. Says
 * what a request within it looks like and where it goes.
 */
export class Dialog {
  readonly #state: DialogState;

  /** The dialog that answering an INVITE makes (RFC 3261 section 12.1.1). */
  static ofServer(transaction: ServerTransaction, local: SocketAddress): Dialog {
    const { request, source, localTag } = transaction;
    const { topVia } = request;
    const viaAddress = hostAddress(topVia.host);
    return new Dialog({
      callId: request.callId,
      localTag,
      remoteTag: tagOf(request.from),
      localValue: `${echoed(fieldValue(request, 'to') ?? '')};tag=${localTag}`,
      remoteValue: echoed(fieldValue(request, 'from') ?? ''),
      // A caller of RFC 2543 may leave Contact out.
      remoteTarget: (request.contacts[0] ?? request.from).uri,
      routeSet: request.recordRoutes,
      localCseq: 0,
      remoteCseq: request.cseq.number,
      local,
      source,
      behindNat: request.recordRoutes.length === 0 && viaAddress !== undefined && viaAddress !== source.address,
    });
  }

  /** The dialog that a 2xx to our INVITE makes (RFC 3261 section 12.1.2). */
  static ofClient(invite: OutgoingRequest, response: SipResponse): Dialog {
    const { callId, cseq, from, to } = response;
    return new Dialog({
      callId,
      localTag: tagOf(from),
      remoteTag: tagOf(to),
      localValue: echoed(fieldValue(response, 'from') ?? ''),
      remoteValue: echoed(fieldValue(response, 'to') ?? ''),
      remoteTarget: (response.contacts[0] ?? to).uri,
      routeSet: response.recordRoutes.toReversed(),
      localCseq: cseq.number,
      remoteCseq: -1,
      local: invite.sentBy,
      source: invite.destination,
      behindNat: false,
    });
  }

  private constructor(state: DialogState) {
    this.#state = state;
  }

  get callId(): string {
    return this.#state.callId;
  }

  get localTag(): string {
    return this.#state.localTag;
  }

  get local(): SocketAddress {
    return this.#state.local;
  }

  /** Whether a request from the peer, which names our tag, is of this dialog. */
  matches(request: SipRequest): boolean {
    return request.callId === this.#state.callId && tagOf(request.from) === this.#state.remoteTag;
  }

  /** Notes the CSeq of a request from the peer. @returns false when it is older than one seen (section 12.2.2). */
  accept(request: SipRequest): boolean {
    if (request.cseq.number < this.#state.remoteCseq) return false;
    this.#state.remoteCseq = request.cseq.number;
    return true;
  }

  /** A re-INVITE or its 2xx moves the peer's Contact (section 12.2). */
  refreshTarget(message: SipRequest | SipResponse): void {
    const contact = message.contacts[0]?.uri;
    if (contact !== undefined && isSipUri(contact)) this.#state.remoteTarget = contact;
  }

  /** The next request of ours. @param fields behind the dialog's own. */
  request(method: string, fields: readonly HeaderField[] = [], body?: Uint8Array): OutgoingRequest {
    this.#state.localCseq++;
    return this.#build(method, this.#state.localCseq, fields, body);
  }

  /** The ACK of a 2xx to our INVITE, which has the same CSeq number (section 13.2.2.4). */
  ack(response: SipResponse): OutgoingRequest {
    return this.#build('ACK', response.cseq.number, []);
  }

  /** Our Contact in this dialog. */
  contact(): HeaderField {
    return contactField(this.#state.local.address, this.#state.local.port);
  }

  #build(method: string, cseq: number, fields: readonly HeaderField[], body?: Uint8Array): OutgoingRequest {
    const { callId, localValue, remoteValue, local } = this.#state;
    const { uri, routes } = this.#route();
    return {
      method,
      uri,
      fields: [
        ...routes.map((route) => ({ name: 'Route', value: route })),
        { name: 'From', value: localValue },
        { name: 'To', value: remoteValue },
        { name: 'Call-ID', value: callId },
        { name: 'CSeq', value: `${cseq} ${method}` },
        ...fields,
      ],
      ...(body === undefined ? {} : { body }),
      destination: this.#nextHop(),
      sentBy: local,
    };
  }

  /** Loose routing, or strict when the first proxy is one of RFC 2543 (section 12.2.1.1). */
  #route(): { uri: string; routes: string[] } {
    const { remoteTarget, routeSet } = this.#state;
    const routes = routeSet.map(({ uri }) => `<${uri.text}>`);
    const first = routeSet[0]?.uri;
    if (first === undefined || (isSipUri(first) && first.parameters.has('lr'))) {
      return { uri: remoteTarget.text, routes };
    }
    return { uri: first.text, routes: [...routes.slice(1), `<${remoteTarget.text}>`] };
  }

  /**
   * The first route or else the peer's Contact, when it names an address. A name is not looked up in the middle of a
   * call: the host that sent the first message is the one that it stands for.
   */
  #nextHop(): SocketAddress {
    const { routeSet, remoteTarget, behindNat, source } = this.#state;
    const uri = routeSet[0]?.uri ?? remoteTarget;
    return behindNat || !isSipUri(uri) ? source : (uriEndpoint(uri) ?? source);
  }
}
