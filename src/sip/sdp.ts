import { isIPv4 } from 'node:net';
import { GatewayError } from '../core/errors.ts';

/** `c=` (RFC 8866 section 5.7). */
export interface SdpConnection {
  /** `IP4`, `IP6` or whatever was written. */
  readonly addressType: string;
  readonly address: string;
}

/** `a=name` or `a=name:value` (section 5.13). */
export interface SdpAttribute {
  readonly name: string;
  readonly value: string | undefined;
}

/** One `m=` section (section 5.14). */
export interface SdpMedia {
  /** `audio`, `video` … */
  readonly type: string;
  /** 0 = refused or removed. */
  readonly port: number;
  readonly protocol: string;
  /** For RTP the payload types, in order of preference. */
  readonly formats: readonly string[];
  /** Of this section; undefined: that of the session holds. */
  readonly connection: SdpConnection | undefined;
  readonly attributes: readonly SdpAttribute[];
}

/** A session description, reduced to what negotiation reads. */
export interface SessionDescription {
  /** Value of `o=`. */
  readonly origin: string;
  readonly connection: SdpConnection | undefined;
  /** Value of the first `t=`. */
  readonly timing: string;
  readonly attributes: readonly SdpAttribute[];
  readonly media: readonly SdpMedia[];
}

const MAX_BYTES = 32_768;
const MAX_LINES = 1_000;
const MAX_MEDIA = 32;

/** As many as there are payload types. */
const MAX_FORMATS = 128;

const MEDIA = /^(\S+)\s+(\d{1,5})(?:\/\d{1,5})?\s+(\S+)\s+(\S.*)$/;
const CONNECTION = /^IN (\S+) ([^\s/]+)(?:\/[\d/]+)?$/;

/**
 * Reads a session description (RFC 8866). Lines that negotiation has no use for are skipped, missing `s=` and `t=` are
 * forgiven, line feeds alone are taken.
 *
 * @throws GatewayError `ERR_SDP_INVALID` - when it can not be relied on, or is beyond 32 KiB, 1,000 lines, 32 media.
 */
export function parseSdp(text: string): SessionDescription {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  if (text.length > MAX_BYTES || lines.length > MAX_LINES) throw invalid('a session description beyond all bounds');
  if (lines[0] !== 'v=0') throw invalid('a session description without v=0');

  const session: Section = { connection: undefined, attributes: [] };
  const media: (Section & Pick<SdpMedia, 'type' | 'port' | 'protocol' | 'formats'>)[] = [];
  let origin: string | undefined;
  let timing: string | undefined;
  for (const line of lines) {
    const kind = line[0];
    const value = line.slice(2).trimEnd();
    const section = media.at(-1) ?? session;
    if (line[1] !== '=' || /[\0\r]/.test(line)) throw invalid('a session description with a line that is not x=…');
    if (kind === 'o') origin ??= value;
    else if (kind === 't') timing ??= value;
    else if (kind === 'c') section.connection = parseConnection(value);
    else if (kind === 'a') section.attributes.push(parseAttribute(value));
    else if (kind === 'm') media.push({ ...parseMedia(value), connection: undefined, attributes: [] });
    if (media.length > MAX_MEDIA) throw invalid(`more than ${MAX_MEDIA} media`);
  }
  if (origin === undefined) throw invalid('a session description without o=');
  return { origin, connection: session.connection, timing: timing ?? '0 0', attributes: session.attributes, media };
}

interface Section {
  connection: SdpConnection | undefined;
  readonly attributes: SdpAttribute[];
}

function parseMedia(value: string): Pick<SdpMedia, 'type' | 'port' | 'protocol' | 'formats'> {
  const [, type, portText, protocol, formatText] = MEDIA.exec(value) ?? [];
  const port = Number(portText);
  const formats = formatText?.split(/\s+/) ?? [];
  if (type === undefined || protocol === undefined || port > 65535 || formats.length > MAX_FORMATS) {
    throw invalid('a session description with a bad m= line');
  }
  return { type, port, protocol, formats };
}

function parseConnection(value: string): SdpConnection {
  const [, addressType, address] = CONNECTION.exec(value) ?? [];
  if (
    addressType === undefined ||
    address === undefined ||
    (addressType === 'IP4' && /^[\d.]+$/.test(address) && !isIPv4(address))
  ) {
    throw invalid('a session description with a bad c= line');
  }
  return { addressType, address };
}

function parseAttribute(text: string): SdpAttribute {
  const colon = text.indexOf(':');
  return colon < 0 ? { name: text, value: undefined } : { name: text.slice(0, colon), value: text.slice(colon + 1) };
}

function invalid(found: string): GatewayError {
  return new GatewayError('ERR_SDP_INVALID', { found, needed: 'SDP as RFC 8866 defines it' });
}

/** Writes lines in the order RFC 8866 section 5 asks for. `connection` of a section is written where it is set. */
export function serializeSdp(session: SessionDescription): string {
  const lines = ['v=0', `o=${session.origin}`, 's=-'];
  if (session.connection !== undefined) lines.push(connectionLine(session.connection));
  lines.push(`t=${session.timing}`, ...session.attributes.map(attributeLine));
  for (const { type, port, protocol, formats, connection, attributes } of session.media) {
    lines.push(`m=${type} ${port} ${protocol} ${formats.join(' ')}`);
    if (connection !== undefined) lines.push(connectionLine(connection));
    lines.push(...attributes.map(attributeLine));
  }
  return `${lines.join('\r\n')}\r\n`;
}

function connectionLine({ addressType, address }: SdpConnection): string {
  return `c=IN ${addressType} ${address}`;
}

function attributeLine({ name, value }: SdpAttribute): string {
  return value === undefined ? `a=${name}` : `a=${name}:${value}`;
}
