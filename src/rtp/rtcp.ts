/**
 * RTCP sender and receiver reports, source description and BYE (RFC 3550 section 6), built and parsed.
 *
 * ```
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |V=2|P|  count  |   packet type |      length in words - 1      |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                        SSRC of sender                         |
 * +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 * |  SR only: NTP seconds, NTP fraction, RTP timestamp,           |
 * |           packets sent, octets sent          (5 words)        |
 * +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 * |  SSRC reported on                      ┐                      |
 * | fraction lost |   packets lost, signed │                      |
 * |  extended highest sequence number      │ `count` report       |
 * |  interarrival jitter                   │ blocks of 6 words    |
 * |  last SR (LSR)                         │                      |
 * |  delay since last SR (DLSR)            ┘                      |
 * +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 * ```
 */
import { readUint32, writeUint32 } from './packet.ts';

export const RTCP_SENDER_REPORT = 200;
export const RTCP_RECEIVER_REPORT = 201;
export const RTCP_SOURCE_DESCRIPTION = 202;
export const RTCP_BYE = 203;

const HEADER_BYTES = 8;
const SENDER_INFO_BYTES = 20;
const REPORT_BLOCK_BYTES = 24;
const SDES_CNAME = 1;
/** A minute; what is longer was not measured. */
const MAX_ROUND_TRIP_UNITS = 60 * 65536;
/** Seconds from the NTP epoch (1900) to the Unix epoch. */
const NTP_UNIX_SECONDS = 2_208_988_800;

export interface NtpTime {
  ntpSeconds: number;
  /** In 1/2^32 s. */
  ntpFraction: number;
}

export interface SenderInfo extends Readonly<NtpTime> {
  readonly rtpTimestamp: number;
  readonly packetsSent: number;
  readonly octetsSent: number;
}

/** What one receiver says about one source. */
export interface ReportBlock {
  readonly ssrc: number;
  /** In 1/256, since the last report. */
  readonly fractionLost: number;
  /** Since the start; negative when duplicates outnumber losses. */
  readonly packetsLost: number;
  readonly extendedHighestSequenceNumber: number;
  /** In ticks of the source's clock rate. */
  readonly interarrivalJitter: number;
  /** Middle 32 bits of the NTP time of the last sender report; 0: none yet. */
  readonly lastSenderReport: number;
  /** In 1/65536 s. */
  readonly delaySinceLastSenderReport: number;
}

/** What was understood of a compound packet. */
export interface RtcpCompound {
  /** Who sent the first report, or undefined when there is none. */
  readonly senderSsrc: number | undefined;
  readonly senderInfo: SenderInfo | undefined;
  readonly reportBlocks: readonly ReportBlock[];
  readonly cname: string | undefined;
  /** The sources that leave. */
  readonly bye: readonly number[];
}

/** Writes Unix time in milliseconds to `ntp` (RFC 3550 section 4); wraps with the era in 2036. @returns `ntp`. */
export function toNtp<T extends NtpTime>(unixMs: number, ntp: T): T {
  const seconds = Math.floor(unixMs / 1000);
  ntp.ntpSeconds = (seconds + NTP_UNIX_SECONDS) >>> 0;
  ntp.ntpFraction = Math.floor(((unixMs - seconds * 1000) / 1000) * 2 ** 32) >>> 0;
  return ntp;
}

/** The middle 32 bits of an NTP time, in 1/65536 s: what LSR carries. */
export function middleNtp(ntpSeconds: number, ntpFraction: number): number {
  return ((ntpSeconds << 16) | (ntpFraction >>> 16)) >>> 0;
}

/**
 * Round-trip time from a report on our own source (RFC 3550 section 6.4.1), or undefined when the peer has not seen
 * a sender report yet or the figures make no sense.
 *
 * @param arrivalNtp - Middle 32 bits of when the report arrived.
 */
export function roundTripMs(arrivalNtp: number, block: ReportBlock): number | undefined {
  if (block.lastSenderReport === 0) return undefined;
  const units = (arrivalNtp - block.lastSenderReport - block.delaySinceLastSenderReport) | 0;
  // Rounding on both sides can make a very short time slightly negative.
  if (units < -655 || units > MAX_ROUND_TRIP_UNITS) return undefined;
  return Math.max(0, units / 65.536);
}

/** Writes a sender report, or a receiver report when `sender` is undefined. @returns the offset behind it. */
export function writeReport(
  bytes: Uint8Array,
  offset: number,
  ssrc: number,
  sender: SenderInfo | undefined,
  block: ReportBlock | undefined,
): number {
  let at = offset + HEADER_BYTES;
  writeUint32(bytes, offset + 4, ssrc);
  if (sender) {
    writeUint32(bytes, at, sender.ntpSeconds);
    writeUint32(bytes, at + 4, sender.ntpFraction);
    writeUint32(bytes, at + 8, sender.rtpTimestamp);
    writeUint32(bytes, at + 12, sender.packetsSent);
    writeUint32(bytes, at + 16, sender.octetsSent);
    at += SENDER_INFO_BYTES;
  }
  if (block) {
    const packetsLost = Math.max(-0x80_0000, Math.min(0x7f_ffff, block.packetsLost));
    writeUint32(bytes, at, block.ssrc);
    writeUint32(bytes, at + 4, (block.fractionLost << 24) | (packetsLost & 0xff_ffff));
    writeUint32(bytes, at + 8, block.extendedHighestSequenceNumber);
    writeUint32(bytes, at + 12, block.interarrivalJitter);
    writeUint32(bytes, at + 16, block.lastSenderReport);
    writeUint32(bytes, at + 20, block.delaySinceLastSenderReport);
    at += REPORT_BLOCK_BYTES;
  }
  return finish(bytes, offset, at, block ? 1 : 0, sender ? RTCP_SENDER_REPORT : RTCP_RECEIVER_REPORT);
}

