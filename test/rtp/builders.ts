import { writeRtpHeader } from '../../src/rtp/packet.ts';

export interface RtpFields {
  readonly payloadType?: number;
  readonly marker?: boolean;
  readonly sequenceNumber: number;
  readonly timestamp: number;
  readonly ssrc?: number;
  readonly payload?: Uint8Array;
}

/** A datagram; what is left out is PCMU, no marker, SSRC 1 and 160 bytes that name the sequence number. */
export function rtpPacket(fields: RtpFields): Uint8Array {
  const { payloadType = 0, marker = false, sequenceNumber, timestamp, ssrc = 1 } = fields;
  const payload = fields.payload ?? new Uint8Array(160).fill(sequenceNumber & 0xff);
  const bytes = new Uint8Array(12 + payload.length);
  writeRtpHeader(bytes, 0, payloadType, marker, sequenceNumber & 0xffff, timestamp, ssrc);
  bytes.set(payload, 12);
  return bytes;
}

/** A small repeatable generator of [0, 1) (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
