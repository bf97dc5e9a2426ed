import { readFileSync } from 'node:fs';

/** One datagram of a capture. */
export interface CapturedPacket {
  /** Milliseconds since the first packet. */
  readonly timeMs: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

const FOLDER = new URL('../../fixtures/rtp/', import.meta.url);

/** The bytes of a datagram in `fixtures/rtp`. */
export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(name, FOLDER)));
}

/** The UDP datagrams of a classic little-endian capture of Ethernet and IPv4. */
export function readCapture(file: URL | string): CapturedPacket[] {
  const bytes = readFileSync(file);
  const packets: CapturedPacket[] = [];
  let firstMs: number | undefined;
  for (let at = 24; at < bytes.length; ) {
    const timeMs = bytes.readUInt32LE(at) * 1000 + bytes.readUInt32LE(at + 4) / 1000;
    const length = bytes.readUInt32LE(at + 8);
    const ip = at + 16 + 14;
    const udp = ip + (bytes[ip]! & 0x0f) * 4;
    firstMs ??= timeMs;
    packets.push({
      timeMs: timeMs - firstMs,
      sourcePort: bytes.readUInt16BE(udp),
      destinationPort: bytes.readUInt16BE(udp + 2),
      payload: Uint8Array.from(bytes.subarray(udp + 8, udp + bytes.readUInt16BE(udp + 4))),
    });
    at += 16 + length;
  }
  return packets;
}

export function readCaptureFixture(name: string): CapturedPacket[] {
  return readCapture(new URL(name, FOLDER));
}
