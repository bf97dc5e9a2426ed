import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { G711 } from '../../src/audio/g711.ts';

const RTP_BYTES = 12;
const FRAME_SAMPLES = 160;
const FRAME_MS = 20;
const PCMU = 0;

/** The RTP of a phone on 127.0.0.1, PCMU at 20 ms, for a call that somebody else signals. It talks and listens all the time. */
export class RtpPhone {
  readonly port: number;
  /** Payloads that came, in order. */
  readonly #received: Buffer[] = [];
  readonly #socket: Socket;
  readonly #said: Uint8Array;
  #timer: NodeJS.Timeout | undefined;
  #sentFrames = 0;

  private constructor(socket: Socket, said: Int16Array) {
    this.#socket = socket;
    this.port = socket.address().port;
    this.#said = new Uint8Array(said.length);
    G711.encodeUlaw(said, this.#said);
    socket.on('message', (packet, from) => this.#take(packet, from.port));
  }

  /** Begins to say `said` over and over (16 bit at 8 kHz) as soon as it is sent something. */
  static async open(said: Int16Array): Promise<RtpPhone> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new RtpPhone(socket, said);
  }

  get receivedPackets(): number {
    return this.#received.length;
  }

  get sentPackets(): number {
    return this.#sentFrames;
  }

  /** What was heard so far, packet after packet: 16 bit at 8 kHz. */
  get heard(): Int16Array {
    const payload = Buffer.concat(this.#received);
    const pcm = new Int16Array(payload.length);
    G711.decodeUlaw(payload, pcm);
    return pcm;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  #take(packet: Buffer, port: number): void {
    if ((packet[1]! & 0x7f) !== PCMU) return;
    this.#received.push(packet.subarray(RTP_BYTES));
    if (this.#timer) return;
    const startMs = performance.now();
    this.#timer = setInterval(() => {
      while (this.#sentFrames * FRAME_MS <= performance.now() - startMs) this.#send(port);
    }, FRAME_MS / 2);
  }

  #send(port: number): void {
    const packet = Buffer.alloc(RTP_BYTES + FRAME_SAMPLES);
    packet.writeUInt8(0x80, 0);
    packet.writeUInt8(PCMU, 1);
    packet.writeUInt16BE(this.#sentFrames & 0xffff, 2);
    packet.writeUInt32BE(this.#sentFrames * FRAME_SAMPLES, 4);
    packet.writeUInt32BE(0x50484f4e, 8);
    const frames = Math.floor(this.#said.length / FRAME_SAMPLES);
    const at = (this.#sentFrames % frames) * FRAME_SAMPLES;
    packet.set(this.#said.subarray(at, at + FRAME_SAMPLES), RTP_BYTES);
    this.#sentFrames++;
    this.#socket.send(packet, port, '127.0.0.1');
  }
}
