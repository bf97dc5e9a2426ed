import type { InterarrivalJitter } from './interarrival-jitter.ts';
import { type RtcpParties, RtcpSchedule } from './rtcp-schedule.ts';
import { middleNtp, parseRtcp, roundTripMs, toNtp, writeBye, writeReport, writeSourceDescription } from './rtcp.ts';
import type { ReportBlock, RtcpCompound, SenderInfo } from './rtcp.ts';
import type { SequenceTracker } from './sequence.ts';
import type { FrameSender } from './transport.ts';

/** Report, block, CNAME of 255 bytes and BYE. */
const MAX_COMPOUND_BYTES = 28 + 24 + 268 + 8;
/** Who was not heard for five of the longest intervals takes part no more (RFC 3550 section 6.3.5). */
const MEMBER_TIMEOUT_MS = 5 * 5000;
/** Who sent no RTP for two of them is no sender. */
const SENDER_TIMEOUT_MS = 2 * 5000;

export interface RtcpReporterOptions {
  readonly ssrc: number;
  /** At most 255 characters of ASCII. */
  readonly cname: string;
  readonly clockRate: number;
  /** Of one direction of RTP with IP and UDP, in kbit/s. */
  readonly sessionKbps: number;
  /** Unix time minus monotonic time: reports run on one clock that never jumps. */
  readonly wallOffsetMs: number;
  /** A number of [0, 1). */
  readonly random: () => number;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The source that is being received, as reports describe it. */
export interface ReportedSource {
  /** Undefined before its first packet. */
  readonly ssrc: number | undefined;
  readonly sequence: SequenceTracker;
  readonly jitter: InterarrivalJitter;
  /** Of its newest packet. */
  readonly lastArrivalMs: number;
}

/** What the peer said of our packets in its newest report. */
export interface RemoteReport {
  /** Of the packets since the report before: 0-1. */
  readonly fractionLost: number;
  /** Since the start; negative when duplicates outnumber losses. */
  readonly lost: number;
  readonly interarrivalJitterMs: number;
}

/**
 * Reports of one leg: when they are due, what they say, and what the peer's reports say about us. The peer counts as
 * one party, whatever sources it goes through; one that sends no RTCP is heard by its RTP.
 */
export class RtcpReporter {
  readonly #options: RtcpReporterOptions;
  readonly #schedule: RtcpSchedule;
  readonly #parties: RtcpParties = { members: 1, senders: 0, weSent: false };
  readonly #bytes = new Uint8Array(MAX_COMPOUND_BYTES);
  #compound: Uint8Array = this.#bytes;
  /** Filled again for every report, as is the block. */
  readonly #senderInfo: Writable<SenderInfo> = {
    ntpSeconds: 0,
    ntpFraction: 0,
    rtpTimestamp: 0,
    packetsSent: 0,
    octetsSent: 0,
  };
  readonly #block: Writable<ReportBlock> = {
    ssrc: 0,
    fractionLost: 0,
    packetsLost: 0,
    extendedHighestSequenceNumber: 0,
    interarrivalJitter: 0,
    lastSenderReport: 0,
    delaySinceLastSenderReport: 0,
  };
  #sent = 0;
  /** Our packets up to the last report, and up to the one before. */
  #packetsReported = 0;
  #packetsReportedBefore = 0;
  /** The peer's packets up to the last report. */
  #receivedReported = 0;
  #lastSenderReport = 0;
  #lastSenderReportMs = 0;
  #lastSenderReportSsrc = -1;
  #lastReceivedMs = Number.NEGATIVE_INFINITY;
  /** When the peer said BYE; what comes later is a new source of it. */
  #byeMs = Number.NEGATIVE_INFINITY;
  #roundTripMs: number | undefined;
  #remote: RemoteReport | undefined;

  constructor(options: RtcpReporterOptions, nowMs: number) {
    this.#options = options;
    this.#schedule = new RtcpSchedule(options, nowMs);
  }

  /** Compound packets, the farewell included. */
  get sent(): number {
    return this.#sent;
  }

  /** Fraction of the packets from the peer that were lost, as of our last report: 0-1. */
  get fractionLost(): number {
    return this.#block.fractionLost / 256;
  }

  get remote(): RemoteReport | undefined {
    return this.#remote;
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  set sessionKbps(sessionKbps: number) {
    this.#schedule.sessionKbps = sessionKbps;
  }

  /** The compound report to send now, if one is due; its bytes are valid until the next one is made. */
  poll(nowMs: number, sender: FrameSender, source: ReportedSource): Uint8Array | undefined {
    const peerHeardMs = Math.max(source.lastArrivalMs, this.#lastReceivedMs);
    const hasPeer = peerHeardMs > this.#byeMs && nowMs - peerHeardMs < MEMBER_TIMEOUT_MS;
    const peerSends = hasPeer && nowMs - source.lastArrivalMs < SENDER_TIMEOUT_MS;
    const parties = this.#parties;
    parties.weSent = sender.packetsSent > this.#packetsReportedBefore;
    parties.members = hasPeer ? 2 : 1;
    parties.senders = Number(parties.weSent) + Number(peerSends);
    if (!this.#schedule.take(nowMs, parties)) return undefined;
    return this.#finish(this.#write(nowMs, sender, source));
  }

  /** The farewell, or undefined when the peer has never heard of us (RFC 3550 section 6.3.7). */
  bye(nowMs: number, sender: FrameSender, source: ReportedSource): Uint8Array | undefined {
    if (this.#sent === 0 && sender.packetsSent === 0) return undefined;
    const end = this.#write(nowMs, sender, source);
    return this.#finish(writeBye(this.#bytes, end, this.#options.ssrc));
  }

  /** Takes a compound packet of the peer. @returns false when it can not be read. */
  receive(bytes: Uint8Array, offset: number, length: number, arrivalMs: number): boolean {
    const compound = parseRtcp(bytes, offset, length);
    if (!compound) return false;
    this.#schedule.count(length);
    this.#lastReceivedMs = arrivalMs;
    if (compound.bye.length > 0) this.#byeMs = arrivalMs;
    this.#takeSenderReport(compound, arrivalMs);
    for (const block of compound.reportBlocks) {
      if (block.ssrc === this.#options.ssrc) this.#takeBlock(block, arrivalMs);
    }
    return true;
  }

  #takeSenderReport({ senderSsrc, senderInfo }: RtcpCompound, arrivalMs: number): void {
    if (!senderInfo || senderSsrc === undefined) return;
    this.#lastSenderReport = middleNtp(senderInfo.ntpSeconds, senderInfo.ntpFraction);
    this.#lastSenderReportMs = arrivalMs;
    this.#lastSenderReportSsrc = senderSsrc;
  }

  #takeBlock(block: ReportBlock, arrivalMs: number): void {
    this.#roundTripMs = roundTripMs(this.#middleNtp(arrivalMs), block) ?? this.#roundTripMs;
    this.#remote = {
      fractionLost: block.fractionLost / 256,
      lost: block.packetsLost,
      interarrivalJitterMs: (block.interarrivalJitter * 1000) / this.#options.clockRate,
    };
  }

  #write(nowMs: number, sender: FrameSender, source: ReportedSource): number {
    const { ssrc, cname } = this.#options;
    // RFC 3550 section 6.4: a sender report when packets were sent since the last report or the one before.
    const sends = sender.packetsSent > this.#packetsReportedBefore;
    this.#packetsReportedBefore = this.#packetsReported;
    this.#packetsReported = sender.packetsSent;
    const { received } = source.sequence;
    const isHeard = source.ssrc !== undefined && received > 0 && received !== this.#receivedReported;
    this.#receivedReported = received;
    const senderInfo = sends ? this.#fillSenderInfo(nowMs, sender) : undefined;
    const block = isHeard ? this.#fillBlock(nowMs, source.ssrc, source) : undefined;
    const end = writeReport(this.#bytes, 0, ssrc, senderInfo, block);
    return writeSourceDescription(this.#bytes, end, ssrc, cname);
  }

  #finish(end: number): Uint8Array {
    this.#sent++;
    this.#schedule.count(end);
    if (this.#compound.length !== end) this.#compound = this.#bytes.subarray(0, end);
    return this.#compound;
  }

  #fillSenderInfo(nowMs: number, sender: FrameSender): SenderInfo {
    const sinceTicks = Math.round(((nowMs - sender.lastSentMs) * this.#options.clockRate) / 1000);
    const info = toNtp(this.#options.wallOffsetMs + nowMs, this.#senderInfo);
    info.rtpTimestamp = (sender.lastTimestamp + sinceTicks) >>> 0;
    info.packetsSent = sender.packetsSent;
    info.octetsSent = sender.octetsSent;
    return info;
  }

  #fillBlock(nowMs: number, ssrc: number, { sequence, jitter }: ReportedSource): ReportBlock {
    const block = this.#block;
    const known = this.#lastSenderReportSsrc === ssrc;
    block.ssrc = ssrc;
    block.fractionLost = sequence.takeFractionLost();
    block.packetsLost = sequence.lost;
    block.extendedHighestSequenceNumber = sequence.extendedHighestSequenceNumber;
    block.interarrivalJitter = jitter.ticks;
    block.lastSenderReport = known ? this.#lastSenderReport : 0;
    block.delaySinceLastSenderReport = known ? Math.round((nowMs - this.#lastSenderReportMs) * 65.536) : 0;
    return block;
  }

  #middleNtp(nowMs: number): number {
    const { ntpSeconds, ntpFraction } = toNtp(this.#options.wallOffsetMs + nowMs, { ntpSeconds: 0, ntpFraction: 0 });
    return middleNtp(ntpSeconds, ntpFraction);
  }
}
