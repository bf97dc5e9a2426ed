import type { SipRequest, SipResponse } from './message.ts';
import { parseSdp, type SessionDescription } from './sdp.ts';
import type { ServerTransaction } from './server-transaction.ts';

/**
 * The session description a message carries; undefined when it has no body.
 *
 * @throws GatewayError `ERR_SDP_INVALID` - when the body is none.
 */
export function sessionOf(message: SipRequest | SipResponse): SessionDescription | undefined {
  return message.body.length === 0 ? undefined : parseSdp(bodyText(message));
}

export function bodyText({ body }: SipRequest | SipResponse): string {
  return Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8');
}

/** What an INVITE offers, if anything; undefined when its body was no session description and 400 has been sent. */
export function readOffer(invite: ServerTransaction): { readonly offer: SessionDescription | undefined } | undefined {
  try {
    return { offer: sessionOf(invite.request) };
  } catch {
    invite.respond(400, { reason: 'Bad Session Description' });
    return undefined;
  }
}
