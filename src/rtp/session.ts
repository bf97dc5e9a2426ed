import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { DIGIT_TAG, DigitSender } from './digit-sender.ts';
import type { DigitSenderOptions } from './digit-sender.ts';
import { isRtcp, readUint32 } from './packet.ts';
import { RtpReceiver } from './receiver.ts';
import type { ReceiverEvents, RtpPayloadTypes } from './receiver.ts';
import { RtcpReporter } from './rtcp-reporter.ts';
import { SourceLock } from './source-lock.ts';
import type { RtpStatistics } from './statistics.ts';
import { endpointPort } from './transport.ts';
import type { Endpoint, FrameSender, MediaPort, PacketHandler } from './transport.ts';

const DEFAULT_CLOCK_RATE = 8000;
const DEFAULT_MEDIA_TIMEOUT_MS = 30_000;
const DEFAULT_DIGIT_MS = 100;
/** What may as well be looked at less often than every packet time: reports, and whether the peer still sends. */
const TICKS_PER_WATCH = 5;

/** Our side of SDP's direction attribute (RFC 3264 section 8.4). */
export type MediaDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export interface RtpRemote {
  /** Address and port of SDP's media line. */
  readonly rtp: Endpoint;
  /** Default: the port after `rtp` (RFC 3605 says otherwise). */
  readonly rtcp?: Endpoint;
}

export interface RtpSending {
  readonly ptimeMs: number;
  /** `ptimeMs` of silence, encoded; what is sent when nothing is said. */
  readonly silencePayload: Uint8Array;
  readonly silencePayloadType: number;
}

/** What offer and answer have settled. */
export interface RtpNegotiation {
  /** Undefined while SDP names no address (0.0.0.0 on hold, or no answer yet). */
  readonly remote: RtpRemote | undefined;
  readonly payloadTypes: RtpPayloadTypes;
  readonly sending: RtpSending;
}

export interface RtpSessionEvents extends ReceiverEvents {
  /** A queued frame has left: its tag, its RTP timestamp and when, monotonic. Not told of silence and digits. */
  onSent?(tag: number, timestamp: number, sentAtMs: number): void;
  /** About once per packet time: the moment to top the send ring up. */
  onTick?(nowMs: number): void;
  /** No packet for `mediaTimeoutMs`. Told once, and never on hold. */
  onMediaTimeout?(): void;
}

export interface RtpSessionOptions extends RtpNegotiation {
  /** Owned by the session from now on. */
  readonly port: MediaPort;
  readonly clock: Clock;
  /** RTP ticks a second, of every payload type; stays for the whole session. Default 8000. */
  readonly clockRate?: number;
  /** Default 30 s; `Infinity` waits for ever. */
  readonly mediaTimeoutMs?: number;
  readonly events: RtpSessionEvents;
}

/**
 * The RTP of one leg over one media port: audio and digits in order out of it, frames and digits into it, reports both
 * ways. It starts to send as soon as it knows where to.
 *
 * Events are called from the port's handlers; an exception out of one is not caught here.
 */
export class RtpSession {
  readonly ssrc: number;
  /** The port's send ring, for the owner's audio; digits go through it too. */
  readonly sender: FrameSender;
  readonly #port: MediaPort;
  readonly #clock: Clock;
  readonly #clockRate: number;
  readonly #mediaTimeoutMs: number;
  readonly #events: RtpSessionEvents;
  readonly #lock: SourceLock;
  readonly #receiver: RtpReceiver;
  readonly #reporter: RtcpReporter;
  readonly #digits: DigitSender;
  /** Undefined when the peer does not take telephone events. */
  #digitOptions: DigitSenderOptions | undefined;
  #negotiation: RtpNegotiation;
  #destination: Endpoint | undefined;
  #onHold = false;
  #timeoutFromMs: number;
  #timeoutTold = false;
  #ticksToWatch = TICKS_PER_WATCH;
  #rtcpReceived = 0;
  #rtcpDiscarded = 0;
  #closed = false;

