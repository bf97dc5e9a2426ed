import type { InterarrivalJitter } from './interarrival-jitter.ts';
import { middleNtp, parseRtcp, roundTripMs, toNtp, writeBye, writeReport, writeSourceDescription } from './rtcp.ts';
import type { ReportBlock, SenderInfo } from './rtcp.ts';
import type { SequenceTracker } from './sequence.ts';
import type { FrameSender } from './transport.ts';

/** Between two parties the interval is always the minimum, times 0.5-1.5 (RFC 3550 sections 6.2 and 6.3.1). */
const INTERVAL_MS = 5000;
/** Report, block, CNAME of 255 bytes and BYE. */
const MAX_COMPOUND_BYTES = 28 + 24 + 268 + 8;

export interface RtcpReporterOptions {
  readonly ssrc: number;
  /** At most 255 characters of ASCII. */
  readonly cname: string;
  readonly clockRate: number;
  /** Unix time minus monotonic time: reports run on one clock that never jumps. */
  readonly wallOffsetMs: number;
  /** A number of [0, 1). */
  readonly random: () => number;
}

/** The source that is being received, as reports describe it. */
export interface ReportedSource {
  readonly ssrc: number;
  readonly sequence: SequenceTracker;
  readonly jitter: InterarrivalJitter;
}

/** Reports of one leg: when they are due, what they say, and what the peer's reports say about us. */
export class RtcpReporter {
  readonly #options: RtcpReporterOptions;
  readonly #bytes = new Uint8Array(MAX_COMPOUND_BYTES);
  #nextMs: number;
  #packetsReported = 0;
  #reported = false;
  #lastSenderReport = 0;
  #lastSenderReportMs = 0;
  #lastSenderReportSsrc = -1;
  #fractionLost = 0;
  #roundTripMs: number | undefined;
  #remoteFractionLost: number | undefined;

  constructor(options: RtcpReporterOptions, nowMs: number) {
    this.#options = options;
    this.#nextMs = nowMs + this.#interval() / 2;
  }

  /** Fraction of the packets from the peer that were lost, as of our last report: 0-1. */
  get fractionLost(): number {
    return this.#fractionLost / 256;
  }

  /** Fraction of our own packets that the peer lost, as of its last report: 0-1. */
  get remoteFractionLost(): number | undefined {
    return this.#remoteFractionLost;
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.#nextMs;
  }

  /** The compound report for now; the bytes are valid until the next one is built. */
  report(nowMs: number, sender: FrameSender, source: ReportedSource | undefined): Uint8Array {
    this.#nextMs = nowMs + this.#interval();
    return this.#bytes.subarray(0, this.#write(nowMs, sender, source));
  }

  /** The farewell, or undefined when the peer has never heard of us (RFC 3550 section 6.3.7). */
  bye(nowMs: number, sender: FrameSender, source: ReportedSource | undefined): Uint8Array | undefined {
    if (!this.#reported && sender.packetsSent === 0) return undefined;
    const end = this.#write(nowMs, sender, source);
    return this.#bytes.subarray(0, writeBye(this.#bytes, end, this.#options.ssrc));
  }

  /** Takes a compound packet of the peer. @returns false when it can not be read. */
  receive(bytes: Uint8Array, offset: number, length: number, arrivalMs: number): boolean {
    const compound = parseRtcp(bytes, offset, length);
    if (!compound) return false;
    if (compound.senderInfo && compound.senderSsrc !== undefined) {
      this.#lastSenderReport = middleNtp(compound.senderInfo.ntpSeconds, compound.senderInfo.ntpFraction);
      this.#lastSenderReportMs = arrivalMs;
      this.#lastSenderReportSsrc = compound.senderSsrc;
    }
    for (const block of compound.reportBlocks) {
      if (block.ssrc !== this.#options.ssrc) continue;
      this.#remoteFractionLost = block.fractionLost / 256;
      this.#roundTripMs = roundTripMs(this.#middleNtp(arrivalMs), block) ?? this.#roundTripMs;
    }
    return true;
  }

  #write(nowMs: number, sender: FrameSender, source: ReportedSource | undefined): number {
    const { ssrc, cname } = this.#options;
    // RFC 3550 section 6.4: a sender report when packets were sent since the last report.
    const sends = sender.packetsSent > this.#packetsReported;
    this.#packetsReported = sender.packetsSent;
    this.#reported = true;
    const end = writeReport(
      this.#bytes,
      0,
      ssrc,
      sends ? this.#senderInfo(nowMs, sender) : undefined,
      source && source.sequence.received > 0 ? this.#block(nowMs, source) : undefined,
    );
    return writeSourceDescription(this.#bytes, end, ssrc, cname);
  }

  #senderInfo(nowMs: number, sender: FrameSender): SenderInfo {
    const sinceTicks = Math.round(((nowMs - sender.lastSentMs) * this.#options.clockRate) / 1000);
    return {
      ...toNtp(this.#options.wallOffsetMs + nowMs),
      rtpTimestamp: (sender.lastTimestamp + sinceTicks) >>> 0,
      packetsSent: sender.packetsSent,
      octetsSent: sender.octetsSent,
    };
  }

  #block(nowMs: number, source: ReportedSource): ReportBlock {
    this.#fractionLost = source.sequence.takeFractionLost();
    const known = this.#lastSenderReportSsrc === source.ssrc;
    return {
      ssrc: source.ssrc,
      fractionLost: this.#fractionLost,
      packetsLost: source.sequence.lost,
      extendedHighestSequenceNumber: source.sequence.extendedHighestSequenceNumber,
      interarrivalJitter: source.jitter.ticks,
      lastSenderReport: known ? this.#lastSenderReport : 0,
      delaySinceLastSenderReport: known ? Math.round((nowMs - this.#lastSenderReportMs) * 65.536) : 0,
    };
  }

  #middleNtp(nowMs: number): number {
    const { ntpSeconds, ntpFraction } = toNtp(this.#options.wallOffsetMs + nowMs);
    return middleNtp(ntpSeconds, ntpFraction);
  }

  #interval(): number {
    return INTERVAL_MS * (0.5 + this.#options.random());
  }
}
