import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { DecodeBatch } from '../audio/decode-batch.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import { PacedSender } from './paced-sender.ts';
import { PortAllocator } from './port-allocator.ts';
import { SendPacer } from './send-pacer.ts';
import { createDatagram, endpointAddress, endpointPort, toEndpoint } from './transport.ts';
import type {
  Endpoint,
  FrameSender,
  FrameSenderOptions,
  MediaPort,
  MediaTransport,
  MediaTransportOptions,
  PacketHandler,
} from './transport.ts';

/** Holds well over a second of packets, so that a stalled event loop loses none; the system may grant less. */
const RECEIVE_BUFFER_BYTES = 512 * 1024;
/** As many as ports of the native transport. */
const MAX_STREAMS = 4096;
/** How often the system is asked for a pair of its own choice; its neighbour is rarely taken. */
const SYSTEM_PAIR_ATTEMPTS = 50;

/**
 * Media over `node:dgram`, paced on the event loop: the twin of the native transport for where the addon can not be
 * loaded. Packets carry the time at which the event loop saw them, and leave when it runs.
 */
export class DgramTransport implements MediaTransport {
  readonly kind = 'dgram';
  /** Every datagram has memory of its own: none is decoded where it lies, and frames are measured at once. */
  readonly batch: DecodeBatch = new DecodeBatch({
    codes: new Uint8Array(0),
    capacityStreams: MAX_STREAMS,
    capacityJobs: 64,
  });
  readonly #localAddress: string;
  readonly #clock: Clock;
  /** Absent when the system chooses the ports. */
  readonly #allocator: PortAllocator | undefined;
  readonly #pacer: SendPacer;
  readonly #ports = new Set<DgramPort>();
  #closed = false;

  /** @throws RangeError - if the port range holds no pair. */
  constructor(options: MediaTransportOptions, clock: Clock) {
    this.#localAddress = options.localAddress;
    this.#clock = clock;
    const [first, last] = options.portRange;
    this.#allocator = first === 0 && last === 0 ? undefined : new PortAllocator(options.portRange);
    this.#pacer = new SendPacer(clock);
  }

  get openPorts(): number {
    return this.#ports.size;
  }

  /**
   * @throws GatewayError `ERR_RTP_PORTS` - when no pair of the range is free; `ERR_LISTEN` - when the address can not
   * be bound at all; `ERR_SHUTTING_DOWN` - after `close()`.
   */
  async open(): Promise<MediaPort> {
    if (this.#closed) throw new GatewayError('ERR_SHUTTING_DOWN', 'the media transport is closed');
    const { rtp, rtcp, release } = await (this.#allocator ? this.#bindOfRange(this.#allocator) : this.#bindAny());
    const port: DgramPort = new DgramPort(rtp, rtcp, this.#clock, this.#pacer, this.batch, () => {
      this.#ports.delete(port);
      release();
    });
    this.#ports.add(port);
    if (this.#closed) port.close();
    return port;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const port of this.#ports) port.close();
  }

  async #bindOfRange(allocator: PortAllocator): Promise<BoundPair> {
    for (let attempts = allocator.freePairs; attempts > 0; attempts--) {
      const port = allocator.take();
      if (port === undefined) break;
      const pair = await bindPair(this.#localAddress, port).catch((error: unknown) => {
        allocator.release(port);
        throw error;
      });
      if (pair) return { ...pair, release: () => allocator.release(port) };
      allocator.release(port);
    }
    throw new GatewayError('ERR_RTP_PORTS', {
      found: 'every pair of RTP ports is in use',
      cure: 'widen GATEWAY_RTP_PORTS; each call takes an even port and the next',
    });
  }

  async #bindAny(): Promise<BoundPair> {
    for (let attempt = 0; attempt < SYSTEM_PAIR_ATTEMPTS; attempt++) {
      const probe = await bind(this.#localAddress, 0);
      if (!probe) break;
      const { port } = probe.address();
      probe.close();
      const pair = await bindPair(this.#localAddress, port - (port % 2));
      if (pair) return { ...pair, release: () => {} };
    }
    throw new GatewayError('ERR_RTP_PORTS', 'the system has no free pair of ports');
  }
}

interface BoundPair {
  readonly rtp: Socket;
  readonly rtcp: Socket;
  readonly release: () => void;
}

class DgramPort implements MediaPort {
  readonly rtpPort: number;
  readonly #rtp: Socket;
  readonly #rtcp: Socket;
  readonly #clock: Clock;
  readonly #pacer: SendPacer;
  readonly #batch: DecodeBatch;
  readonly #onClosed: () => void;
  #sender: PacedSender | undefined;
  #rtpRemote: Remote | undefined;
  #rtcpRemote: Remote | undefined;
  #errors = 0;
  #closed = false;

