import { isUtf8 } from 'node:buffer';
import { isToken, parseNumber, SipSyntaxError, splitOutsideQuotes, trimSpace } from './grammar.ts';
import {
  type BadRequest,
  type CSeq,
  fieldValue,
  fieldValues,
  type HeaderField,
  listValues,
  type ParsedMessage,
} from './message.ts';
import { type NameAddress, parseNameAddress, parseNameAddressList } from './name-address.ts';
import { isSipUri, parseUri } from './uri.ts';
import { parseVia, parseViaList, type Via } from './via.ts';

/** The most a UDP datagram can hold (RFC 3261 section 18.1.1 asks that all of it be taken). */
export const MAX_MESSAGE_BYTES = 65_535;
export const MAX_HEADER_FIELDS = 256;
/** CSeq numbers stay below 2^31 (RFC 3261 section 8.1.1.5). */
const MAX_CSEQ = 2 ** 31 - 1;

/** RFC 3261 section 7.3.3 and the registry of later RFCs. */
const COMPACT_FORMS: Readonly<Record<string, string>> = {
  a: 'accept-contact',
  b: 'referred-by',
  c: 'content-type',
  d: 'request-disposition',
  e: 'content-encoding',
  f: 'from',
  i: 'call-id',
  j: 'reject-contact',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  n: 'identity-info',
  o: 'event',
  r: 'refer-to',
  s: 'subject',
  t: 'to',
  u: 'allow-events',
  v: 'via',
  x: 'session-expires',
  y: 'identity',
};

/** Header fields that a message has at most once. */
const SINGLE = ['from', 'to', 'call-id', 'cseq', 'max-forwards', 'content-length', 'content-type', 'date', 'expires'];

