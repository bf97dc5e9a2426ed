import type { DecodeBatch } from '../audio/decode-batch.ts';

/**
 * The small interface between RTP logic and the sockets that carry it. The node:dgram twin and the native transport
 * implement it and pass the same contract tests.
 *
 * ```
 *  network ─► receive ─► PacketHandler (views, valid during the call only)
 *  FrameSender.write ─► ring of ready frames ─► paced send every ptime on absolute deadlines ─► network, tap
 * ```
 */

/** An IPv4 address and port in one number, `address * 65536 + port`: compared with `===`, kept without an allocation. */
export type Endpoint = number;

/** @throws TypeError - if `address` is not dotted IPv4 or `port` not 0-65535. */
export function toEndpoint(address: string, port: number): Endpoint {
  const parts = address.split('.');
  let bits = 0;
  for (const part of parts) {
    const octet = /^\d{1,3}$/.test(part) ? Number(part) : 256;
    if (octet > 255) throw new TypeError(`Expected a dotted IPv4 address but received '${address}'`);
    bits = bits * 256 + octet;
  }
  if (parts.length !== 4) throw new TypeError(`Expected a dotted IPv4 address but received '${address}'`);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new TypeError(`Expected a port of 0-65535 but received ${port}`);
  }
  return bits * 65536 + port;
}

export function endpointAddress(endpoint: Endpoint): string {
  const bits = Math.floor(endpoint / 65536);
  return `${Math.floor(bits / 2 ** 24)}.${(bits >> 16) & 255}.${(bits >> 8) & 255}.${bits & 255}`;
}

export function endpointPort(endpoint: Endpoint): number {
  return endpoint % 65536;
}

/**
 * What arrived: `bytes[offset, offset + length)`. A transport has one record and fills it again for every datagram:
 * what it says is valid during the call of its handler only. As arguments, the two numbers that are no small integers
 * would be objects to V8, two for every packet.
 */
export interface Datagram {
  bytes: Uint8Array;
  offset: number;
  length: number;
  /** Who sent it. */
  source: Endpoint;
  /** When it came, on the monotonic clock. */
  arrivalMs: number;
}

/** An empty record to hand to a {@link PacketHandler}. */
export function createDatagram(bytes: Uint8Array): Datagram {
  return { bytes, offset: 0, length: 0, source: Number.NaN, arrivalMs: Number.NaN };
}

export type PacketHandler = (datagram: Readonly<Datagram>) => void;

/** Flags of a frame in the send ring. */
export const FRAME_MARKER = 1;

export interface FrameSenderOptions {
  readonly ssrc: number;
  readonly initialSequenceNumber: number;
  readonly initialTimestamp: number;
  /** Time between two packets; also the length of a silence frame. */
  readonly ptimeMs: number;
  /** RTP ticks that `ptimeMs` lasts. */
  readonly timestampStep: number;
  /** Sent, encoded already, whenever the ring is empty. */
  readonly silencePayload: Uint8Array;
  readonly silencePayloadType: number;
  /**
   * The tap: told of each queued frame that really left, in order, with the tag it was written with. Silence is not
   * told. May be told in batches.
   */
  readonly onSent: (tag: number, timestamp: number, sentAtMs: number) => void;
  /**
   * Called about once per `ptimeMs` after the due frames left, so that the owner can top the ring up; also while
   * paused or without a remote.
   */
  readonly onTick: (nowMs: number) => void;
}

/**
 * The send side of one leg: a bounded ring of ready frames which leave one per `ptimeMs`, whatever the event loop
 * does. An empty ring sends silence. Sequence number and timestamp are stamped when a frame leaves; the first frame
 * after silence or a flush carries the marker (RFC 3551 section 4.1).
 */
export interface FrameSender {
  readonly capacityFrames: number;
  readonly queuedFrames: number;
  readonly packetsSent: number;
  readonly octetsSent: number;
  /** RTP timestamp and monotonic time of the packet sent last, for sender reports. */
  readonly lastTimestamp: number;
  readonly lastSentMs: number;
  /**
   * Copies one frame in. `timestampStep` is how far the RTP timestamp moves after this frame (0 for all but the last
   * packet of a telephone-event). `tag`, 32 bits unsigned, comes back through the tap.
   *
   * @returns false when the ring is full; nothing was taken.
   */
  write(payload: Uint8Array, payloadType: number, timestampStep: number, flags: number, tag: number): boolean;
  /**
   * Drops every frame that has not left; digits that are sent right now are cut off. `isContinued` promises that the
   * audio written next goes on where that which has left ends: it needs no marker then, unless silence leaves first.
   *
   * @returns how many were dropped.
   */
  flush(isContinued?: boolean): number;
  /** Stops or restarts sending (hold); the ring is kept, the timestamp runs on and the next packet has the marker. */
  setPaused(paused: boolean): void;
  /** Changes packetization from the next frame on (a re-INVITE may change codec or ptime). */
  reconfigure(
    options: Pick<FrameSenderOptions, 'ptimeMs' | 'timestampStep' | 'silencePayload' | 'silencePayloadType'>,
  ): void;
}

/** One bound pair of UDP ports: RTP on an even port, RTCP on the next (RFC 3550 section 11). */
export interface MediaPort {
  readonly rtpPort: number;
  /** Datagrams that could not be sent or were lost in a full socket buffer, where the system tells. */
  readonly errors: number;
  receive(onRtp: PacketHandler, onRtcp: PacketHandler): void;
  /** Where packets go from now on; `undefined` sends nothing and, like a pause, keeps the ring. */
  setRemote(rtp: Endpoint | undefined, rtcp: Endpoint | undefined): void;
  /** Starts the paced stream; once per port. */
  startSending(options: FrameSenderOptions): FrameSender;
  sendRtcp(bytes: Uint8Array): void;
  /** Stops both ways at once and gives the ports back. Idempotent. */
  close(): void;
}

export interface MediaTransport {
  readonly kind: 'dgram' | 'native';
  /** Takes the audio of packets where they lie; carried out after the handlers of all that has arrived. */
  readonly batch: DecodeBatch;
  readonly openPorts: number;
  /** @throws GatewayError `ERR_RTP_PORTS` - when no pair of the range is free. */
  open(): Promise<MediaPort>;
  close(): Promise<void>;
}

export interface MediaTransportOptions {
  /** IPv4 address to bind. */
  readonly localAddress: string;
  /** Inclusive; `[0, 0]` lets the system choose. */
  readonly portRange: readonly [number, number];
}
