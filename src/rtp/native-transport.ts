import { getSystemErrorName } from 'node:util';
import { DecodeBatch } from '../audio/decode-batch.ts';
import type { NativeAddon, NativeMediaTransport } from '../core/addon.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { type ChunkViews, NativeFrameSender } from './native-frame-sender.ts';
import {
  PACKET_RECORD,
  PACKET_RECORD_BYTES,
  PACKET_RING_BYTES,
  PORTS,
  PORTS_PER_CHUNK,
  PORT_MEMORY,
  PORT_MEMORY_BYTES,
  TRANSPORT_CONTROL,
  layoutDifference,
} from './native-layout.ts';
import { PortAllocator } from './port-allocator.ts';
import { createDatagram, toEndpoint } from './transport.ts';
import type {
  Datagram,
  Endpoint,
  FrameSender,
  FrameSenderOptions,
  MediaPort,
  MediaTransport,
  MediaTransportOptions,
  PacketHandler,
} from './transport.ts';

const WORD_BYTES = 4;
const DOUBLE_BYTES = 8;
/** Two a packet: as many as 1,000 calls need in 20 ms, and a stall only needs more runs. */
const BATCH_JOBS = 2048;
const TICKS_WORD = TRANSPORT_CONTROL.ticks / WORD_BYTES;

/** How the media thread fares; all counts are since the transport was made and wrap at 2^32. */
export interface NativeTransportStatistics {
  /** `fifo`: ahead of every ordinary thread of the machine. */
  readonly scheduling: 'fifo' | 'other';
  readonly packetsReceived: number;
  /** Datagrams dropped because they were longer than any RTP packet. */
  readonly oversizedDropped: number;
  /** Times that JavaScript was so far behind that packets had to wait in the kernel. */
  readonly ringFull: number;
  /** Packets that were not sent because the thread came more than two packet times too late. */
  readonly skippedDeadlines: number;
  /** Packets that left late because the thread had not run, sent by the standby thread on another processor. */
  readonly standbySent: number;
  /** The latest that a packet ever was. */
  readonly maxLateMs: number;
}

/**
 * Media over the addon's thread: packets are stamped with the kernel's time of arrival and leave on absolute deadlines,
 * whatever the event loop does. Its twin is `DgramTransport`.
 *
 * Every few milliseconds, if there is something to tell, one call from the thread drains the packet ring in place and
 * visits the streams. An open port keeps the process alive, as a socket of Node does.
 */
export class NativeTransport implements MediaTransport {
  readonly kind = 'native';
  readonly batch: DecodeBatch;
  readonly #address: number;
  readonly #localAddress: string;
  readonly #clock: Clock;
  /** Absent when the system chooses the ports. */
  readonly #allocator: PortAllocator | undefined;
  readonly #native: NativeMediaTransport;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #ringOffset: number;
  readonly #chunks: ChunkViews[] = [];
  /** By slot, the lower bits of a port's number. */
  readonly #ports: (NativePort | undefined)[] = [];
  readonly #senders: NativeFrameSender[] = [];
  /** Of each sender, at the same place: its slot, and the count of its deadlines that it was told of. */
  readonly #slots = new Uint16Array(PORTS);
  readonly #ticksTold = new Int32Array(PORTS);
  readonly #datagram: Datagram;
  #openPorts = 0;
  /** Position in the packet ring, 32 bits, of the first record that was not handled. */
  #tail = 0;
  #closed = false;

  /**
   * @throws RangeError - if the port range holds no pair; Error - if the system gives no memory or thread, or the addon
   * was built for another version.
   */
  constructor(options: MediaTransportOptions, clock: Clock, addon: NativeAddon) {
    const difference = layoutDifference(addon.mediaLayout);
    if (difference !== undefined) {
      throw new Error(`Expected an addon built for this version but '${difference}' differs: run npm run build:native`);
    }
    this.#localAddress = options.localAddress;
    this.#address = toEndpoint(options.localAddress, 0) / 65536;
    this.#clock = clock;
    const [first, last] = options.portRange;
    this.#allocator = first === 0 && last === 0 ? undefined : new PortAllocator(options.portRange);
    this.#native = new addon.MediaTransport(clock.nowMs(), () => this.#wake());
    const { control } = this.#native;
    const codes = new Uint8Array(control);
    this.#datagram = createDatagram(codes);
    this.batch = new DecodeBatch({ codes, capacityStreams: PORTS, capacityJobs: BATCH_JOBS, addon });
    this.#words = new Int32Array(control);
    this.#doubles = new Float64Array(control);
    this.#ringOffset = control.byteLength - 2 * PACKET_RING_BYTES;
  }

  get openPorts(): number {
    return this.#openPorts;
  }

