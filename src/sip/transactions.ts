import type { Clock } from '../core/clock.ts';
import {
  type ClientFailure,
  type ClientTransaction,
  InviteClientTransaction,
  NonInviteClientTransaction,
} from './client-transaction.ts';
import type { SipCounters } from './counters.ts';
import { MAGIC_COOKIE, newBranch } from './identifiers.ts';
import { type HeaderField, type SipRequest, type SipResponse, tagOf } from './message.ts';
import { ackOfFailure, cancelOf, type OutgoingRequest, serializeRequest } from './request.ts';
import { InviteServerTransaction, NonInviteServerTransaction, type ServerTransaction } from './server-transaction.ts';
import type { SocketAddress } from './socket-address.ts';
import type { SendDatagram } from './transport.ts';
import { sentBy } from './via.ts';

export interface TransactionsOptions {
  readonly clock: Clock;
  readonly counters: SipCounters;
  /** Bound of server and client transactions together. */
  readonly maxTransactions: number;
  readonly send: SendDatagram;
  /** Product name in User-Agent and Server; undefined leaves both out. */
  readonly userAgent: string | undefined;
}

export interface ResponseHandlers {
  onResponse(response: SipResponse): void;
  onFailure(reason: ClientFailure): void;
}

/** An INVITE under way, which can be called off. */
export interface SentInvite {
  /** Sends CANCEL; only once a provisional response came (RFC 3261 section 9.1). */
  cancel(): void;
}

/** All transactions of a user agent, and which of them a message belongs to. */
export class Transactions {
  readonly #options: TransactionsOptions;
  readonly #server = new Map<string, ServerTransaction>();
  readonly #client = new Map<string, ClientTransaction>();
  /** Requests outside dialogs by what stays the same when a request is forked (RFC 3261 section 8.2.2.2). */
  readonly #initial = new Map<string, ServerTransaction>();

  #closed = false;
  readonly #userAgentField: readonly HeaderField[];
  readonly #serverField: readonly HeaderField[];

  constructor(options: TransactionsOptions) {
    this.#options = options;
    const { userAgent } = options;
    this.#userAgentField = userAgent === undefined ? [] : [{ name: 'User-Agent', value: userAgent }];
    this.#serverField = userAgent === undefined ? [] : [{ name: 'Server', value: userAgent }];
  }

  get size(): number {
    return this.#server.size + this.#client.size;
  }

  get full(): boolean {
    return this.size >= this.#options.maxTransactions;
  }

  /** The transaction that `request` repeats, or the INVITE that an ACK belongs to. */
  findServer(request: SipRequest): ServerTransaction | undefined {
    return this.#server.get(serverKey(request, request.method === 'ACK' ? 'INVITE' : request.method));
  }

  /** The INVITE that a CANCEL is about. */
  findCancelled(cancel: SipRequest): InviteServerTransaction | undefined {
    const transaction = this.#server.get(serverKey(cancel, 'INVITE'));
    return transaction instanceof InviteServerTransaction ? transaction : undefined;
  }

  /** Whether the same request is already being served under another branch. */
  isMerged(request: SipRequest): boolean {
    return tagOf(request.to) === '' && this.#initial.has(initialKey(request));
  }

  startServer(
    request: SipRequest,
    source: SocketAddress,
    destination: SocketAddress,
    localTag: string,
  ): InviteServerTransaction | NonInviteServerTransaction {
    const { clock, counters, send } = this.#options;
    const key = serverKey(request, request.method);
    const mergeKey = tagOf(request.to) === '' ? initialKey(request) : undefined;
    const Kind = request.method === 'INVITE' ? InviteServerTransaction : NonInviteServerTransaction;
    const transaction = new Kind({
      clock,
      counters,
      request,
      source,
      localTag,
      product: this.#serverField,
      transmit: (bytes) => send(bytes, destination),
      onTerminated: () => {
        this.#server.delete(key);
        if (mergeKey !== undefined) this.#initial.delete(mergeKey);
      },
    });
    this.#server.set(key, transaction);
    if (mergeKey !== undefined) this.#initial.set(mergeKey, transaction);
    return transaction;
  }

  /** Sends a request other than INVITE, ACK and CANCEL. */
  send(request: OutgoingRequest, handlers: ResponseHandlers): void {
    this.#startClient(request, newBranch(), handlers, NonInviteClientTransaction);
  }

  sendInvite(invite: OutgoingRequest, handlers: ResponseHandlers): SentInvite {
    const branch = newBranch();
    const transaction = this.#startClient(invite, branch, handlers, InviteClientTransaction);
    return {
      cancel: () => {
        if (transaction.finished) return;
        const ignored = { onResponse: () => {}, onFailure: () => {} };
        this.#startClient(cancelOf(invite), branch, ignored, NonInviteClientTransaction);
        transaction.limitAfterCancel();
      },
    };
  }

  /** @returns false when the response belongs to no transaction. */
  receiveResponse(response: SipResponse): boolean {
    const transaction = this.#client.get(clientKey(response.topVia.branch ?? '', response.cseq.method));
    transaction?.receiveResponse(response);
    return transaction !== undefined;
  }

  /** Ends all; who waits for a response is told `closed`. */
  close(): void {
    this.#closed = true;
    for (const transaction of this.#server.values()) transaction.terminate();
    for (const transaction of this.#client.values()) transaction.fail('closed');
  }

  #startClient<T extends ClientTransaction>(
    request: OutgoingRequest,
    branch: string,
    handlers: ResponseHandlers,
    Kind: new (options: ConstructorParameters<typeof InviteClientTransaction>[0]) => T,
  ): T {
    const { clock, counters, send } = this.#options;
    const bytes = serializeRequest(request, branch, this.#userAgentField);
    const key = clientKey(branch, request.method);
    const transaction = new Kind({
      clock,
      counters,
      transmit: (onError) => send(bytes, request.destination, onError),
      acknowledge: (response) =>
        send(serializeRequest(ackOfFailure(request, response), branch, []), request.destination),
      onResponse: (response) => handlers.onResponse(response),
      onFailure: (reason) => handlers.onFailure(reason),
      onTerminated: () => this.#client.delete(key),
    });
    this.#client.set(key, transaction);
    if (this.#closed) transaction.fail('closed');
    else transaction.start();
    return transaction;
  }
}

function clientKey(branch: string, method: string): string {
  return `${branch} ${method}`;
}

/**
 * RFC 3261 section 17.2.3: branch, sent-by and method; for a peer of RFC 2543, or one whose branch is nothing but the
 * cookie, the fields that such a peer repeats.
 */
function serverKey(request: SipRequest, method: string): string {
  const { topVia, callId, cseq, from, uri } = request;
  const { branch } = topVia;
  if (branch !== undefined && branch.length > MAGIC_COOKIE.length && branch.toLowerCase().startsWith('z9hg4bk')) {
    return `${branch} ${sentBy(topVia).toLowerCase()} ${method}`;
  }
  return ['2543', uri.text, tagOf(from), callId, cseq.number, sentBy(topVia), branch ?? '', method].join(' ');
}

function initialKey(request: SipRequest): string {
  return `${request.callId} ${tagOf(request.from)} ${request.cseq.number} ${request.method}`;
}
