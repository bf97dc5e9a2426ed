import { G711, type Law } from '../../audio/g711.ts';
import type { Clock } from '../../core/clock.ts';
import { ERRORS, GatewayError } from '../../core/errors.ts';
import type { CallEndReason } from '../../core/events.ts';
import type { RtpNegotiation } from '../../rtp/session.ts';
import { RtpSession } from '../../rtp/session.ts';
import type { MediaPort, MediaTransport } from '../../rtp/transport.ts';
import { toEndpoint } from '../../rtp/transport.ts';
import type { ReinviteReply } from '../../sip/call.ts';
import type { IncomingCall, Party } from '../../sip/incoming-call.ts';
import { makeOffer, negotiate, readAnswer } from '../../sip/offer-answer.ts';
import type { SessionDescription } from '../../sip/sdp.ts';
import type { RemoteAudio } from '../../sip/sdp-audio.ts';
import { SdpOrigin } from '../../sip/sdp-origin.ts';
import { AdmissionError } from '../../speech/admission.ts';
import { Capture } from '../capture.ts';
import type { Leg, LegFormat, LegHandlers, LegMedia, LegPlayout } from '../leg.ts';
import { callParameters } from './call-parameters.ts';

const CLOCK_RATE = 8000;
/** The 2.5 s in which a long utterance may still be cut, silence for a gap, and what the network held back. */
const CAPTURE_MS = 3_500;
/** RFC 3551 table 4. Both are understood whatever was agreed on: some callers send the other one. */
const STATIC_PCMU = 0;
const STATIC_PCMA = 8;
/** After a refusal that does not know when there will be room. */
const RETRY_AFTER_MS = 10_000;

export interface SipLegOptions {
  readonly call: IncomingCall;
  readonly clock: Clock;
  readonly transport: MediaTransport;
  /** Our address as the peer reaches it. */
  readonly localAddress: string;
  readonly mediaTimeoutMs: number;
  /** Why the call is not to be answered; undefined: it is. */
  readonly refusal?: (() => GatewayError | undefined) | undefined;
  /** Told once when the leg is gone; `goodbye` settles when the peer has answered our BYE. */
  readonly onGone: (goodbye: Promise<void>) => void;
}

/** A SIP call that came in, with its RTP. */
export class SipLeg implements Leg {
  readonly ingress = 'sip';
  readonly from: string;
  readonly to: string;
  readonly sipCallId: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly #options: SipLegOptions;
  readonly #call: IncomingCall;
  readonly #origin = new SdpOrigin();
  #handlers: LegHandlers | undefined;
  #port: MediaPort | undefined;
  #session: RtpSession | undefined;
  #audio: RemoteAudio | undefined;
  #capture: Capture | undefined;
  #playout: LegPlayout | undefined;
  #held = false;
  #ended = false;

  constructor(options: SipLegOptions) {
    this.#options = options;
    this.#call = options.call;
    this.from = nameOf(options.call.from);
    this.to = nameOf(options.call.to);
    this.sipCallId = options.call.callId;
    const parameters = callParameters(options.call.fields);
    if (parameters) this.parameters = parameters;
  }

  async answer(handlers: LegHandlers): Promise<LegMedia> {
    const call = this.#call;
    this.#handlers = handlers;
    call.onCancelled = () => this.#end('cancelled');
    call.onBye = () => this.#end('caller');
    call.onFailed = () => this.#end('error');
    call.onReinvite = (offer) => this.#reinvite(offer);
    call.onReinviteConfirmed = (answer) => {
      if (answer) this.#renegotiate(readAnswer(answer));
    };
    call.onInfoDigit = (digit, durationMs) => this.#handlers?.onDtmf(digit, durationMs);
    try {
      const refusal = this.#options.refusal?.();
      if (refusal) throw refusal;
      call.ring();
      this.#port = await this.#options.transport.open();
      return await this.#accept(this.#port);
    } catch (thrown) {
      this.#refuse(thrown);
      throw thrown;
    }
  }

  hangup(reason: CallEndReason): void {
    this.#end(reason);
  }