  get statistics(): NativeTransportStatistics {
    const count = (offset: number): number => Atomics.load(this.#words, offset / WORD_BYTES) >>> 0;
    return {
      scheduling: this.#native.fifo ? 'fifo' : 'other',
      packetsReceived: count(TRANSPORT_CONTROL.received),
      oversizedDropped: count(TRANSPORT_CONTROL.oversized),
      ringFull: count(TRANSPORT_CONTROL.ringFull),
      skippedDeadlines: count(TRANSPORT_CONTROL.skippedDeadlines),
      standbySent: count(TRANSPORT_CONTROL.standbySent),
      maxLateMs: count(TRANSPORT_CONTROL.maxLateUs) / 1000,
    };
  }

  /**
   * @throws GatewayError `ERR_RTP_PORTS` - when no pair of the range is free; `ERR_LISTEN` - when the address can not
   * be bound at all; `ERR_SHUTTING_DOWN` - after `close()`.
   */
  async open(): Promise<MediaPort> {
    if (this.#closed) throw new GatewayError('ERR_SHUTTING_DOWN', 'the media transport is closed');
    const { portId, rtpPort } = this.#allocator ? this.#bindOfRange(this.#allocator) : this.#bindAny();
    const slot = portId % PORTS;
    const port = new NativePort(this.#native, portId, rtpPort, this.#memoryOf(slot), {
      startSending: (options) => this.#startSending(port, options),
      closed: (sender) => this.#forget(port, sender),
    });
    this.#ports[slot] = port;
    if (this.#openPorts++ === 0) this.#native.keepAlive(true);
    return port;
  }

  /** Closes every port and returns when the thread has ended. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const port of this.#ports) port?.close();
    this.#native.close();
  }

  #bindOfRange(allocator: PortAllocator): Bound {
    for (let attempts = allocator.freePairs; attempts > 0; attempts--) {
      const rtpPort = allocator.take();
      if (rtpPort === undefined) break;
      let bound: Bound | undefined;
      try {
        bound = this.#bind(rtpPort);
      } finally {
        if (!bound) allocator.release(rtpPort);
      }
      if (bound) return bound;
    }
    throw new GatewayError('ERR_RTP_PORTS', {
      found: 'every pair of RTP ports is in use',
      cure: 'widen GATEWAY_RTP_PORTS; each call takes an even port and the next',
    });
  }

  #bindAny(): Bound {
    const bound = this.#bind(0);
    if (!bound) throw new GatewayError('ERR_RTP_PORTS', 'the system has no free pair of ports');
    return bound;
  }

  /** A bound pair, or undefined when one of the ports is in use. */
  #bind(rtpPort: number): Bound | undefined {
    const result = this.#native.open(this.#address, rtpPort);
    if (result >= 0) return { portId: Math.floor(result / 65536), rtpPort: result % 65536 };
    const name = getSystemErrorName(result);
    if (name === 'EADDRINUSE') return undefined;
    throw new GatewayError('ERR_LISTEN', `udp ${this.#localAddress}:${rtpPort} can not be bound (${name})`);
  }

  #memoryOf(slot: number): PortMemory {
    const index = Math.floor(slot / PORTS_PER_CHUNK);
    let chunk = this.#chunks[index];
    if (!chunk) {
      const buffer = this.#native.chunk(index);
      chunk = { bytes: new Uint8Array(buffer), words: new Int32Array(buffer), doubles: new Float64Array(buffer) };
      this.#chunks[index] = chunk;
    }
    return { chunk, offsetBytes: (slot % PORTS_PER_CHUNK) * PORT_MEMORY_BYTES };
  }

  #startSending(port: NativePort, options: FrameSenderOptions): NativeFrameSender {
    const { chunk, offsetBytes } = port.memory;
    const sender = new NativeFrameSender(this.#native, port.portId, chunk, offsetBytes, options);
    const slot = port.portId % PORTS;
    const index = this.#senders.push(sender) - 1;
    this.#slots[index] = slot;
    this.#ticksTold[index] = this.#words[TICKS_WORD + slot]!;
    return sender;
  }

  #forget(port: NativePort, sender: NativeFrameSender | undefined): void {
    this.#ports[port.portId % PORTS] = undefined;
    const index = sender ? this.#senders.indexOf(sender) : -1;
    if (index >= 0) {
      const last = this.#senders.length - 1;
      this.#senders[index] = this.#senders[last]!;
      this.#slots[index] = this.#slots[last]!;
      this.#ticksTold[index] = this.#ticksTold[last]!;
      this.#senders.pop();
    }
    this.#allocator?.release(port.rtpPort);
    if (--this.#openPorts === 0) this.#native.keepAlive(false);
  }

