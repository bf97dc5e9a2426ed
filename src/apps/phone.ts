import { G711 } from '../audio/g711.ts';
import { levelDbov } from '../audio/level.ts';
import type { Clock } from '../core/clock.ts';
import { DgramTransport } from '../rtp/dgram-transport.ts';
import { RtpSession } from '../rtp/session.ts';
import { toEndpoint } from '../rtp/transport.ts';
import { makeOffer, readAnswer } from '../sip/offer-answer.ts';
import type { OutgoingCall } from '../sip/outgoing-call.ts';
import { parseSdp } from '../sip/sdp.ts';
import { SdpOrigin } from '../sip/sdp-origin.ts';
import { SipUserAgent } from '../sip/user-agent.ts';
import { Playout } from '../speech/playout.ts';

const SAMPLE_RATE = 8000;
const PTIME_MS = 20;
const ADDRESS = '127.0.0.1';
/** What is louder is somebody speaking; the gateway's own silence is digital. */
const SPEECH_DBOV = -50;

/** A telephone on this machine's loopback: calls, speaks, and keeps what it hears. */
export class Phone {
  readonly #clock: Clock;
  readonly #transport: DgramTransport;
  readonly #agent: SipUserAgent;
  readonly #heard: Int16Array[] = [];
  readonly #played = new Map<string, () => void>();
  #call: OutgoingCall | undefined;
  #session: RtpSession | undefined;
  #playout: Playout | undefined;
  #nextTimestamp: number | undefined;
  #lastSpeechMs = Number.NEGATIVE_INFINITY;
  #hungUp = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#transport = new DgramTransport({ localAddress: ADDRESS, portRange: [0, 0] }, clock);
    this.#agent = new SipUserAgent({
      clock,
      localAddress: ADDRESS,
      port: 0,
      allow: [],
      userAgent: 'hamsa-gateway-phone',
      advertisedAddress: () => ADDRESS,
      onInvite: (call) => void call.reject(486),
    });
  }

  /** Monotonic time at which the other side was last heard speaking. */
  get lastSpeechMs(): number {
    return this.#lastSpeechMs;
  }

  get hungUp(): boolean {
    return this.#hungUp;
  }

  /** Everything heard since the answer: 16 bit at 8 kHz. */
  get heard(): Int16Array {
    const all = new Int16Array(this.#heard.reduce((samples, piece) => samples + piece.length, 0));
    let offset = 0;
    for (const piece of this.#heard) {
      all.set(piece, offset);
      offset += piece.length;
    }
    return all;
  }

  /** @throws GatewayError `ERR_SIP_REFUSED` or `ERR_SIP_TIMEOUT` - when nobody answers `target`. */
  async call(target: string): Promise<void> {
    const { port: sipPort } = await this.#agent.listen();
    const port = await this.#transport.open();
    const offer = makeOffer({
      origin: new SdpOrigin(),
      localAddress: ADDRESS,
      rtpPort: port.rtpPort,
      ptimeMs: PTIME_MS,
    });
    this.#call = await this.#agent.call(target, { from: `"Caller" <sip:caller@${ADDRESS}:${sipPort}>`, offer });
    this.#call.onBye = () => {
      this.#hungUp = true;
    };
    const { codec, remoteRtp } = readAnswer(parseSdp(this.#call.answer));
    const law = codec.name === 'PCMA' ? 'alaw' : 'ulaw';
    const silence = law === 'alaw' ? G711.ALAW_SILENCE : G711.ULAW_SILENCE;
    this.#session = new RtpSession({
      port,
      clock: this.#clock,
      clockRate: SAMPLE_RATE,
      remote: remoteRtp && { rtp: toEndpoint(remoteRtp.address, remoteRtp.port) },
      payloadTypes: { audio: [codec.payloadType] },
      sending: {
        ptimeMs: PTIME_MS,
        silencePayload: new Uint8Array((SAMPLE_RATE * PTIME_MS) / 1000).fill(silence),
        silencePayloadType: codec.payloadType,
      },
      events: {
        onAudio: ({ bytes, offset, length, timestamp }) => {
          const pcm = new Int16Array(length);
          G711.decode(law, bytes.subarray(offset, offset + length), pcm);
          this.#hear(pcm, timestamp);
        },
        onSent: (tag, timestamp, sentAtMs) => this.#playout?.onSent(tag, timestamp, sentAtMs),
        onTick: (nowMs) => this.#playout?.onTick(nowMs),
      },
    });
    const done = (id: string): void => this.#played.get(id)?.();
    this.#playout = new Playout({
      sender: this.#session.sender,
      format: { law, payloadType: codec.payloadType, ptimeMs: PTIME_MS },
      clock: this.#clock,
      onStarted: () => {},
      onFinished: done,
      onInterrupted: done,
      onFailed: done,
    });
  }

  /** Says `pcm` (16 bit at 8 kHz); resolves when its last packet has left. */
  say(pcm: Int16Array): Promise<void> {
    return new Promise((resolve) => {
      const id = String(this.#played.size);
      this.#played.set(id, resolve);
      this.#playout?.play(id, async function* () {
        yield pcm;
      });
    });
  }

  async hangup(): Promise<void> {
    this.#playout?.close();
    this.#session?.close();
    await this.#call?.bye();
    await this.#agent.close();
    await this.#transport.close();
  }

  #hear(pcm: Int16Array, timestamp: number): void {
    const gap = timestamp - (this.#nextTimestamp ?? timestamp);
    if (gap > 0) this.#heard.push(new Int16Array(gap));
    this.#nextTimestamp = timestamp + pcm.length;
    this.#heard.push(pcm);
    if (levelDbov(pcm) > SPEECH_DBOV) this.#lastSpeechMs = this.#clock.nowMs();
  }
}
