import {
  ACCEPT_DTMF,
  ACCEPT_SDP,
  ALLOW,
  ALLOWED_METHODS,
  DTMF_RELAY_TYPE,
  KNOWN_METHODS,
  SDP_TYPE,
} from './capabilities.ts';
import { contentType, fieldValues, type HeaderField, listValues, type SipRequest } from './message.ts';
import { isSipUri } from './uri.ts';

/** Why a request is refused before anybody looks at what it wants. */
export interface Refusal {
  readonly status: number;
  readonly reason?: string;
  readonly fields?: readonly HeaderField[];
}

/**
 * The checks of RFC 3261 section 8.2 that need nothing but the request, in its order: method, Request-URI, Require,
 * body, Accept. Max-Forwards is for proxies: a user agent serves a request whose count is 0 (RFC 4475 section 3.3.11).
 */
export function refusalOf(request: SipRequest): Refusal | undefined {
  return refusedMethod(request) ?? refusedUri(request) ?? refusedExtension(request) ?? refusedContent(request);
}

function refusedMethod({ method }: SipRequest): Refusal | undefined {
  if (ALLOWED_METHODS.includes(method)) return undefined;
  return { status: KNOWN_METHODS.includes(method) ? 405 : 501, fields: [ALLOW] };
}

/** `sips:` promises TLS, which this user agent has not. */
function refusedUri({ uri }: SipRequest): Refusal | undefined {
  return uri.scheme === 'sip' || uri.scheme === 'tel' ? undefined : { status: 416 };
}

function refusedExtension(request: SipRequest): Refusal | undefined {
  const required = listValues(request, 'require');
  if (required.length === 0) return undefined;
  return { status: 420, fields: [{ name: 'Unsupported', value: required.join(', ') }] };
}

function refusedContent(request: SipRequest): Refusal | undefined {
  const { method, body, contacts } = request;
  const expected = method === 'INVITE' ? SDP_TYPE : method === 'INFO' ? DTMF_RELAY_TYPE : undefined;
  if (expected !== undefined && body.length > 0) {
    const encodings = listValues(request, 'content-encoding').filter((name) => name.toLowerCase() !== 'identity');
    if (encodings.length > 0) return { status: 415, fields: [{ name: 'Accept-Encoding', value: 'identity' }] };
    if (contentType(request) !== expected) {
      return { status: 415, fields: [method === 'INVITE' ? ACCEPT_SDP : ACCEPT_DTMF] };
    }
  }
  if (method !== 'INVITE') return undefined;
  if (contacts.length > 1 || contacts.some(({ uri }) => !isSipUri(uri))) return { status: 400, reason: 'Bad Contact' };
  return acceptsSdp(request) ? undefined : { status: 406 };
}

/** No Accept means SDP; an empty one means nothing at all (RFC 3261 section 20.1). */
function acceptsSdp(request: SipRequest): boolean {
  if (fieldValues(request, 'accept').length === 0) return true;
  return listValues(request, 'accept').some((range) => {
    const type = range.split(';')[0]?.replace(/\s/g, '').toLowerCase();
    return type === SDP_TYPE || type === 'application/*' || type === '*/*';
  });
}
