/**
 * The memory that JavaScript and the media thread share: the numbers of `native/media-layout.h`, which says who writes
 * what. Offsets into a structure are in bytes.
 */

/** Ports that one transport can have open; a power of two. */
export const PORTS = 4096;
export const PORTS_PER_CHUNK = 16;

/** A power of two. */
export const PACKET_RING_BYTES: number = 2 ** 23;
export const PACKET_RECORD_BYTES = 24;

/** Payload of the largest datagram that crosses an Ethernet unfragmented. */
export const MAX_PAYLOAD_BYTES: number = 1500 - 20 - 8 - 12;
/** A power of two. */
export const FRAME_SLOTS = 64;
export const CAPACITY_FRAMES = 60;
export const FRAME_BYTES = 1488;
export const PORT_MEMORY_BYTES: number = 192 + FRAME_SLOTS * FRAME_BYTES;

export const TRANSPORT_CONTROL = {
  head: 0,
  tail: 64,
  received: 128,
  oversized: 132,
  ringFull: 136,
  skippedDeadlines: 140,
  maxLateUs: 144,
  standbySent: 148,
  ticks: 192,
} as const;

export const PACKET_RECORD = {
  source: 0,
  arrivalMs: 8,
  portId: 16,
  /** 16 bits; 16 bits that tell whether it came on the RTCP port follow. */
  lengthBytes: 20,
} as const;

export const PORT_MEMORY = {
  head: 0,
  flushedTo: 4,
  paused: 8,
  claimed: 64,
  done: 128,
  sendErrors: 132,
  receiveDrops: 136,
  version: 140,
  lastSentMs: 144,
  octetsSent: 152,
  packetsSent: 160,
  lastTimestamp: 164,
  frames: 192,
} as const;

export const FRAME = {
  /** Payload length in 16 bits, payload type and flags in 8 each. */
  header: 0,
  timestampStep: 4,
  payload: 8,
  sentAtMs: 1472,
  timestamp: 1480,
} as const;

/** Names the first number on which an addon of another version differs, or returns undefined. */
export function layoutDifference(layout: Readonly<Record<string, number>>): string | undefined {
  const expected: Readonly<Record<string, number>> = {
    ports: PORTS,
    portsPerChunk: PORTS_PER_CHUNK,
    packetRingBytes: PACKET_RING_BYTES,
    packetRecordBytes: PACKET_RECORD_BYTES,
    payloadBytes: MAX_PAYLOAD_BYTES,
    frameSlots: FRAME_SLOTS,
    capacityFrames: CAPACITY_FRAMES,
    frameBytes: FRAME_BYTES,
    portMemoryBytes: PORT_MEMORY_BYTES,
    ticksOffset: TRANSPORT_CONTROL.ticks,
    framesOffset: PORT_MEMORY.frames,
  };
  return Object.keys(expected).find((name) => expected[name] !== layout[name]);
}
