/** The shared pieces of SIP's grammar (RFC 3261 section 25.1). */

/** Says what is wrong with a message. Never leaves the parser: it becomes a response and a counter. */
export class SipSyntaxError extends Error {}

const TOKEN = /^[\w\-.!%*+`'~]+$/;
/** `gen-value` without quotes: a token or a host; RFC 5118 peers write IPv6 addresses without brackets. */
const UNQUOTED_VALUE = /^[\w\-.!%*+`'~:[\]]+$/;
const QUOTED = /^"(?:[^"\\]|\\[^\r\n])*"$/s;

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Takes SIP's white space off both ends, in linear time; `trim()` takes no-break spaces and byte order marks as well. */
export function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && ' \t'.includes(text[start] as string)) start++;
  while (end > start && ' \t'.includes(text[end - 1] as string)) end--;
  return text.slice(start, end);
}

/** The text of a quoted string, quotes and backslashes removed. */
export function unquote(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/gs, '$1') : text;
}

/**
 * A decimal number of at most `max`, surrounding white space allowed.
 *
 * @throws SipSyntaxError - for anything else; leading zeros are fine.
 */
export function parseNumber(text: string, max: number, what: string): number {
  const digits = text.trim();
  const value = /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(value <= max)) throw new SipSyntaxError(`Bad ${what}`);
  return value;
}

/** Index just past the quoted string that starts at `start`. @throws SipSyntaxError - when it never ends. */
export function endOfQuoted(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '"') return i + 1;
  }
  throw new SipSyntaxError('Unbalanced quotes');
}

/**
 * Splits where `separator` stands outside quotes and angle brackets. Pieces are trimmed and may be empty.
 *
 * @throws SipSyntaxError - for quotes or angle brackets that do not pair up.
 */
export function splitOutsideQuotes(text: string, separator: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  let inBrackets = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '"' && !inBrackets) i = endOfQuoted(text, i) - 1;
    else if (char === '<' || char === '>') {
      if (inBrackets === (char === '<')) throw new SipSyntaxError('Unbalanced angle brackets');
      inBrackets = char === '<';
    } else if (char === separator && !inBrackets) {
      pieces.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  if (inBrackets) throw new SipSyntaxError('Unbalanced angle brackets');
  pieces.push(text.slice(start).trim());
  return pieces;
}

/** Header parameters by lower-case name; a value is kept as it was written, quotes included; '' = no value. */
export type Parameters = ReadonlyMap<string, string>;

/**
 * Parses `*( SEMI generic-param )`, from the first semicolon on.
 *
 * @throws SipSyntaxError - for an empty, repeated or malformed parameter.
 */
export function parseParameters(text: string): Parameters {
  const parameters = new Map<string, string>();
  if (text.trim() === '') return parameters;
  const [before, ...pieces] = splitOutsideQuotes(text, ';');
  if (before !== '') throw new SipSyntaxError('Bad parameter');
  for (const piece of pieces) {
    const equals = piece.indexOf('=');
    const name = (equals < 0 ? piece : piece.slice(0, equals)).trim().toLowerCase();
    const value = equals < 0 ? '' : piece.slice(equals + 1).trim();
    const valid = isToken(name) && (equals < 0 || UNQUOTED_VALUE.test(value) || QUOTED.test(value));
    if (!valid || parameters.has(name)) throw new SipSyntaxError('Bad parameter');
    parameters.set(name, value);
  }
  return parameters;
}

export function serializeParameters(parameters: Parameters): string {
  let text = '';
  for (const [name, value] of parameters) text += value === '' ? `;${name}` : `;${name}=${value}`;
  return text;
}
