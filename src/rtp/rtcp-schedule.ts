/**
 * When RTCP reports are due (RFC 3550 sections 6.2, 6.3 and A.7).
 *
 * ```
 *  interval = max(minimum, average packet × members / 5 % of the session's bandwidth) × 0.5 … 1.5 / 1.21828
 *
 *  last report ├──────── interval ────────► due: draw again. Longer? ├───► wait for that. Else report.
 * ```
 */

/** With IP and UDP, of what is sent first: a sender report with one block and a name of 16 characters. */
const FIRST_PACKET_BYTES = 108;
const IP_UDP_BYTES = 28;
const RTCP_SHARE = 0.05;
/** Of that, what a few senders have for themselves; the others share the rest. */
const SENDERS_SHARE = 0.25;
const MINIMUM_INTERVAL_MS = 5000;
/** The minimum may be this, divided by the bandwidth in kbit/s, where that is less (section 6.2). */
const REDUCED_MINIMUM_MS_KBPS = 360_000;
/** Drawing again when a report is due makes intervals longer than they were meant to be, by this factor. */
const COMPENSATION = Math.E - 1.5;

/** Who takes part, ourselves included; one object is filled again for every look at the schedule. */
export interface RtcpParties {
  members: number;
  /** Who sent RTP of late. */
  senders: number;
  /** Whether we are one of them. */
  weSent: boolean;
}

/**
 * The interval before it is randomised. `averageBytes` is the size of a compound packet with IP and UDP; the first
 * report of a party may come after half of the minimum.
 */
export function reportIntervalMs(
  { members, senders, weSent }: Readonly<RtcpParties>,
  averageBytes: number,
  sessionKbps: number,
  isFirst = false,
): number {
  const minimumMs = Math.min(MINIMUM_INTERVAL_MS, REDUCED_MINIMUM_MS_KBPS / sessionKbps) / (isFirst ? 2 : 1);
  let bytesPerMs = (sessionKbps / 8) * RTCP_SHARE;
  let sharing = members;
  if (senders <= members * SENDERS_SHARE) {
    sharing = weSent ? senders : members - senders;
    bytesPerMs *= weSent ? SENDERS_SHARE : 1 - SENDERS_SHARE;
  }
  return Math.max(minimumMs, (averageBytes * sharing) / bytesPerMs);
}

export interface RtcpScheduleOptions {
  /** Of one direction of RTP with IP and UDP, in kbit/s. */
  readonly sessionKbps: number;
  /** A number of [0, 1). */
  readonly random: () => number;
}

/** The schedule of one party's reports. */
export class RtcpSchedule {
  readonly #random: () => number;
  #sessionKbps: number;
  /** Sixteen times the average size of a compound packet with IP and UDP: whole numbers only, which are no objects. */
  #sixteenPackets = 16 * FIRST_PACKET_BYTES;
  /** As it was when the next report was scheduled. */
  #members = 1;
  /** Numbers from the start: a field that was once undefined takes a new object for every fraction. */
  #lastMs = Number.NaN;
  #nextMs = Number.NaN;
  #isFirst = true;

  constructor({ sessionKbps, random }: RtcpScheduleOptions, nowMs: number) {
    this.#random = random;
    this.#sessionKbps = sessionKbps;
    this.#lastMs = nowMs;
    this.#nextMs = nowMs + this.#drawMs({ members: 1, senders: 1, weSent: true });
  }

  /** A negotiation changed it. */
  set sessionKbps(sessionKbps: number) {
    this.#sessionKbps = sessionKbps;
  }

  /** A compound packet was sent or received. */
  count(packetBytes: number): void {
    this.#sixteenPackets += packetBytes + IP_UDP_BYTES - (this.#sixteenPackets >> 4);
  }

  /** Whether a report is to be sent now; if so it counts as sent. To be asked every 20 ms or so. */
  take(nowMs: number, parties: Readonly<RtcpParties>): boolean {
    const { members } = parties;
    // Reverse reconsideration (section 6.3.4): those who stay report sooner.
    if (members < this.#members) {
      const staying = members / this.#members;
      this.#nextMs = nowMs + staying * (this.#nextMs - nowMs);
      this.#lastMs = nowMs - staying * (nowMs - this.#lastMs);
      this.#members = members;
    }
    if (nowMs < this.#nextMs) return false;
    this.#nextMs = this.#lastMs + this.#drawMs(parties);
    if (nowMs < this.#nextMs) return false;
    this.#isFirst = false;
    this.#lastMs = nowMs;
    this.#nextMs = nowMs + this.#drawMs(parties);
    return true;
  }

  #drawMs(parties: Readonly<RtcpParties>): number {
    this.#members = parties.members;
    const meanMs = reportIntervalMs(parties, this.#sixteenPackets / 16, this.#sessionKbps, this.#isFirst);
    return (meanMs * (0.5 + this.#random())) / COMPENSATION;
  }
}
