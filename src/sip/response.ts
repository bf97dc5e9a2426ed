import { splitOutsideQuotes } from './grammar.ts';
import { type HeaderField, tagOf } from './message.ts';
import { parseNameAddress } from './name-address.ts';
import { echoed, serializeMessage } from './serialize.ts';
import type { SocketAddress } from './socket-address.ts';
import { reasonPhrase } from './status.ts';
import { serializeReceivedVia, type Via } from './via.ts';

/** What a response needs of a request, whole or broken. */
export interface Answerable {
  readonly fields: readonly HeaderField[];
  readonly topVia: Via | undefined;
}

export interface ResponseOptions {
  /** Default: the phrase of the RFC. */
  readonly reason?: string | undefined;
  /** Appended to To unless To has a tag. Absent only in 100. */
  readonly toTag?: string | undefined;
  /** Header fields behind the copied ones. */
  readonly fields?: readonly HeaderField[];
  readonly body?: Uint8Array;
}

const COPIED: Readonly<Record<string, string>> = { from: 'From', 'call-id': 'Call-ID', cseq: 'CSeq' };

/**
 * A response with the fields RFC 3261 section 8.2.6.2 copies: Via, From, To, Call-ID and CSeq, Record-Route where it
 * makes a dialog (section 12.1.1), Timestamp in 100.
 *
 * @throws TypeError - when `options` hold CR, LF or NUL.
 */
export function buildResponse(
  request: Answerable,
  source: SocketAddress,
  status: number,
  options: ResponseOptions = {},
): Buffer {
  const fields: HeaderField[] = [];
  let viaLines = 0;
  for (const { name, value } of request.fields) {
    const copiedName = COPIED[name];
    if (name === 'via') fields.push({ name: 'Via', value: viaValue(request.topVia, source, value, viaLines++) });
    else if (name === 'to') fields.push({ name: 'To', value: withTag(echoed(value), options.toTag) });
    else if (copiedName !== undefined) fields.push({ name: copiedName, value: echoed(value) });
    else if (name === 'record-route' && status > 100 && status < 300) {
      fields.push({ name: 'Record-Route', value: echoed(value) });
    } else if (name === 'timestamp' && status === 100) fields.push({ name: 'Timestamp', value: echoed(value) });
  }
  const statusLine = `SIP/2.0 ${status} ${options.reason ?? reasonPhrase(status)}`;
  return serializeMessage(statusLine, [...fields, ...(options.fields ?? [])], options.body);
}

/** The first element of the first line is ours to complete; the rest goes back as it came. */
function viaValue(topVia: Via | undefined, source: SocketAddress, value: string, line: number): string {
  if (line > 0 || topVia === undefined) return echoed(value);
  const [, ...others] = splitOutsideQuotes(value, ',');
  return [serializeReceivedVia(topVia, source), ...others].map(echoed).join(', ');
}

/** A To too broken to tell whether it has a tag stays as it is. */
function withTag(to: string, tag: string | undefined): string {
  try {
    return tag === undefined || tagOf(parseNameAddress(to)) !== '' ? to : `${to};tag=${tag}`;
  } catch {
    return to;
  }
}
