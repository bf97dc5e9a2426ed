import { G711 } from '../audio/g711.ts';

/** Static payload types of RFC 3551 section 6. */
export const PAYLOAD_TYPE_PCMU = 0;
export const PAYLOAD_TYPE_PCMA = 8;
/** Comfort noise, RFC 3389. */
export const PAYLOAD_TYPE_CN = 13;

function isG711(payloadType: number): boolean {
  return payloadType === PAYLOAD_TYPE_PCMU || payloadType === PAYLOAD_TYPE_PCMA;
}

/** Samples in a payload of PCMU, PCMA or, of any other type, mono L16; 0 of comfort noise. */
export function samplesInPayload(payloadType: number, payload: Uint8Array): number {
  if (payloadType === PAYLOAD_TYPE_CN) return 0;
  return isG711(payloadType) ? payload.length : payload.length >> 1;
}

/** Expands a payload into `out`, which has exactly the room that it needs. */
export function decodePayload(payloadType: number, payload: Uint8Array, out: Int16Array): void {
  if (payloadType === PAYLOAD_TYPE_PCMU) G711.decodeUlaw(payload, out);
  else if (payloadType === PAYLOAD_TYPE_PCMA) G711.decodeAlaw(payload, out);
  else decodeL16(payload, out);
}

/** Network byte order (RFC 3551 section 4.5.11). */
function decodeL16(payload: Uint8Array, out: Int16Array): void {
  for (let i = 0; i < out.length; i++) out[i] = (payload[2 * i]! << 8) | payload[2 * i + 1]!;
}
