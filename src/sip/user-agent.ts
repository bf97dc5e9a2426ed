import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import type { AgentContext } from './agent-context.ts';
import type { Call } from './call.ts';
import { CAPABILITIES, RETRY_LATER } from './capabilities.ts';
import { CidrList } from './cidr.ts';
import { newCounters, type SipCounters } from './counters.ts';
import { newTag } from './identifiers.ts';
import { IncomingCall } from './incoming-call.ts';
import {
  type BadRequest,
  fieldValue,
  type ParsedMessage,
  type SipRequest,
  type SipResponse,
  tagOf,
} from './message.ts';
import type { OutgoingCall } from './outgoing-call.ts';
import { parseMessage } from './parse.ts';
import { type CallOptions, placeCall } from './place-call.ts';
import { type Answerable, buildResponse, type ResponseOptions } from './response.ts';
import { InviteServerTransaction, type ServerTransaction } from './server-transaction.ts';
import { readOffer } from './session-body.ts';
import type { SocketAddress } from './socket-address.ts';
import { Transactions } from './transactions.ts';
import type { SendDatagram, SipTransport } from './transport.ts';
import { UdpTransport } from './transport-udp.ts';
import { refusalOf } from './uas-checks.ts';
import { responseDestination } from './via.ts';

export interface SipUserAgentOptions {
  readonly clock: Clock;
  /** IP address to bind. */
  readonly localAddress: string;
  /** UDP port to bind; 0 lets the system choose. */
  readonly port: number;
  /** Networks whose datagrams are read; empty = loopback only. */
  readonly allow: readonly string[];
  /** Product name for User-Agent and Server; undefined leaves both out. */
  readonly userAgent?: string;
  /** Bound of calls in both directions together. Default 1,000. */
  readonly maxCalls?: number;
  /** Bound of transactions, which outlive their message by up to 32 s. Default 20,000. */
  readonly maxTransactions?: number;
  /** Default: UDP on `localAddress` and `port`. */
  readonly transport?: SipTransport;
  /** Address for Via and Contact towards this peer. */
  advertisedAddress(peerAddress: string): string;
  /** A call arrived. Synchronously or later: `ring()`, then `answer()` or `reject()`. */
  onInvite(call: IncomingCall): void;
  /** A callback of the application threw; the peer was told 500 where it waited for something. */
  onError?(error: Error): void;
}

/**
 * A SIP user agent over UDP (RFC 3261), caller and called. Nothing that arrives makes it throw: what can not be used
 * is answered or dropped, and counted.
 */
export class SipUserAgent {
  readonly counters: Readonly<SipCounters>;
  readonly #counters: SipCounters = newCounters();
  readonly #options: SipUserAgentOptions;
  readonly #allow: CidrList;
  readonly #transport: SipTransport;
  readonly #transactions: Transactions;
  readonly #context: AgentContext;
  /** By our tag, which nobody can guess. */
  readonly #calls = new Map<string, Call>();
  /** Makes the tags of stateless responses the same for each repetition of a request (RFC 3261 section 8.2.7). */
  readonly #tagSecret = randomBytes(16);
  readonly #maxCalls: number;
  #port: number | undefined;
  #placing = 0;
  #draining = false;

