import {
  type Parameters,
  parseParameters,
  SipSyntaxError,
  serializeParameters,
  splitOutsideQuotes,
} from './grammar.ts';
import { formatHost, hostAddress, type SocketAddress } from './socket-address.ts';

/** One hop of a message's path (RFC 3261 section 20.42). */
export interface Via {
  /** `SIP/2.0/UDP`, white space removed. */
  readonly protocol: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly parameters: Parameters;
  readonly branch: string | undefined;
}

const SENT_PROTOCOL_AND_BY =
  /^([\w\-.!%*+`'~]+)\s*\/\s*([\w\-.!%*+`'~]+)\s*\/\s*([\w\-.!%*+`'~]+)\s+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?:\s*:\s*(\d{1,5}))?$/;

export function parseViaList(value: string): Via[] {
  return splitOutsideQuotes(value, ',').map(parseVia);
}

/** @throws SipSyntaxError - when the grammar is broken. */
export function parseVia(text: string): Via {
  const semicolon = text.indexOf(';');
  const match = SENT_PROTOCOL_AND_BY.exec((semicolon < 0 ? text : text.slice(0, semicolon)).trim());
  const port = match?.[5] === undefined ? undefined : Number(match[5]);
  if (!match || (port !== undefined && port > 65535)) throw new SipSyntaxError('Bad Via');
  const parameters = parseParameters(semicolon < 0 ? '' : text.slice(semicolon));
  return {
    protocol: `${match[1]}/${match[2]}/${match[3]}`,
    host: match[4] as string,
    port,
    parameters,
    branch: parameters.get('branch') || undefined,
  };
}

/** `host[:port]`, what a branch is unique within. */
export function sentBy(via: Via): string {
  return via.port === undefined ? via.host : `${via.host}:${via.port}`;
}

/**
 * The top Via as it goes back in responses: `received` and `rport` say where the request came from
 * (RFC 3261 section 18.2.1, RFC 3581 section 4).
 */
export function serializeReceivedVia(via: Via, source: SocketAddress): string {
  const parameters = new Map(via.parameters);
  const wantsRport = parameters.has('rport');
  parameters.delete('received');
  if (wantsRport) parameters.set('rport', String(source.port));
  if (wantsRport || hostAddress(via.host) !== source.address) parameters.set('received', source.address);
  return `${via.protocol} ${sentBy(via)}${serializeParameters(parameters)}`;
}

/**
 * Where a response goes (RFC 3261 section 18.2.2, RFC 3581 section 4): to the source address, on the source port when
 * `rport` asked for it, else on the port the peer says it listens on. `maddr` is followed only to an address that
 * `isAllowed`, so that nobody can aim our packets at a stranger.
 */
export function responseDestination(
  via: Via | undefined,
  source: SocketAddress,
  isAllowed: (address: string) => boolean,
): SocketAddress {
  if (via === undefined || via.parameters.has('rport')) return source;
  const maddr = hostAddress(via.parameters.get('maddr') ?? '');
  const address = maddr !== undefined && isAllowed(maddr) ? maddr : source.address;
  return { address, port: via.port ?? 5060 };
}

export function makeVia(address: string, port: number, branch: string): string {
  return `SIP/2.0/UDP ${formatHost(address)}:${port};branch=${branch};rport`;
}
