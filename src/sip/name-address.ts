import {
  endOfQuoted,
  type Parameters,
  parseParameters,
  SipSyntaxError,
  serializeParameters,
  splitOutsideQuotes,
  unquote,
} from './grammar.ts';
import { isSipUri, parseUri, type Uri } from './uri.ts';

/** The value of From, To, Contact, Route and Record-Route: `"Name" <uri>;parameters` or `uri;parameters`. */
export interface NameAddress {
  /** Quotes and backslashes removed; undefined when there is none. */
  readonly displayName: string | undefined;
  readonly uri: Uri;
  readonly parameters: Parameters;
}

/** Words without quotes. Letters beyond ASCII are forbidden there, met often, and never ambiguous. */
const PLAIN_DISPLAY_NAME = /^[\w\-.!%*+`'~\u0080-\u{10ffff}]+(?:[ \t]+[\w\-.!%*+`'~\u0080-\u{10ffff}]+)*$/u;

/** @throws SipSyntaxError - when the grammar of RFC 3261 section 25.1 (`name-addr`, `addr-spec`) is broken. */
export function parseNameAddress(value: string): NameAddress {
  const text = value.trim();
  const nameEnd = text.startsWith('"') ? endOfQuoted(text, 0) : text.indexOf('<');
  if (nameEnd < 0) return parseBareAddress(text);

  const name = text.slice(0, nameEnd).trim();
  const rest = text.slice(nameEnd).trimStart();
  const close = rest.indexOf('>');
  const wellFormed = rest.startsWith('<') && close > 0;
  if (!wellFormed || !(name === '' || name.startsWith('"') || PLAIN_DISPLAY_NAME.test(name))) {
    throw new SipSyntaxError('Bad name-addr');
  }
  return {
    displayName: name === '' ? undefined : unquote(name),
    uri: parseUri(rest.slice(1, close)),
    parameters: parseParameters(rest.slice(close + 1)),
  };
}

/** Without angle brackets everything after a semicolon belongs to the header, and `,` and `?` are forbidden. */
function parseBareAddress(text: string): NameAddress {
  const semicolon = text.indexOf(';');
  const uri = parseUri((semicolon < 0 ? text : text.slice(0, semicolon)).trimEnd());
  if (isSipUri(uri) ? uri.hasHeaders || uri.text.includes(',') : /[,?]/.test(uri.text)) {
    throw new SipSyntaxError('URI needs angle brackets');
  }
  return {
    displayName: undefined,
    uri,
    parameters: parseParameters(semicolon < 0 ? '' : text.slice(semicolon)),
  };
}

/** @throws SipSyntaxError - when any element of the comma-separated list is malformed or empty. */
export function parseNameAddressList(value: string): NameAddress[] {
  return splitOutsideQuotes(value, ',').map(parseNameAddress);
}

export function serializeNameAddress({ displayName, uri, parameters }: NameAddress): string {
  const name = displayName === undefined ? '' : `"${displayName.replace(/["\\]/g, '\\$&')}" `;
  return `${name}<${uri.text}>${serializeParameters(parameters)}`;
}
