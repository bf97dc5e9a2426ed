import { isIPv4 } from 'node:net';
import type { SdpConnection, SdpMedia, SessionDescription } from './sdp.ts';
import type { SocketAddress } from './socket-address.ts';

/** A codec that may be negotiated. Opus becomes one more entry. */
export interface SdpCodec {
  readonly name: 'PCMU' | 'PCMA';
  /** Static (RFC 3551 table 4), or what our own offers use. */
  readonly payloadType: number;
  readonly clockRate: number;
}

export const G711_CODECS: readonly SdpCodec[] = [
  { name: 'PCMU', payloadType: 0, clockRate: 8000 },
  { name: 'PCMA', payloadType: 8, clockRate: 8000 },
];

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** What one audio stream of the peer means to us. */
export interface RemoteAudio {
  /** Where our packets go; undefined while the peer is on hold with `c=0.0.0.0`. */
  readonly remoteRtp: SocketAddress | undefined;
  /** RFC 3605, or the next port. */
  readonly remoteRtcp: SocketAddress | undefined;
  /** `payloadType` is the peer's number for it. */
  readonly codec: SdpCodec;
  /** DTMF as RFC 4733 events at the codec's clock rate; undefined when the peer has none. */
  readonly telephoneEventPayloadType: number | undefined;
  /** Events the peer takes, as its fmtp says, e.g. `0-15`. */
  readonly telephoneEvents: string;
  /** Length of a packet: a multiple of 10, 10-60. */
  readonly ptimeMs: number;
  /** What this side does, seen from here: `recvonly` when the peer only sends. */
  readonly direction: Direction;
}

const REVERSED: Readonly<Record<Direction, Direction>> = {
  sendrecv: 'sendrecv',
  sendonly: 'recvonly',
  recvonly: 'sendonly',
  inactive: 'inactive',
};

/** The first attribute of that name in the section, or in the session. */
function attribute(session: SessionDescription, media: SdpMedia, name: string): string | undefined {
  const found = [...media.attributes, ...session.attributes].find((candidate) => candidate.name === name);
  return found?.value;
}

/**
 * Reads an `m=` section.
 *
 * @returns undefined when the gateway can not serve it: no audio over plain RTP, port 0, an address that is no single
 * IPv4 host, or no codec of `codecs`.
 */
export function readAudio(
  session: SessionDescription,
  media: SdpMedia,
  codecs: readonly SdpCodec[],
): RemoteAudio | undefined {
  const connection = media.connection ?? session.connection;
  const usable =
    media.type === 'audio' &&
    media.protocol === 'RTP/AVP' &&
    media.port !== 0 &&
    connection !== undefined &&
    isUnicastIPv4(connection);
  const mappings = readMappings(media);
  const mapping = mappings.find((candidate) => findCodec(candidate, codecs) !== undefined);
  const codec = mapping && findCodec(mapping, codecs);
  if (!usable || mapping === undefined || codec === undefined) return undefined;

  const held = connection.address === '0.0.0.0';
  const event = mappings.find(({ name, clockRate }) => name === 'TELEPHONE-EVENT' && clockRate === codec.clockRate);
  return {
    remoteRtp: held ? undefined : { address: connection.address, port: media.port },
    remoteRtcp: held ? undefined : readRtcp(media, connection.address),
    codec: { ...codec, payloadType: mapping.payloadType },
    telephoneEventPayloadType: event?.payloadType,
    telephoneEvents: (event && readFormatParameters(media, event.payloadType)) ?? '0-15',
    ptimeMs: readPtimeMs(session, media),
    direction: readDirection(session, media, held),
  };
}

/** 0.0.0.0 passes: it is how RFC 2543 peers hold. */
function isUnicastIPv4({ addressType, address }: SdpConnection): boolean {
  return addressType === 'IP4' && isIPv4(address) && Number(address.split('.')[0]) < 224;
}

interface Mapping {
  readonly payloadType: number;
  /** Upper case. */
  readonly name: string;
  readonly clockRate: number;
  readonly channels: number;
}

const STATIC: readonly Mapping[] = [
  { payloadType: 0, name: 'PCMU', clockRate: 8000, channels: 1 },
  { payloadType: 8, name: 'PCMA', clockRate: 8000, channels: 1 },
];

/** What the payload types of a section stand for, in order: their `a=rtpmap`, or RFC 3551 table 4. */
function readMappings(media: SdpMedia): Mapping[] {
  const mapped = new Map<string, Mapping>();
  for (const { name, value = '' } of media.attributes) {
    const match = name === 'rtpmap' ? /^(\d{1,3})\s+([^\s/]+)\/(\d{1,6})(?:\/(\d))?\s*$/.exec(value) : null;
    if (!match) continue;
    const [, format = '', encoding = '', clockRate, channels = '1'] = match;
    const payloadType = Number(format);
    mapped.set(format, {
      payloadType,
      name: encoding.toUpperCase(),
      clockRate: Number(clockRate),
      channels: Number(channels),
    });
  }
  return media.formats
    .map((format) => mapped.get(format) ?? STATIC.find(({ payloadType }) => String(payloadType) === format))
    .filter((mapping) => mapping !== undefined && mapping.payloadType <= 127) as Mapping[];
}

function findCodec(mapping: Mapping, codecs: readonly SdpCodec[]): SdpCodec | undefined {
  return codecs.find(
    ({ name, clockRate }) => name === mapping.name && clockRate === mapping.clockRate && mapping.channels === 1,
  );
}

function readFormatParameters(media: SdpMedia, payloadType: number): string | undefined {
  for (const { name, value = '' } of media.attributes) {
    const space = value.indexOf(' ');
    if (name === 'fmtp' && value.slice(0, space) === String(payloadType)) return value.slice(space + 1).trim();
  }
  return undefined;
}

function readPtimeMs(session: SessionDescription, media: SdpMedia): number {
  const read = (name: string, absent: number) => {
    const value = Number(attribute(session, media, name));
    return value > 0 ? value : absent;
  };
  const wanted = Math.min(read('ptime', 20), read('maxptime', 60));
  return Math.min(60, Math.max(10, Math.floor(wanted / 10) * 10));
}

/** `a=rtcp:port [IN IP4 address]` (RFC 3605), by default the port above RTP. */
function readRtcp(media: SdpMedia, address: string): SocketAddress | undefined {
  const value = media.attributes.find(({ name }) => name === 'rtcp')?.value ?? '';
  const [, port, given] = /^(\d{1,5})(?: IN IP4 ([\d.]+))?$/.exec(value) ?? [];
  const rtcp = { address: given ?? address, port: port === undefined ? media.port + 1 : Number(port) };
  return rtcp.port <= 65535 && isUnicastIPv4({ addressType: 'IP4', address: rtcp.address }) ? rtcp : undefined;
}

function readDirection(session: SessionDescription, media: SdpMedia, held: boolean): Direction {
  const names = [...media.attributes, ...session.attributes].map(({ name }) => name);
  const offered = names.find((name): name is Direction => Object.hasOwn(REVERSED, name)) ?? 'sendrecv';
  const direction = REVERSED[offered];
  if (!held) return direction;
  return direction === 'sendrecv' || direction === 'recvonly' ? 'recvonly' : 'inactive';
}
