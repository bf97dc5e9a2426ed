import { createRtpHeader, parseRtp } from '../../src/rtp/packet.ts';
import type { RtpHeader } from '../../src/rtp/packet.ts';
import { PacedSender } from '../../src/rtp/paced-sender.ts';
import { SendPacer } from '../../src/rtp/send-pacer.ts';
import { createDatagram } from '../../src/rtp/transport.ts';
import type { Endpoint, FrameSender, FrameSenderOptions, MediaPort, PacketHandler } from '../../src/rtp/transport.ts';
import type { FakeClock } from '../support/fake-clock.ts';

/** A packet that left a {@link FakeMediaPort}. */
export interface SentPacket extends RtpHeader {
  readonly sentAtMs: number;
  readonly to: Endpoint;
  readonly payload: Uint8Array;
}

/** A media port without sockets: paced by a fake clock, with everything that was sent kept. */
export class FakeMediaPort implements MediaPort {
  readonly rtpPort = 20000;
  readonly errors = 0;
  readonly sent: SentPacket[] = [];
  readonly sentRtcp: { readonly sentAtMs: number; readonly bytes: Uint8Array; readonly to: Endpoint }[] = [];
  closed = false;
  remote: Endpoint | undefined;
  remoteRtcp: Endpoint | undefined;
  readonly #clock: FakeClock;
  readonly #pacer: SendPacer;
  #sender: PacedSender | undefined;
  #onRtp: PacketHandler = () => {};
  #onRtcp: PacketHandler = () => {};

  constructor(clock: FakeClock) {
    this.#clock = clock;
    this.#pacer = new SendPacer(clock);
  }

  receive(onRtp: PacketHandler, onRtcp: PacketHandler): void {
    this.#onRtp = onRtp;
    this.#onRtcp = onRtcp;
  }

  setRemote(rtp: Endpoint | undefined, rtcp: Endpoint | undefined): void {
    this.remote = rtp;
    this.remoteRtcp = rtcp;
    this.#sender?.setConnected(rtp !== undefined);
  }

  startSending(options: FrameSenderOptions): FrameSender {
    const sender = new PacedSender(options, this.#pacer.nextStartMs(), (packet) => this.#keep(packet));
    sender.setConnected(this.remote !== undefined);
    this.#sender = sender;
    this.#pacer.add(sender);
    return sender;
  }

  sendRtcp(bytes: Uint8Array): void {
    if (this.remoteRtcp === undefined) return;
    this.sentRtcp.push({ sentAtMs: this.#clock.nowMs(), bytes: bytes.slice(), to: this.remoteRtcp });
  }

  close(): void {
    this.closed = true;
    if (this.#sender) this.#pacer.remove(this.#sender);
  }

  /** A datagram arrives on the RTP port, now. */
  deliver(bytes: Uint8Array, source: Endpoint): void {
    this.#onRtp({ ...createDatagram(bytes), length: bytes.length, source, arrivalMs: this.#clock.nowMs() });
  }

  /** A datagram arrives on the RTCP port, now. */
  deliverRtcp(bytes: Uint8Array, source: Endpoint): void {
    this.#onRtcp({ ...createDatagram(bytes), length: bytes.length, source, arrivalMs: this.#clock.nowMs() });
  }

  #keep(packet: Uint8Array): void {
    const header = createRtpHeader();
    if (parseRtp(packet, 0, packet.length, header) !== 'ok') throw new Error('Expected an RTP packet');
    const payload = packet.slice(header.payloadOffset);
    this.sent.push({ ...header, sentAtMs: this.#clock.nowMs(), to: this.remote!, payload });
  }
}