  statistics(): Readonly<Record<string, number>> {
    const { concealedSamples, overrunSamples } = this.#capture ?? {};
    const statistics = { ...this.#session?.statistics, concealedSamples, overrunSamples };
    const known = Object.entries(statistics).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
    return Object.fromEntries(known);
  }

  /** Answers with 200; a caller without an offer gets ours, and media starts with the answer in the ACK. */
  async #accept(port: MediaPort): Promise<LegMedia> {
    const call = this.#call;
    const local = { origin: this.#origin, localAddress: this.#options.localAddress, rtpPort: port.rtpPort };
    if (call.offer) {
      const { answerSdp, ...audio } = negotiate(call.offer, local);
      if (!call.answer(answerSdp)) throw gone();
      return this.#start(port, audio);
    }
    const confirmed = new Promise<SessionDescription>((resolve, reject) => {
      call.onConfirmed = (answer) => (answer ? resolve(answer) : reject(gone()));
      call.onFailed = () => {
        reject(gone());
        this.#end('error');
      };
      call.onBye = () => {
        reject(gone());
        this.#end('caller');
      };
    });
    if (!call.answer(makeOffer(local))) throw gone();
    return this.#start(port, readAnswer(await confirmed));
  }

  #start(port: MediaPort, audio: RemoteAudio): LegMedia {
    const { clock, mediaTimeoutMs, transport } = this.#options;
    const capture = new Capture({
      sampleRate: CLOCK_RATE,
      capacityMs: CAPTURE_MS,
      startMs: clock.nowMs(),
      onAudio: () => this.#handlers?.onAudio(),
      batch: transport.batch,
    });
    this.#audio = audio;
    this.#capture = capture;
    const session = new RtpSession({
      port,
      clock,
      clockRate: CLOCK_RATE,
      mediaTimeoutMs,
      ...negotiationOf(audio),
      events: {
        onAudio: (packet) => capture.writeG711(packet, this.#lawOf(packet.payloadType)),
        onDigit: ({ digit, durationMs }) => this.#handlers?.onDtmf(digit, durationMs),
        onSent: (tag, timestamp, sentAtMs) => this.#playout?.onSent(tag, timestamp, sentAtMs),
        onTick: (nowMs) => this.#playout?.onTick(nowMs),
        onMediaTimeout: () => this.#end('mediaTimeout'),
      },
    });
    this.#session = session;
    this.#setDirection(audio);
    return {
      capture,
      sender: session.sender,
      format: formatOf(audio),
      attach: (playout) => {
        this.#playout = playout;
      },
    };
  }

  #lawOf(payloadType: number): Law {
    const codec = this.#audio?.codec;
    const isAlaw = payloadType === codec?.payloadType ? codec.name === 'PCMA' : payloadType === STATIC_PCMA;
    return isAlaw ? 'alaw' : 'ulaw';
  }

  #reinvite(offer: SessionDescription | undefined): ReinviteReply {
    const port = this.#port;
    if (!port || !this.#session) return 491;
    const local = { origin: this.#origin, localAddress: this.#options.localAddress, rtpPort: port.rtpPort };
    if (!offer) return makeOffer({ ...local, ptimeMs: this.#audio?.ptimeMs ?? 20 });
    try {
      const { answerSdp, ...audio } = negotiate(offer, local);
      this.#renegotiate(audio);
      return answerSdp;
    } catch (thrown) {
      return thrown instanceof GatewayError ? (ERRORS[thrown.code].sipStatus ?? 500) : 500;
    }
  }

  #renegotiate(audio: RemoteAudio): void {
    const before = this.#audio;
    this.#audio = audio;
    this.#session?.renegotiate(negotiationOf(audio));
    if (before?.codec.name !== audio.codec.name || before.ptimeMs !== audio.ptimeMs) {
      this.#playout?.reconfigure(formatOf(audio));
    }
    this.#setDirection(audio);
  }

  #setDirection({ direction, remoteRtp }: RemoteAudio): void {
    const held = direction !== 'sendrecv' || remoteRtp === undefined;
    this.#session?.setDirection(direction);
    if (held === this.#held) return;
    this.#held = held;
    if (held) this.#handlers?.onHeld();
    else this.#handlers?.onResumed();
  }

  /** Refuses an INVITE that could not be answered, with the status that belongs to `thrown`. */
  #refuse(thrown: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    const status = (thrown instanceof GatewayError && ERRORS[thrown.code].sipStatus) || 500;
    const retryAfterMs = thrown instanceof AdmissionError ? thrown.retryAfterMs : RETRY_AFTER_MS;
    const retryAfter = { 'Retry-After': String(Math.ceil(retryAfterMs / 1000)) };
    const waiting = this.#call.reject(status, undefined, status === 503 ? retryAfter : {});
    this.#port?.close();
    this.#capture?.close();
    this.#options.onGone(waiting ? Promise.resolve() : this.#call.bye());
  }

  #end(reason: CallEndReason): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#session?.close();
    this.#port?.close();
    this.#capture?.close();
    this.#options.onGone(this.#call.bye());
    this.#handlers?.onEnded(reason);
  }
}

function nameOf({ uri, user }: Party): string {
  return user ?? uri;
}

function gone(): GatewayError {
  return new GatewayError('ERR_WRONG_STATE', { found: 'the caller was gone before the answer' });
}

function formatOf({ codec, ptimeMs }: RemoteAudio): LegFormat {
  return { law: codec.name === 'PCMA' ? 'alaw' : 'ulaw', payloadType: codec.payloadType, ptimeMs };
}

function negotiationOf(audio: RemoteAudio): RtpNegotiation {
  const { codec, ptimeMs, remoteRtp, remoteRtcp, telephoneEventPayloadType } = audio;
  const silence = codec.name === 'PCMA' ? G711.ALAW_SILENCE : G711.ULAW_SILENCE;
  return {
    remote: remoteRtp && {
      rtp: toEndpoint(remoteRtp.address, remoteRtp.port),
      ...(remoteRtcp && { rtcp: toEndpoint(remoteRtcp.address, remoteRtcp.port) }),
    },
    payloadTypes: {
      audio: [codec.payloadType, STATIC_PCMU, STATIC_PCMA],
      ...(telephoneEventPayloadType !== undefined && { telephoneEvent: telephoneEventPayloadType }),
    },
    sending: {
      ptimeMs,
      silencePayload: new Uint8Array((CLOCK_RATE * ptimeMs) / 1000).fill(silence),
      silencePayloadType: codec.payloadType,
    },
  };
}