/** Writes a source description with the CNAME alone: at most 255 bytes of ASCII. @returns the offset behind it. */
export function writeSourceDescription(bytes: Uint8Array, offset: number, ssrc: number, cname: string): number {
  let at = offset + HEADER_BYTES;
  writeUint32(bytes, offset + 4, ssrc);
  bytes[at] = SDES_CNAME;
  bytes[at + 1] = cname.length;
  for (let index = 0; index < cname.length; index++) bytes[at + 2 + index] = cname.charCodeAt(index);
  at += 2 + cname.length;
  // One to four zeros: the end of the list, and padding to a word.
  do bytes[at++] = 0;
  while ((at - offset) % 4 !== 0);
  return finish(bytes, offset, at, 1, RTCP_SOURCE_DESCRIPTION);
}

/** Writes a BYE without a reason. @returns the offset behind it. */
export function writeBye(bytes: Uint8Array, offset: number, ssrc: number): number {
  writeUint32(bytes, offset + 4, ssrc);
  return finish(bytes, offset, offset + HEADER_BYTES, 1, RTCP_BYE);
}

function finish(bytes: Uint8Array, offset: number, end: number, count: number, packetType: number): number {
  bytes[offset] = 0x80 | count;
  bytes[offset + 1] = packetType;
  const words = (end - offset) / 4 - 1;
  bytes[offset + 2] = words >>> 8;
  bytes[offset + 3] = words;
  return end;
}

/**
 * Parses a compound packet. Tolerant: packets of unknown types are stepped over, and what follows a broken packet is
 * left out. Work and result are bounded by `length`.
 *
 * @returns undefined when not even the first packet can be read.
 */
export function parseRtcp(bytes: Uint8Array, offset: number, length: number): RtcpCompound | undefined {
  let senderSsrc: number | undefined;
  let senderInfo: SenderInfo | undefined;
  let cname: string | undefined;
  const reportBlocks: ReportBlock[] = [];
  const bye: number[] = [];

  const end = offset + length;
  let at = offset;
  while (at + 4 <= end && bytes[at]! >> 6 === 2) {
    const count = bytes[at]! & 0x1f;
    const packetType = bytes[at + 1]!;
    const packetEnd = at + (((bytes[at + 2]! << 8) | bytes[at + 3]!) + 1) * 4;
    if (packetEnd > end) break;
    if (packetType === RTCP_SENDER_REPORT || packetType === RTCP_RECEIVER_REPORT) {
      let body = at + HEADER_BYTES;
      if (packetType === RTCP_SENDER_REPORT) {
        body += SENDER_INFO_BYTES;
        if (body > packetEnd) break;
        senderInfo = readSenderInfo(bytes, at + HEADER_BYTES);
      }
      if (body + count * REPORT_BLOCK_BYTES > packetEnd) break;
      senderSsrc ??= readUint32(bytes, at + 4);
      for (let block = 0; block < count; block++) {
        reportBlocks.push(readReportBlock(bytes, body + block * REPORT_BLOCK_BYTES));
      }
    } else if (packetType === RTCP_SOURCE_DESCRIPTION) {
      if (count > 0) cname ??= readCname(bytes, at + HEADER_BYTES, packetEnd);
    } else if (packetType === RTCP_BYE) {
      if (at + 4 + count * 4 > packetEnd) break;
      for (let source = 0; source < count; source++) bye.push(readUint32(bytes, at + 4 + source * 4));
    }
    at = packetEnd;
  }
  return at === offset ? undefined : { senderSsrc, senderInfo, reportBlocks, cname, bye };
}

function readSenderInfo(bytes: Uint8Array, at: number): SenderInfo {
  return {
    ntpSeconds: readUint32(bytes, at),
    ntpFraction: readUint32(bytes, at + 4),
    rtpTimestamp: readUint32(bytes, at + 8),
    packetsSent: readUint32(bytes, at + 12),
    octetsSent: readUint32(bytes, at + 16),
  };
}

function readReportBlock(bytes: Uint8Array, at: number): ReportBlock {
  return {
    ssrc: readUint32(bytes, at),
    fractionLost: bytes[at + 4]!,
    packetsLost: (readUint32(bytes, at + 4) << 8) >> 8,
    extendedHighestSequenceNumber: readUint32(bytes, at + 8),
    interarrivalJitter: readUint32(bytes, at + 12),
    lastSenderReport: readUint32(bytes, at + 16),
    delaySinceLastSenderReport: readUint32(bytes, at + 20),
  };
}

/** The CNAME of the first chunk, whose items start at `at`: type, length, text. */
function readCname(bytes: Uint8Array, start: number, end: number): string | undefined {
  let at = start;
  while (at + 2 <= end && bytes[at] !== 0) {
    const itemEnd = at + 2 + bytes[at + 1]!;
    if (itemEnd > end) return undefined;
    if (bytes[at] === SDES_CNAME) return Buffer.from(bytes.subarray(at + 2, itemEnd)).toString('utf8');
    at = itemEnd;
  }
  return undefined;
}