  /** @throws RangeError - if a payload type is not 0-127 or the silence does not fit a packet. */
  constructor(options: RtpSessionOptions) {
    const { port, clock, events, remote, payloadTypes, sending } = options;
    const nowMs = clock.nowMs();
    this.#port = port;
    this.#clock = clock;
    this.#clockRate = options.clockRate ?? DEFAULT_CLOCK_RATE;
    this.#mediaTimeoutMs = options.mediaTimeoutMs ?? DEFAULT_MEDIA_TIMEOUT_MS;
    this.#events = events;
    this.#negotiation = { remote, payloadTypes, sending };
    this.#digitOptions = this.#digitOptionsOf(this.#negotiation);
    this.#timeoutFromMs = nowMs;
    this.#lock = new SourceLock(remote?.rtp, nowMs);
    this.#receiver = new RtpReceiver({ clockRate: this.#clockRate, payloadTypes, lock: this.#lock, events });

    const random = randomBytes(10);
    this.ssrc = readUint32(random, 0);
    this.#reporter = new RtcpReporter(
      {
        ssrc: this.ssrc,
        // A name for this call alone, as RFC 7022 section 4.2 wants it.
        cname: randomBytes(12).toString('base64'),
        clockRate: this.#clockRate,
        sessionKbps: sessionKbps(sending),
        wallOffsetMs: clock.wallMs() - nowMs,
        random: Math.random,
      },
      nowMs,
    );
    port.receive(this.#onRtp, this.#onRtcp);
    this.#sendTo(remote?.rtp);
    const sender = port.startSending({
      ssrc: this.ssrc,
      initialTimestamp: readUint32(random, 4),
      initialSequenceNumber: (random[8]! << 8) | random[9]!,
      ...sending,
      timestampStep: this.#timestampStep(sending),
      onSent: (tag, timestamp, sentAtMs) => {
        if (tag !== DIGIT_TAG && !this.#closed) events.onSent?.(tag, timestamp, sentAtMs);
      },
      onTick: (tickMs) => this.#tick(tickMs),
    });
    this.#digits = new DigitSender(sender);
    this.sender = this.#digits;
  }

  /** Whose packets are heard now. */
  get source(): Endpoint | undefined {
    return this.#lock.source;
  }

  get statistics(): RtpStatistics {
    const { givenUp, ...counters } = this.#receiver.counters;
    const { remote } = this.#reporter;
    return {
      ...counters,
      waiting: this.#receiver.waitingPackets,
      lost: Math.max(0, givenUp - counters.late),
      fractionLost: this.#reporter.fractionLost,
      interarrivalJitterMs: this.#receiver.jitter.interarrivalJitterMs,
      roundTripMs: this.#reporter.roundTripMs,
      remoteFractionLost: remote?.fractionLost,
      remoteLost: remote?.lost,
      remoteInterarrivalJitterMs: remote?.interarrivalJitterMs,
      rtcpSent: this.#reporter.sent,
      rtcpReceived: this.#rtcpReceived,
      rtcpDiscarded: this.#rtcpDiscarded,
      packetsSent: this.sender.packetsSent,
      octetsSent: this.sender.octetsSent,
      transportErrors: this.#port.errors,
    };
  }

  /**
   * Takes over what a re-INVITE settled. The source lock opens again. Frames that are queued already leave as they
   * are; the owner flushes them if the peer can not decode them any more.
   */
  renegotiate(negotiation: RtpNegotiation): void {
    const { remote, payloadTypes, sending } = negotiation;
    this.#receiver.setPayloadTypes(payloadTypes);
    this.sender.reconfigure({ ...sending, timestampStep: this.#timestampStep(sending) });
    this.#negotiation = { remote, payloadTypes, sending };
    this.#digitOptions = this.#digitOptionsOf(this.#negotiation);
    this.#reporter.sessionKbps = sessionKbps(sending);
    this.#lock.renegotiate(remote?.rtp, this.#clock.nowMs());
    this.#sendTo(this.#lock.destination);
  }

  /** Stops or restarts sending, and suspends the media timeout on hold. Packets that arrive are heard in any case. */
  setDirection(direction: MediaDirection): void {
    this.sender.setPaused(direction === 'recvonly' || direction === 'inactive');
    const onHold = direction !== 'sendrecv';
    // A peer may stop its RTP clock on hold.
    if (this.#onHold && !onHold) this.#receiver.rebase();
    this.#onHold = onHold;
    this.#timeoutFromMs = this.#clock.nowMs();
  }

  /**
   * Sends digits as telephone events, after what is queued.
   *
   * @returns false when the peer does not take telephone events.
   * @throws RangeError - if one is not of `0-9 * # A-D`, too many wait, or the duration is below 40 ms or longer than
   * the send ring.
   */
  sendDigits(digits: string, durationMs: number = DEFAULT_DIGIT_MS): boolean {
    if (!this.#digitOptions) return false;
    this.#digits.queue(digits, durationMs, this.#digitOptions);
    this.#digits.pump(this.#digitOptions);
    return true;
  }

  /** Hands on what waits, says BYE and gives the port back. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#receiver.finish();
    const bye = this.#reporter.bye(this.#clock.nowMs(), this.sender, this.#receiver);
    if (bye) this.#port.sendRtcp(bye);
    this.#port.close();
  }

  readonly #onRtp: PacketHandler = (datagram) => {
    if (isRtcp(datagram.bytes, datagram.offset, datagram.length)) {
      this.#onRtcp(datagram);
      return;
    }
    if (this.#closed) return;
    this.#receiver.receive(datagram);
    if (this.#lock.destination !== this.#destination && !this.#closed) this.#sendTo(this.#lock.destination);
  };

  readonly #onRtcp: PacketHandler = ({ bytes, offset, length, source, arrivalMs }) => {
    if (this.#closed) return;
    const known = this.#comesFromPeer(source) && this.#reporter.receive(bytes, offset, length, arrivalMs);
    if (known) this.#rtcpReceived += 1;
    else this.#rtcpDiscarded += 1;
  };

  #tick(nowMs: number): void {
    if (this.#closed) return;
    if (this.#receiver.isWaiting) this.#receiver.poll(nowMs);
    this.#ticksToWatch -= 1;
    if (this.#ticksToWatch === 0) this.#watch(nowMs);
    if (this.#digitOptions && this.#digits.queuedDigits > 0) this.#digits.pump(this.#digitOptions);
    this.#events.onTick?.(nowMs);
  }

  #watch(nowMs: number): void {
    this.#ticksToWatch = TICKS_PER_WATCH;
    if (this.#destination !== undefined) {
      const report = this.#reporter.poll(nowMs, this.sender, this.#receiver);
      if (report) this.#port.sendRtcp(report);
    }
    this.#watchMedia(nowMs);
  }

  #watchMedia(nowMs: number): void {
    const sinceMs = Math.max(this.#timeoutFromMs, this.#receiver.lastArrivalMs);
    if (this.#onHold || this.#timeoutTold || nowMs - sinceMs < this.#mediaTimeoutMs) return;
    this.#timeoutTold = true;
    this.#events.onMediaTimeout?.();
  }

  /** RTCP may come from any port of the peer, since NAT maps it by itself. */
  #comesFromPeer(source: Endpoint): boolean {
    const { remote } = this.#negotiation;
    const address = Math.floor(source / 65536);
    return [this.#lock.source ?? remote?.rtp, remote?.rtcp].some(
      (endpoint) => endpoint !== undefined && Math.floor(endpoint / 65536) === address,
    );
  }

  #sendTo(rtp: Endpoint | undefined): void {
    const { remote } = this.#negotiation;
    this.#destination = rtp;
    let rtcp = rtp === undefined || endpointPort(rtp) === 65535 ? undefined : rtp + 1;
    if (remote?.rtcp !== undefined && remote.rtp === rtp) rtcp = remote.rtcp;
    this.#port.setRemote(rtp, rtcp);
  }

  #timestampStep(sending: RtpSending): number {
    return Math.round((sending.ptimeMs * this.#clockRate) / 1000);
  }

  #digitOptionsOf({ payloadTypes, sending }: RtpNegotiation): DigitSenderOptions | undefined {
    if (payloadTypes.telephoneEvent === undefined) return undefined;
    return { ...sending, payloadType: payloadTypes.telephoneEvent, timestampStep: this.#timestampStep(sending) };
  }
}

/** The bandwidth of one direction of RTP with its headers of IP, UDP and RTP, in kbit/s. */
function sessionKbps({ ptimeMs, silencePayload }: RtpSending): number {
  return ((silencePayload.length + 40) * 8) / ptimeMs;
}
