import { GatewayError } from '../core/errors.ts';
import { type SdpAttribute, type SdpMedia, type SessionDescription, serializeSdp } from './sdp.ts';
import { type Direction, G711_CODECS, type RemoteAudio, readAudio, type SdpCodec } from './sdp-audio.ts';
import type { SdpOrigin } from './sdp-origin.ts';

/** What our own descriptions say of this side. */
export interface LocalAudio {
  /** One per call, so that versions count. */
  readonly origin: SdpOrigin;
  /** IPv4 address that the peer reaches our RTP port on. */
  readonly localAddress: string;
  readonly rtpPort: number;
  /** Default: G.711 µ-law and A-law. In offers the order is our preference; in answers the peer's counts. */
  readonly codecs?: readonly SdpCodec[];
}

export interface NegotiatedAudio extends RemoteAudio {
  readonly answerSdp: string;
}

export interface OfferOptions extends LocalAudio {
  /** Default 20. */
  readonly ptimeMs?: number;
  /** Default `sendrecv`; `sendonly` or `inactive` to hold. */
  readonly direction?: Direction;
}

/** Payload type of telephone-event in our own offers: the number that everybody uses. */
const OFFERED_TELEPHONE_EVENT = 101;

/**
 * Answers an offer (RFC 3264 section 6): the first audio stream that can be served is taken with the first codec that
 * both sides know, in the offer's order; every other stream is refused with port 0.
 *
 * @throws GatewayError `ERR_SDP_NO_CODEC` - when no stream can be served; nothing was sent or counted.
 */
export function negotiate(offer: SessionDescription, local: LocalAudio): NegotiatedAudio {
  const { codecs = G711_CODECS } = local;
  let accepted: RemoteAudio | undefined;
  const media: SdpMedia[] = [];
  for (const offered of offer.media) {
    const audio = accepted === undefined ? readAudio(offer, offered, codecs) : undefined;
    accepted ??= audio;
    media.push(audio === undefined ? refused(offered) : describe(local.rtpPort, [audio.codec], audio));
  }
  if (accepted === undefined) throw noCodec('the offer', offer, codecs);
  return { ...accepted, answerSdp: serialize(local, media, offer.timing) };
}

/** An offer of one audio stream with telephone-event (RFC 3264 section 5). */
export function makeOffer(options: OfferOptions): string {
  const { codecs = G711_CODECS, rtpPort, ptimeMs = 20, direction = 'sendrecv' } = options;
  const audio = describe(rtpPort, codecs, {
    telephoneEventPayloadType: OFFERED_TELEPHONE_EVENT,
    telephoneEvents: '0-16',
    ptimeMs,
    direction,
  });
  return serialize(options, [audio], '0 0');
}

/**
 * Reads the answer to an offer of {@link makeOffer}.
 *
 * @throws GatewayError `ERR_SDP_NO_CODEC` - when the peer refused the stream or answered with what was not offered.
 */
export function readAnswer(answer: SessionDescription, codecs: readonly SdpCodec[] = G711_CODECS): RemoteAudio {
  const media = answer.media[0];
  const audio = media && readAudio(answer, media, codecs);
  if (audio === undefined) throw noCodec('the answer', answer, codecs);
  return audio;
}

function describe(
  port: number,
  codecs: readonly SdpCodec[],
  audio: Pick<RemoteAudio, 'telephoneEventPayloadType' | 'telephoneEvents' | 'ptimeMs' | 'direction'>,
): SdpMedia {
  const formats = codecs.map(({ payloadType }) => String(payloadType));
  const attributes: SdpAttribute[] = codecs.map(({ name, payloadType, clockRate }) => ({
    name: 'rtpmap',
    value: `${payloadType} ${name}/${clockRate}`,
  }));
  const eventType = audio.telephoneEventPayloadType;
  if (eventType !== undefined) {
    formats.push(String(eventType));
    attributes.push({ name: 'rtpmap', value: `${eventType} telephone-event/${codecs[0]?.clockRate}` });
    // Event 16, hook flash, is named only to a peer that names it as well.
    attributes.push({ name: 'fmtp', value: `${eventType} ${/\b16\b/.test(audio.telephoneEvents) ? '0-16' : '0-15'}` });
  }
  attributes.push({ name: 'ptime', value: String(audio.ptimeMs) }, { name: audio.direction, value: undefined });
  return { type: 'audio', port, protocol: 'RTP/AVP', formats, connection: undefined, attributes };
}

function refused(offered: SdpMedia): SdpMedia {
  return { ...offered, port: 0, connection: undefined, attributes: [] };
}

function serialize(local: LocalAudio, media: readonly SdpMedia[], timing: string): string {
  const session: SessionDescription = {
    origin: '',
    connection: { addressType: 'IP4', address: local.localAddress },
    timing,
    attributes: [],
    media,
  };
  return serializeSdp({ ...session, origin: local.origin.next(local.localAddress, serializeSdp(session)) });
}

function noCodec(what: string, session: SessionDescription, codecs: readonly SdpCodec[]): GatewayError {
  const found = session.media.map(
    ({ type, port, protocol, formats }) => `${type} ${port} ${protocol} ${formats.join(' ')}`,
  );
  return new GatewayError('ERR_SDP_NO_CODEC', {
    found: `${what} has ${found.join(', ') || 'no media'}`,
    needed: `audio over RTP/AVP at an IPv4 address with one of ${codecs.map(({ name }) => name).join(', ')}`,
  });
}
