import { type SipSyntaxError, splitOutsideQuotes } from './grammar.ts';
import type { NameAddress } from './name-address.ts';
import type { Uri } from './uri.ts';
import type { Via } from './via.ts';

/** One header field line. In received messages `name` is the long form in lower case and `value` is unfolded. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

export interface CSeq {
  readonly number: number;
  readonly method: string;
}

/** What requests and responses have in common once they are parsed. */
interface SipMessage {
  /** Every header field in order, those the gateway does not know included. */
  readonly fields: readonly HeaderField[];
  readonly topVia: Via;
  readonly viaCount: number;
  readonly from: NameAddress;
  readonly to: NameAddress;
  readonly callId: string;
  readonly cseq: CSeq;
  readonly contacts: readonly NameAddress[];
  readonly recordRoutes: readonly NameAddress[];
  /** View into the datagram. */
  readonly body: Uint8Array;
}

export interface SipRequest extends SipMessage {
  readonly kind: 'request';
  /** Case-sensitive; any token. */
  readonly method: string;
  readonly uri: Uri;
}

export interface SipResponse extends SipMessage {
  readonly kind: 'response';
  /** 100-699. */
  readonly status: number;
  readonly reason: string;
}

/** A request that is broken but has a Via, so that its sender can be told. */
export interface BadRequest {
  readonly kind: 'bad-request';
  readonly method: string;
  readonly fields: readonly HeaderField[];
  /** Undefined when the topmost Via is what is broken. */
  readonly topVia: Via | undefined;
  readonly status: 400 | 505;
  readonly error: SipSyntaxError;
}

/** Bytes that nobody can be answered for. */
export interface Unparseable {
  readonly kind: 'unparseable';
  readonly error: SipSyntaxError;
}

/** Carriage returns and line feeds alone, which keep a NAT binding open (RFC 5626 section 3.5.1). */
export interface KeepAlive {
  readonly kind: 'keep-alive';
}

export type ParsedMessage = SipRequest | SipResponse | BadRequest | Unparseable | KeepAlive;

interface WithFields {
  readonly fields: readonly HeaderField[];
}

/** @param name long form, lower case. */
export function fieldValues(message: WithFields, name: string): string[] {
  return message.fields.filter((field) => field.name === name).map((field) => field.value);
}

/** The first value. @param name long form, lower case. */
export function fieldValue(message: WithFields, name: string): string | undefined {
  return message.fields.find((field) => field.name === name)?.value;
}

/**
 * All elements of a header that is a comma-separated list, over however many lines; empty ones left out.
 *
 * @throws SipSyntaxError - for unbalanced quotes or angle brackets; the parser lets none through in lists it knows.
 */
export function listValues(message: WithFields, name: string): string[] {
  return fieldValues(message, name)
    .flatMap((value) => splitOutsideQuotes(value, ','))
    .filter((element) => element !== '');
}

/** The tag parameter; '' for a peer of RFC 2543 that gives none. */
export function tagOf(address: NameAddress): string {
  return address.parameters.get('tag') ?? '';
}

/** `type/subtype` in lower case without parameters; undefined when there is no Content-Type. */
export function contentType(message: WithFields): string | undefined {
  return fieldValue(message, 'content-type')?.split(';')[0]?.replace(/\s/g, '').toLowerCase();
}
