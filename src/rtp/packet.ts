/**
 * One RTP packet, parsed and built in place (RFC 3550 section 5.1).
 *
 * ```
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                           timestamp                           |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                             SSRC                              |
 * +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 * |                      CSRC (CC words)                          |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |  X: defined by profile        |  length of extension in words |
 * |                      extension (length words)                 |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |  payload …                     P: padding …  | padding octets |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * ```
 */

/** Length of a header without CSRC list and extension. */
export const RTP_HEADER_BYTES = 12;

/** The fields of one packet; one object is filled again for every packet. */
export interface RtpHeader {
  payloadType: number;
  marker: boolean;
  sequenceNumber: number;
  timestamp: number;
  ssrc: number;
  /** Where the payload starts in the bytes that were parsed. */
  payloadOffset: number;
  /** Length of the payload without padding; 0 for a keep-alive. */
  payloadBytes: number;
}

/**
 * One packet of audio on its way through the receive side: its payload is `bytes[offset, offset + length)`. Records are
 * used again, so a packet and its payload are valid during the call that hands it on only.
 */
export interface AudioPacket {
  bytes: Uint8Array;
  offset: number;
  length: number;
  payloadType: number;
  /** In RTP ticks: what the packet says, and after `MediaTimeline` where it lies on the session's axis. */
  timestamp: number;
  /** Monotonic. */
  arrivalMs: number;
}

/** What clocks look at: a timestamp of 32 bits, signed or not, and the monotonic time of arrival. */
export type TimedPacket = Readonly<Pick<AudioPacket, 'timestamp' | 'arrivalMs'>>;

const NO_BYTES = new Uint8Array(0);

export function createAudioPacket(): AudioPacket {
  return { bytes: NO_BYTES, offset: 0, length: 0, payloadType: 0, timestamp: Number.NaN, arrivalMs: Number.NaN };
}

export type RtpParseResult =
  | 'ok'
  /** The version is not 2: not RTP at all (STUN, a keep-alive of blanks). */
  | 'notRtp'
  /** Shorter than its own header, CSRC list or extension says. */
  | 'truncated'
  /** The padding count is 0 or reaches into the header. */
  | 'badPadding';

/** An empty header to hand to {@link parseRtp}. */
export function createRtpHeader(): RtpHeader {
  return {
    payloadType: 0,
    marker: false,
    sequenceNumber: 0,
    timestamp: 0,
    ssrc: 0,
    payloadOffset: 0,
    payloadBytes: 0,
  };
}

/** Reads 32 bits, most significant byte first, as an unsigned number; the caller has checked the bounds. */
export function readUint32(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>> 0;
}

export function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

/**
 * Parses `bytes[offset, offset + length)` into `header`, without an allocation. `header` is meaningful only when the
 * result is `'ok'`.
 */
export function parseRtp(bytes: Uint8Array, offset: number, length: number, header: RtpHeader): RtpParseResult {
  if (length < RTP_HEADER_BYTES) return 'truncated';
  const first = bytes[offset]!;
  if (first >> 6 !== 2) return 'notRtp';

  const second = bytes[offset + 1]!;
  header.marker = second >= 0x80;
  header.payloadType = second & 0x7f;
  header.sequenceNumber = (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
  header.timestamp = readUint32(bytes, offset + 4);
  header.ssrc = readUint32(bytes, offset + 8);

  let headerBytes = RTP_HEADER_BYTES + (first & 0x0f) * 4;
  if ((first & 0x10) !== 0) {
    if (headerBytes + 4 > length) return 'truncated';
    const at = offset + headerBytes + 2;
    headerBytes += 4 + ((bytes[at]! << 8) | bytes[at + 1]!) * 4;
  }
  let payloadBytes = length - headerBytes;
  if (payloadBytes < 0) return 'truncated';

  if ((first & 0x20) !== 0) {
    const padding = bytes[offset + length - 1]!;
    if (padding === 0 || padding > payloadBytes) return 'badPadding';
    payloadBytes -= padding;
  }
  header.payloadOffset = offset + headerBytes;
  header.payloadBytes = payloadBytes;
  return 'ok';
}

/** Writes a header of {@link RTP_HEADER_BYTES} at `offset`. Sequence number, timestamp and SSRC are taken modulo their width. */
export function writeRtpHeader(
  bytes: Uint8Array,
  offset: number,
  payloadType: number,
  marker: boolean,
  sequenceNumber: number,
  timestamp: number,
  ssrc: number,
): void {
  bytes[offset] = 0x80;
  bytes[offset + 1] = marker ? payloadType | 0x80 : payloadType;
  bytes[offset + 2] = sequenceNumber >>> 8;
  bytes[offset + 3] = sequenceNumber;
  writeUint32(bytes, offset + 4, timestamp);
  writeUint32(bytes, offset + 8, ssrc);
}

/**
 * Whether a datagram is RTCP: version 2 and a second byte of 192-223, which as RTP would be payload types 64-95 with
 * the marker (RFC 5761 section 4).
 */
export function isRtcp(bytes: Uint8Array, offset: number, length: number): boolean {
  return length >= 4 && bytes[offset]! >> 6 === 2 && bytes[offset + 1]! >= 192 && bytes[offset + 1]! <= 223;
}