  /** Called by the media thread through the event loop. */
  #wake(): void {
    this.#receive();
    const nowMs = this.#clock.nowMs();
    // Backwards: a sender that is removed leaves its place to the last, which was visited already.
    for (let index = this.#senders.length - 1; index >= 0; index--) {
      const ticks = this.#words[TICKS_WORD + this.#slots[index]!]!;
      if (ticks === this.#ticksTold[index]) continue;
      this.#ticksTold[index] = ticks;
      this.#senders[index]?.wake(nowMs);
    }
  }

  /** Hands on every record of the packet ring. What a handler throws ends the drain; the rest follows at the next wake. */
  #receive(): void {
    const words = this.#words;
    const doubles = this.#doubles;
    const datagram = this.#datagram;
    const head = Atomics.load(words, TRANSPORT_CONTROL.head / WORD_BYTES);
    try {
      while (this.#tail !== head) {
        const record = this.#ringOffset + (this.#tail & (PACKET_RING_BYTES - 1));
        const portId = words[(record + PACKET_RECORD.portId) / WORD_BYTES]! >>> 0;
        const lengths = words[(record + PACKET_RECORD.lengthBytes) / WORD_BYTES]!;
        const length = lengths & 0xffff;
        this.#tail = (this.#tail + ((PACKET_RECORD_BYTES + length + 7) & ~7)) | 0;
        const port = this.#ports[portId & (PORTS - 1)];
        // Packets of a port that was closed meanwhile are nobody's.
        if (port?.portId !== portId) continue;
        datagram.offset = record + PACKET_RECORD_BYTES;
        datagram.length = length;
        datagram.source = doubles[(record + PACKET_RECORD.source) / DOUBLE_BYTES]!;
        datagram.arrivalMs = doubles[(record + PACKET_RECORD.arrivalMs) / DOUBLE_BYTES]!;
        // Two calls: V8 inlines the one that always has the same target.
        if (lengths >>> 16 === 0) port.onRtp?.(datagram);
        else port.onRtcp?.(datagram);
      }
    } finally {
      try {
        this.batch.run();
      } finally {
        Atomics.store(words, TRANSPORT_CONTROL.tail / WORD_BYTES, this.#tail);
      }
    }
  }
}

interface Bound {
  readonly portId: number;
  readonly rtpPort: number;
}

interface PortMemory {
  readonly chunk: ChunkViews;
  readonly offsetBytes: number;
}

/** What a port asks of its transport. */
interface PortOwner {
  startSending(options: FrameSenderOptions): NativeFrameSender;
  closed(sender: NativeFrameSender | undefined): void;
}

class NativePort implements MediaPort {
  readonly rtpPort: number;
  readonly portId: number;
  readonly memory: PortMemory;
  readonly #native: NativeMediaTransport;
  readonly #owner: PortOwner;
  #sender: NativeFrameSender | undefined;
  #rtcpErrors = 0;
  /** Set when the port was closed: its memory may be another's after that. */
  #finalErrors: number | undefined;

  onRtp: PacketHandler | undefined;
  onRtcp: PacketHandler | undefined;

  constructor(native: NativeMediaTransport, portId: number, rtpPort: number, memory: PortMemory, owner: PortOwner) {
    this.#native = native;
    this.portId = portId;
    this.rtpPort = rtpPort;
    this.memory = memory;
    this.#owner = owner;
  }

  get errors(): number {
    if (this.#finalErrors !== undefined) return this.#finalErrors;
    const { chunk, offsetBytes } = this.memory;
    const sendErrors = Atomics.load(chunk.words, (offsetBytes + PORT_MEMORY.sendErrors) / WORD_BYTES);
    const receiveDrops = Atomics.load(chunk.words, (offsetBytes + PORT_MEMORY.receiveDrops) / WORD_BYTES);
    return (sendErrors >>> 0) + (receiveDrops >>> 0) + this.#rtcpErrors;
  }

  receive(onRtp: PacketHandler, onRtcp: PacketHandler): void {
    this.onRtp = onRtp;
    this.onRtcp = onRtcp;
  }

  setRemote(rtp: Endpoint | undefined, rtcp: Endpoint | undefined): void {
    if (!this.#isClosed) this.#native.setRemote(this.portId, rtp ?? 0, rtcp ?? 0);
  }

  startSending(options: FrameSenderOptions): FrameSender {
    if (this.#sender || this.#isClosed) throw new TypeError('Expected an open port that does not send yet');
    this.#sender = this.#owner.startSending(options);
    return this.#sender;
  }

  sendRtcp(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    if (!this.#native.sendRtcp(this.portId, bytes)) this.#rtcpErrors += 1;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#finalErrors = this.errors;
    this.#native.closePort(this.portId);
    this.#sender?.close();
    this.#owner.closed(this.#sender);
  }

  get #isClosed(): boolean {
    return this.#finalErrors !== undefined;
  }
}