  constructor(rtp: Socket, rtcp: Socket, clock: Clock, pacer: SendPacer, batch: DecodeBatch, onClosed: () => void) {
    this.#rtp = rtp;
    this.#rtcp = rtcp;
    this.#clock = clock;
    this.#pacer = pacer;
    this.#batch = batch;
    this.#onClosed = onClosed;
    this.rtpPort = rtp.address().port;
    for (const socket of [rtp, rtcp]) socket.on('error', this.#countError);
  }

  get errors(): number {
    return this.#errors;
  }

  receive(onRtp: PacketHandler, onRtcp: PacketHandler): void {
    this.#listen(this.#rtp, onRtp);
    this.#listen(this.#rtcp, onRtcp);
  }

  setRemote(rtp: Endpoint | undefined, rtcp: Endpoint | undefined): void {
    this.#rtpRemote = toRemote(rtp);
    this.#rtcpRemote = toRemote(rtcp);
    this.#sender?.setConnected(rtp !== undefined);
  }

  startSending(options: FrameSenderOptions): FrameSender {
    if (this.#sender || this.#closed) throw new TypeError('Expected an open port that does not send yet');
    const sender = new PacedSender(options, this.#pacer.nextStartMs(), (packet) => {
      this.#send(this.#rtp, packet, this.#rtpRemote);
    });
    sender.setConnected(this.#rtpRemote !== undefined);
    this.#sender = sender;
    this.#pacer.add(sender);
    return sender;
  }

  sendRtcp(bytes: Uint8Array): void {
    this.#send(this.#rtcp, bytes, this.#rtcpRemote);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#sender) this.#pacer.remove(this.#sender);
    this.#rtp.removeAllListeners('message').close();
    this.#rtcp.removeAllListeners('message').close();
    this.#onClosed();
  }

  #listen(socket: Socket, handler: PacketHandler): void {
    // Almost every packet comes from the same address: its text is read once.
    let address = '';
    let portZero: Endpoint = 0;
    const datagram = createDatagram(new Uint8Array(0));
    socket.removeAllListeners('message').on('message', (bytes, from) => {
      if (from.address !== address) {
        address = from.address;
        portZero = toEndpoint(address, 0);
      }
      datagram.bytes = bytes;
      datagram.length = bytes.length;
      datagram.source = portZero + from.port;
      datagram.arrivalMs = this.#clock.nowMs();
      handler(datagram);
      this.#batch.run();
    });
  }

  #send(socket: Socket, packet: Uint8Array, remote: Remote | undefined): void {
    if (remote && !this.#closed) socket.send(packet, remote.port, remote.address, this.#countError);
  }

  readonly #countError = (error: Error | null): void => {
    if (error) this.#errors += 1;
  };
}

interface Remote {
  readonly address: string;
  readonly port: number;
}

function toRemote(endpoint: Endpoint | undefined): Remote | undefined {
  return endpoint === undefined ? undefined : { address: endpointAddress(endpoint), port: endpointPort(endpoint) };
}

/** Binds `rtpPort` and the next, or returns undefined when one is in use. */
async function bindPair(address: string, rtpPort: number): Promise<{ rtp: Socket; rtcp: Socket } | undefined> {
  const rtp = await bind(address, rtpPort);
  if (!rtp) return undefined;
  try {
    const rtcp = await bind(address, rtpPort + 1);
    if (rtcp) return { rtp, rtcp };
  } catch (error) {
    rtp.close();
    throw error;
  }
  rtp.close();
  return undefined;
}

/** A bound socket, or undefined when the port is in use. */
function bind(address: string, port: number): Promise<Socket | undefined> {
  const socket = createSocket({
    type: 'udp4',
    recvBufferSize: RECEIVE_BUFFER_BYTES,
    // Addresses are numbers already; the resolver would put off every packet to a later turn of the event loop.
    lookup: (hostname, _options, callback) => callback(null, hostname, 4),
  });
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      if (error.code === 'EADDRINUSE') {
        resolve(undefined);
        return;
      }
      reject(
        new GatewayError('ERR_LISTEN', {
          found: `udp ${address}:${port} can not be bound (${error.code ?? error.message})`,
          cause: toError(error),
        }),
      );
    });
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