  /** @throws GatewayError `ERR_SETTINGS_INVALID` - when `allow` has what is no network. */
  constructor(options: SipUserAgentOptions) {
    this.#options = options;
    this.counters = this.#counters;
    this.#allow = new CidrList(options.allow);
    this.#transport = options.transport ?? new UdpTransport(options.localAddress, options.port);
    this.#maxCalls = options.maxCalls ?? 1_000;
    this.#transactions = new Transactions({
      clock: options.clock,
      counters: this.#counters,
      maxTransactions: options.maxTransactions ?? 20_000,
      send: this.#send,
      userAgent: options.userAgent,
    });
    this.#context = {
      clock: options.clock,
      counters: this.#counters,
      transactions: this.#transactions,
      send: this.#send,
      register: (call) => this.#calls.set(call.dialog.localTag, call),
      release: (call) => this.#calls.delete(call.dialog.localTag),
      guard: (run) => this.#guard(run),
    };
  }

  /** Calls that are ringing, up, or hanging up. */
  get activeCalls(): number {
    return this.#calls.size + this.#placing;
  }

  get activeTransactions(): number {
    return this.#transactions.size;
  }

  /**
   * Binds the socket and starts to serve.
   *
   * @throws GatewayError `ERR_LISTEN` - when the address can not be bound.
   */
  async listen(): Promise<SocketAddress> {
    const bound = await this.#transport.listen((bytes, source) => this.#receive(bytes, source));
    this.#port = bound.port;
    return bound;
  }

  /**
   * Calls `target` and waits for the answer.
   *
   * @param target a `sip:` URI; a host name is looked up.
   * @throws TypeError - for a target, `from` or header that can not be sent.
   * @throws SipRefusedError `ERR_SIP_REFUSED` - with the peer's status; 503 when it can not be reached.
   * @throws GatewayError `ERR_SIP_TIMEOUT` without an answer for 64*T1, `ERR_ABORTED` once the call `signal` gave up is
   * off the line, `ERR_TOO_MANY_CALLS` at `maxCalls`, `ERR_WRONG_STATE` when the agent does not listen.
   */
  async call(target: string, options: CallOptions): Promise<OutgoingCall> {
    if (this.#port === undefined) throw new GatewayError('ERR_WRONG_STATE', 'a user agent that does not listen');
    if (this.activeCalls >= this.#maxCalls || this.#transactions.full) {
      throw new GatewayError('ERR_TOO_MANY_CALLS', `${this.activeCalls} calls`);
    }
    this.#placing++;
    try {
      return await placeCall(this.#context, target, options, (peerAddress) => this.#localFor(peerAddress));
    } finally {
      this.#placing--;
    }
  }

  /** While draining, new calls and OPTIONS are refused with 503 and Retry-After; calls that are up go on. */
  setDraining(draining: boolean): void {
    this.#draining = draining;
  }

  /** Stops at once, without a word to anybody; who waits for a peer is told. The owner hangs up its calls before. */
  async close(): Promise<void> {
    this.#port = undefined;
    for (const call of this.#calls.values()) call.abandon();
    this.#transactions.close();
    await this.#transport.close();
  }

  #receive(bytes: Uint8Array, source: SocketAddress): void {
    if (this.#port === undefined) return;
    if (!this.#allow.contains(source.address)) {
      this.#counters.notAllowed++;
      return;
    }
    this.#counters.received++;
    try {
      this.#dispatch(parseMessage(bytes), source);
    } catch (error) {
      this.#noteDefect(error);
    }
  }

  #dispatch(message: ParsedMessage, source: SocketAddress): void {
    if (message.kind === 'request') this.#receiveRequest(message, source);
    else if (message.kind === 'response') this.#receiveResponse(message);
    else if (message.kind === 'keep-alive') this.#counters.keepAlives++;
    else {
      this.#counters.malformed++;
      if (message.kind === 'bad-request') this.#refuseMalformed(message, source);
    }
  }

  #refuseMalformed(request: BadRequest, source: SocketAddress): void {
    if (request.method === 'ACK') return;
    const reason = request.status === 400 ? request.error.message : undefined;
    this.#reply(request, source, request.status, { reason });
  }

  /** More than one Via means that the response is not for us (RFC 3261 section 8.1.3.3). */
  #receiveResponse(response: SipResponse): void {
    const taken = response.viaCount === 1 && this.#transactions.receiveResponse(response);
    if (!taken) this.#counters.strayResponses++;
  }

  #receiveRequest(request: SipRequest, source: SocketAddress): void {
    const known = this.#transactions.findServer(request);
    if (request.method === 'ACK') this.#receiveAck(request, known);
    else if (known !== undefined) known.receiveRetransmission();
    else if (this.#transactions.isMerged(request)) {
      this.#counters.merged++;
      this.#reply(request, source, 482);
    } else if (this.#transactions.full) {
      this.#counters.refusedFull++;
      this.#reply(request, source, 503, { fields: [RETRY_LATER] });
    } else this.#serve(request, source);
  }

  #receiveAck(request: SipRequest, transaction: ServerTransaction | undefined): void {
    if (transaction instanceof InviteServerTransaction && transaction.receiveAck()) return;
    const call = this.#callOf(request);
    if (call === undefined) this.#counters.strayAcks++;
    else call.receiveAck(request);
  }

  #serve(request: SipRequest, source: SocketAddress): void {
    const cancelled = request.method === 'CANCEL' ? this.#transactions.findCancelled(request) : undefined;
    const destination = this.#responseDestination(request, source);
    const localTag = cancelled?.localTag ?? newTag();
    const transaction = this.#transactions.startServer(request, source, destination, localTag);
    try {
      if (request.method === 'CANCEL') this.#serveCancel(transaction, cancelled);
      else this.#serveRequest(transaction);
    } catch (error) {
      this.#noteDefect(error);
      transaction.respond(500);
    }
  }

  #serveCancel(transaction: ServerTransaction, cancelled: InviteServerTransaction | undefined): void {
    transaction.respond(cancelled === undefined ? 481 : 200);
    const call = cancelled && this.#calls.get(cancelled.localTag);
    if (call instanceof IncomingCall && cancelled !== undefined) call.cancel(cancelled);
  }

  #serveRequest(transaction: ServerTransaction): void {
    const { request } = transaction;
    const refusal = refusalOf(request);
    if (refusal !== undefined) transaction.respond(refusal.status, refusal);
    else if (tagOf(request.to) !== '') {
      const call = this.#callOf(request);
      if (call === undefined) transaction.respond(481);
      else call.receiveRequest(transaction);
    } else if (transaction instanceof InviteServerTransaction) this.#serveInvite(transaction);
    else if (request.method !== 'OPTIONS') transaction.respond(481);
    else if (!this.#refuseDraining(transaction)) transaction.respond(200, { fields: CAPABILITIES });
  }

  #serveInvite(transaction: InviteServerTransaction): void {
    if (this.#refuseDraining(transaction)) return;
    if (this.activeCalls >= this.#maxCalls) {
      this.#counters.refusedFull++;
      transaction.respond(503, { fields: [RETRY_LATER] });
      return;
    }
    const body = readOffer(transaction);
    if (body === undefined) return;
    transaction.respond(100);
    const taken = this.#guard(() => {
      const local = this.#localFor(transaction.source.address);
      this.#options.onInvite(new IncomingCall(this.#context, transaction, local, body.offer));
    });
    if (taken) return;
    transaction.respond(500);
    void this.#calls.get(transaction.localTag)?.bye();
  }

  #refuseDraining(transaction: ServerTransaction): boolean {
    if (!this.#draining) return false;
    this.#counters.refusedDraining++;
    transaction.respond(503, { fields: [RETRY_LATER] });
    return true;
  }

  #callOf(request: SipRequest): Call | undefined {
    const call = this.#calls.get(tagOf(request.to));
    return call?.dialog.matches(request) ? call : undefined;
  }

  /** Answers without remembering. */
  #reply(request: Answerable, source: SocketAddress, status: number, options: ResponseOptions = {}): void {
    const identity = `${request.topVia?.branch} ${fieldValue(request, 'call-id')} ${fieldValue(request, 'cseq')}`;
    const toTag = createHmac('sha256', this.#tagSecret).update(identity).digest('hex').slice(0, 24);
    const bytes = buildResponse(request, source, status, { ...options, toTag });
    this.#send(bytes, this.#responseDestination(request, source));
  }

  #responseDestination({ topVia }: Answerable, source: SocketAddress): SocketAddress {
    return responseDestination(topVia, source, (address) => this.#allow.contains(address));
  }

  #localFor(peerAddress: string): SocketAddress {
    return { address: this.#options.advertisedAddress(peerAddress), port: this.#port ?? 0 };
  }

  readonly #send: SendDatagram = (bytes, destination, onError) => {
    this.#counters.sent++;
    this.#transport.send(bytes, destination, () => {
      this.#counters.transportErrors++;
      onError?.();
    });
  };

  #guard(run: () => void): boolean {
    try {
      run();
      return true;
    } catch (error) {
      this.#counters.applicationErrors++;
      this.#tell(error);
      return false;
    }
  }

  #noteDefect(error: unknown): void {
    this.#counters.internalErrors++;
    this.#tell(error);
  }

  #tell(error: unknown): void {
    try {
      this.#options.onError?.(toError(error));
    } catch {
      this.#counters.applicationErrors++;
    }
  }
}
