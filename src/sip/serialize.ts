import { isToken } from './grammar.ts';
import type { HeaderField } from './message.ts';
import { formatHost } from './socket-address.ts';

const EMPTY = new Uint8Array(0);

/**
 * The one place where messages become bytes, and so the one place that keeps a value from starting a header field of
 * its own.
 *
 * @throws TypeError - when the start line or a field holds CR, LF or NUL, or a name is not a token.
 */
export function serializeMessage(startLine: string, fields: readonly HeaderField[], body: Uint8Array = EMPTY): Buffer {
  let head = `${inOneLine(startLine)}\r\n`;
  for (const { name, value } of fields) {
    if (!isToken(name)) throw new TypeError(`Expected a token for a header name but received ${JSON.stringify(name)}`);
    head += `${name}: ${inOneLine(value)}\r\n`;
  }
  head += `Content-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'utf8'), body]);
}

function inOneLine(text: string): string {
  if (/[\r\n\0]/.test(text)) {
    throw new TypeError(`Expected no CR, LF or NUL for a header field but received ${JSON.stringify(text)}`);
  }
  return text;
}

/**
 * A received value made fit to be sent back. The parser leaves at most a NUL behind a backslash; a space in its place
 * keeps the quoted pair a pair.
 */
export function echoed(value: string): string {
  return value.replace(/[\r\n\0]/g, ' ');
}

/** The Contact that peers reach this user agent by. */
export function contactField(address: string, port: number): HeaderField {
  return { name: 'Contact', value: `<sip:${formatHost(address)}:${port}>` };
}
