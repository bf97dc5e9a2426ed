import { lookup } from 'node:dns/promises';
import { GatewayError } from '../core/errors.ts';
import type { AgentContext } from './agent-context.ts';
import { ALLOW, SDP_CONTENT, SUPPORTED } from './capabilities.ts';
import { extraFields } from './extra-fields.ts';
import { newCallId, newTag } from './identifiers.ts';
import { type NameAddress, parseNameAddress, serializeNameAddress } from './name-address.ts';
import { type OutgoingCall, OutgoingInvite } from './outgoing-call.ts';
import { SipRefusedError } from './refused-error.ts';
import { contactField } from './serialize.ts';
import type { SocketAddress } from './socket-address.ts';
import { isSipUri, parseUri, type SipUri, uriEndpoint } from './uri.ts';

export interface CallOptions {
  /** Who calls: a `sip:` URI, or `"Name" <sip:…>`. */
  readonly from: string;
  /** Session description offered. */
  readonly offer: string;
  /** Further header fields of the INVITE. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Aborting gives the call up; a CANCEL goes out once the peer has shown a sign of life. */
  readonly signal?: AbortSignal;
  /** 101-199; `sdp` when the peer describes early media. */
  readonly onProvisional?: (status: number, sdp: string | undefined) => void;
}

/** Builds and sends the INVITE of {@link CallOptions}; errors as `SipUserAgent.call` documents them. */
export async function placeCall(
  agent: AgentContext,
  target: string,
  options: CallOptions,
  localFor: (peerAddress: string) => SocketAddress,
): Promise<OutgoingCall> {
  const uri = readTarget(target);
  const from = readFrom(options.from);
  const extra = extraFields(options.headers ?? {});
  const destination = uriEndpoint(uri) ?? (await resolveName(uri));
  if (options.signal?.aborted) throw new GatewayError('ERR_ABORTED', 'a call that was given up');

  const sentBy = localFor(destination.address);
  const fields = [
    { name: 'From', value: serializeNameAddress({ ...from, parameters: new Map([['tag', newTag()]]) }) },
    { name: 'To', value: `<${uri.text}>` },
    { name: 'Call-ID', value: newCallId() },
    { name: 'CSeq', value: '1 INVITE' },
    contactField(sentBy.address, sentBy.port),
    ALLOW,
    SUPPORTED,
    SDP_CONTENT,
    ...extra,
  ];
  const body = Buffer.from(options.offer, 'utf8');
  const invite = { method: 'INVITE', uri: uri.text, fields, body, destination, sentBy };
  const { signal, onProvisional } = options;
  return new OutgoingInvite(agent, invite, { signal, onProvisional }).result;
}

function readTarget(target: string): SipUri {
  const uri = tryParse(() => parseUri(target));
  if (uri === undefined || !isSipUri(uri) || uri.scheme !== 'sip' || uri.hasHeaders) {
    throw new TypeError(`Expected a sip: URI for target but received '${target}'`);
  }
  return uri;
}

function readFrom(from: string): NameAddress {
  const address = tryParse(() => parseNameAddress(from));
  if (address === undefined || !isSipUri(address.uri) || address.parameters.size > 0) {
    throw new TypeError(`Expected a sip: URI or "Name" <sip:…> for from but received '${from}'`);
  }
  return address;
}

function tryParse<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

/** A records only: a trunk whose name needs SRV is given with its port. */
async function resolveName(uri: SipUri): Promise<SocketAddress> {
  try {
    const { address } = await lookup(uri.host, { family: 4 });
    return { address, port: uri.port ?? 5060 };
  } catch (cause) {
    throw new SipRefusedError(503, `${uri.host} is not known`, cause);
  }
}