const REQUEST_LINE = /^([\w\-.!%*+`'~]+) ([^ ]+) SIP\/(\d+\.\d+)$/i;
const STATUS_LINE = /^SIP\/2\.0 ([1-6]\d\d)(?: (.*))?$/is;
/** Enough of a request to be told that it is broken. */
const LOOKS_LIKE_REQUEST = /^(\S+)\s.*SIP\/\d+\.\d+\s*$/is;
const CALL_ID = /^[\w\-.!%*+`'~()<>:\\"/[\]?{}]+(?:@[\w\-.!%*+`'~()<>:\\"/[\]?{}]+)?$/;
const MEDIA_TYPE = /^[\w\-.!%*+`'~]+\s*\/\s*[\w\-.!%*+`'~]+\s*(?:;.*)?$/s;
/** Only GMT is allowed (RFC 3261 section 20.17). */
const SIP_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/i;

/** Parses one datagram. Never throws: what can not be parsed is a result, too. `body` is a view into `datagram`. */
export function parseMessage(datagram: Uint8Array): ParsedMessage {
  let start = 0;
  while (datagram[start] === 13 || datagram[start] === 10) start++;
  if (start === datagram.length) return { kind: 'keep-alive' };

  const bytes = Buffer.from(datagram.buffer, datagram.byteOffset + start, datagram.length - start);
  const end = bytes.indexOf('\r\n\r\n');
  const head = decode(end < 0 ? bytes : bytes.subarray(0, end));
  const rest = end < 0 ? bytes.subarray(bytes.length) : bytes.subarray(end + 4);
  const lineEnd = head.indexOf('\r\n');
  const startLine = lineEnd < 0 ? head : head.slice(0, lineEnd);
  const fields: HeaderField[] = [];
  try {
    if (datagram.length > MAX_MESSAGE_BYTES) throw new SipSyntaxError('Message too large');
    if (lineEnd >= 0) readFields(head.slice(lineEnd + 2), fields);
    if (end < 0) throw new SipSyntaxError('No end of headers');
    const status = STATUS_LINE.exec(startLine);
    if (status) {
      return { kind: 'response', status: Number(status[1]), reason: status[2] ?? '', ...readKnown(fields, rest) };
    }
    const request = REQUEST_LINE.exec(startLine);
    if (!request) throw new SipSyntaxError('Bad start line');
    const [, method = '', uri = ''] = request;
    if (request[3] !== '2.0') throw new SipSyntaxError('Version not supported');
    const known = readKnown(fields, rest);
    if (known.cseq.method !== method) throw new SipSyntaxError('CSeq names another method');
    return { kind: 'request', method, uri: readRequestUri(uri), ...known };
  } catch (error) {
    if (!(error instanceof SipSyntaxError)) throw error;
    return describeFailure(startLine, fields, error);
  }
}

/** UTF-8 as the RFC says; else Latin-1, which old exchanges send in names. */
function decode(bytes: Buffer): string {
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
}

function describeFailure(startLine: string, fields: readonly HeaderField[], error: SipSyntaxError): ParsedMessage {
  const method = STATUS_LINE.test(startLine) ? undefined : LOOKS_LIKE_REQUEST.exec(startLine)?.[1];
  const viaText = fieldValue({ fields }, 'via');
  if (method === undefined || viaText === undefined || /^SIP\//i.test(method)) return { kind: 'unparseable', error };
  const version = REQUEST_LINE.exec(startLine)?.[3] ?? '2.0';
  const status: BadRequest['status'] = version === '2.0' ? 400 : 505;
  return { kind: 'bad-request', method, fields, topVia: tryTopVia(viaText), status, error };
}

function tryTopVia(value: string): Via | undefined {
  try {
    return parseVia(splitOutsideQuotes(value, ',')[0] ?? '');
  } catch {
    return undefined;
  }
}

/**
 * Fills `fields`, unfolding continuation lines into one space (RFC 3261 section 7.3.1). What was read before an error
 * stays there, so that the error can be answered.
 */
function readFields(text: string, fields: HeaderField[]): void {
  for (const line of text.replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trimEnd().toLowerCase();
    if (fields.length === MAX_HEADER_FIELDS) throw new SipSyntaxError('Too many header fields');
    if (!isToken(name)) throw new SipSyntaxError('Bad header field');
    // A NUL may stand in a quoted pair (RFC 4475 section 3.1.1.2); a lone CR or LF nowhere.
    if (/[\r\n]|(?<!\\)\0/.test(line)) throw new SipSyntaxError('Control character in a header field');
    fields.push({ name: COMPACT_FORMS[name] ?? name, value: trimSpace(line.slice(colon + 1)) });
  }
}

function readKnown(fields: readonly HeaderField[], rest: Uint8Array) {
  const message = { fields };
  for (const name of SINGLE) {
    if (fieldValues(message, name).length > 1) throw new SipSyntaxError(`More than one ${name}`);
  }
  const via = fieldValues(message, 'via').flatMap(parseViaList);
  const topVia = via[0];
  if (topVia === undefined) throw new SipSyntaxError('No Via');
  checkOthers(message);
  return {
    fields,
    topVia,
    viaCount: via.length,
    from: readAddress(message, 'from'),
    to: readAddress(message, 'to'),
    callId: readCallId(message),
    cseq: readCSeq(message),
    contacts: fieldValues(message, 'contact').flatMap((value) => (value === '*' ? [] : parseNameAddressList(value))),
    recordRoutes: fieldValues(message, 'record-route').flatMap(readRoutes),
    body: readBody(message, rest),
  };
}

type Fields = { readonly fields: readonly HeaderField[] };

function required(message: Fields, name: string): string {
  const value = fieldValue(message, name);
  if (value === undefined) throw new SipSyntaxError(`No ${name}`);
  return value;
}

function readAddress(message: Fields, name: 'from' | 'to'): NameAddress {
  const address = parseNameAddress(required(message, name));
  const tag = address.parameters.get('tag');
  if (tag !== undefined && !isToken(tag)) throw new SipSyntaxError(`Bad tag in ${name}`);
  return address;
}

function readCallId(message: Fields): string {
  const value = required(message, 'call-id');
  if (!CALL_ID.test(value)) throw new SipSyntaxError('Bad call-id');
  return value;
}

function readCSeq(message: Fields): CSeq {
  const [number = '', method = '', ...more] = required(message, 'cseq').split(/[ \t]+/);
  if (!isToken(method) || more.length > 0) throw new SipSyntaxError('Bad cseq');
  return { number: parseNumber(number, MAX_CSEQ, 'cseq'), method };
}

function readRoutes(value: string): NameAddress[] {
  const routes = parseNameAddressList(value);
  if (!routes.every(({ uri }) => isSipUri(uri))) throw new SipSyntaxError('Bad route');
  return routes;
}

function readRequestUri(text: string) {
  const uri = parseUri(text);
  if (isSipUri(uri) && uri.hasHeaders) throw new SipSyntaxError('Headers in the Request-URI');
  return uri;
}

/** Lists that are taken apart later. */
const LISTS = ['require', 'accept', 'content-encoding'];

/** Refuses what breaks the grammar in fields that are read later, or whose breach makes the rest doubtful. */
function checkOthers(message: Fields): void {
  for (const name of LISTS) listValues(message, name);
  for (const value of fieldValues(message, 'route')) readRoutes(value);
  for (const value of fieldValues(message, 'max-forwards')) parseNumber(value, 255, 'max-forwards');
  for (const value of fieldValues(message, 'content-type')) {
    if (!MEDIA_TYPE.test(value)) throw new SipSyntaxError('Bad content-type');
  }
  for (const value of fieldValues(message, 'date')) {
    if (!SIP_DATE.test(value)) throw new SipSyntaxError('Bad date');
  }
}

/** Bytes past Content-Length are dropped; without it the body is the rest (RFC 3261 section 18.3). */
function readBody(message: Fields, rest: Uint8Array): Uint8Array {
  const text = fieldValue(message, 'content-length');
  const length = text === undefined ? rest.length : parseNumber(text, MAX_MESSAGE_BYTES, 'content-length');
  if (length > rest.length) throw new SipSyntaxError('Body shorter than Content-Length');
  if (length > 0 && fieldValue(message, 'content-type') === undefined) throw new SipSyntaxError('No content-type');
  return rest.subarray(0, length);
}
