import type { SipRequest, SipResponse } from '../../src/sip/message.ts';
import { parseMessage } from '../../src/sip/parse.ts';
import type { SocketAddress } from '../../src/sip/socket-address.ts';
import type { SipTransport } from '../../src/sip/transport.ts';
import { type SipUserAgentOptions, SipUserAgent } from '../../src/sip/user-agent.ts';
import { FakeClock } from '../support/fake-clock.ts';

export const PEER: SocketAddress = { address: '192.0.2.7', port: 5070 };
export const GATEWAY: SocketAddress = { address: '198.51.100.1', port: 5060 };

export interface SentDatagram {
  readonly atMs: number;
  readonly text: string;
  readonly destination: SocketAddress;
}

/** The network between a user agent under test and the peer that a test plays. Keeps all that was sent. */
export class Wire implements SipTransport {
  readonly clock: FakeClock = new FakeClock();
  readonly sent: SentDatagram[] = [];
  closed: boolean = false;
  /** Makes every send fail. */
  broken: boolean = false;
  #deliver: (bytes: Uint8Array, source: SocketAddress) => void = () => {};

  listen(onDatagram: (bytes: Uint8Array, source: SocketAddress) => void): Promise<SocketAddress> {
    this.#deliver = onDatagram;
    return Promise.resolve(GATEWAY);
  }

  send(bytes: Uint8Array, destination: SocketAddress, onError?: () => void): void {
    this.sent.push({ atMs: this.clock.nowMs(), text: Buffer.from(bytes).toString('utf8'), destination });
    if (this.broken) onError?.();
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** Delivers a datagram of the peer. */
  receive(message: string | Uint8Array, source: SocketAddress = PEER): void {
    this.#deliver(typeof message === 'string' ? Buffer.from(message, 'utf8') : message, source);
  }

  /** Takes what was sent since the last call. */
  take(): SentDatagram[] {
    return this.sent.splice(0);
  }

  /** Start lines of what was sent since the last call. */
  takeStartLines(): string[] {
    return this.take().map(({ text }) => text.slice(0, text.indexOf('\r\n')));
  }

  /** Takes the one message that was sent since the last call. */
  takeOne(): string {
    const messages = this.take();
    if (messages.length !== 1) throw new Error(`Expected one message, got ${messages.length}`);
    return messages[0]!.text;
  }
}

export interface Setup {
  readonly wire: Wire;
  readonly clock: FakeClock;
  readonly agent: SipUserAgent;
  readonly errors: Error[];
}

/** A user agent on a {@link Wire} that allows everybody. */
export async function startAgent(options: Partial<SipUserAgentOptions> = {}): Promise<Setup> {
  const wire = new Wire();
  const errors: Error[] = [];
  const agent = new SipUserAgent({
    clock: wire.clock,
    localAddress: GATEWAY.address,
    port: GATEWAY.port,
    allow: ['0.0.0.0/0', '::/0'],
    transport: wire,
    advertisedAddress: () => GATEWAY.address,
    onInvite: () => {},
    onError: (error) => errors.push(error),
    ...options,
  });
  await agent.listen();
  return { wire, clock: wire.clock, agent, errors };
}

export function asRequest(text: string): SipRequest {
  const message = parseMessage(Buffer.from(text, 'utf8'));
  if (message.kind !== 'request') throw new Error(`Expected a request, got ${message.kind}:\n${text}`);
  return message;
}

export function asResponse(text: string): SipResponse {
  const message = parseMessage(Buffer.from(text, 'utf8'));
  if (message.kind !== 'response') throw new Error(`Expected a response, got ${message.kind}:\n${text}`);
  return message;
}

/** What a promise that must fail fails with. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & { code?: string; status?: number }> {
  return promise.then(
    () => {
      throw new Error('Expected a rejection');
    },
    (error) => error,
  );
}

/** First value of a header of a message on the wire. */
export function header(text: string, name: string): string | undefined {
  const head = text.slice(0, text.indexOf('\r\n\r\n'));
  const line = head.split('\r\n').find((candidate) => candidate.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  return line?.slice(name.length + 1).trim();
}

export function body(text: string): string {
  return text.slice(text.indexOf('\r\n\r\n') + 4);
}

/** Tag at the end of a From or To value. */
export function tag(value: string | undefined): string {
  return /;tag=([^;>]+)$/.exec(value ?? '')?.[1] ?? '';
}

export const OFFER: string = [
  'v=0',
  'o=alice 1 1 IN IP4 192.0.2.7',
  's=-',
  'c=IN IP4 192.0.2.7',
  't=0 0',
  'm=audio 40000 RTP/AVP 0 101',
  'a=rtpmap:101 telephone-event/8000',
  '',
].join('\r\n');

let serial = 0;

export interface MessageOptions {
  readonly method?: string;
  readonly uri?: string;
  readonly branch?: string;
  readonly via?: string;
  readonly callId?: string;
  readonly fromTag?: string;
  readonly toTag?: string;
  readonly cseq?: number;
  /** URI of the Contact of an INVITE. */
  readonly contact?: string;
  /** Lines without their ends. */
  readonly extra?: readonly string[];
  readonly body?: string | undefined;
  readonly contentType?: string;
}

/** A request of the peer. Each has a branch of its own unless one is given. */
export function request(options: MessageOptions = {}): string {
  const {
    method = 'INVITE',
    uri = 'sip:gateway@198.51.100.1',
    callId = 'call-1',
    fromTag = 'alice',
    cseq = 1,
  } = options;
  const branch = options.branch ?? `z9hG4bKtest${++serial}`;
  const { extra = [], contentType = 'application/sdp', contact = 'sip:alice@192.0.2.7:5070', toTag } = options;
  const text = options.body ?? '';
  return [
    `${method} ${uri} SIP/2.0`,
    options.via ?? `Via: SIP/2.0/UDP 192.0.2.7:5070;branch=${branch};rport`,
    'Max-Forwards: 70',
    `From: "Alice" <sip:alice@192.0.2.7:5070>;tag=${fromTag}`,
    `To: <sip:gateway@198.51.100.1>${toTag === undefined ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    ...(method === 'INVITE' ? [`Contact: <${contact}>`] : []),
    ...(text === '' ? [] : [`Content-Type: ${contentType}`]),
    ...extra,
    `Content-Length: ${Buffer.byteLength(text)}`,
    '',
    text,
  ].join('\r\n');
}

export function invite(options: MessageOptions = {}): string {
  return request({ body: OFFER, ...options });
}

/** The peer's response to a request of ours. */
export function reply(
  sent: string,
  status: number,
  options: { toTag?: string; extra?: readonly string[]; body?: string } = {},
): string {
  const { toTag, extra = [], body: text = '' } = options;
  const to = header(sent, 'To') ?? '';
  return [
    `SIP/2.0 ${status} Whatever`,
    `Via: ${header(sent, 'Via')}`,
    `From: ${header(sent, 'From')}`,
    `To: ${to}${toTag === undefined || to.includes(';tag=') ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${header(sent, 'Call-ID')}`,
    `CSeq: ${header(sent, 'CSeq')}`,
    ...(text === '' ? [] : ['Content-Type: application/sdp']),
    ...extra,
    `Content-Length: ${Buffer.byteLength(text)}`,
    '',
    text,
  ].join('\r\n');
}
