import { ByteSlot } from './byte-slot.ts';
import { InterarrivalJitter } from './interarrival-jitter.ts';
import { MediaTimeline } from './media-timeline.ts';
import { type AudioPacket, createAudioPacket, createRtpHeader, parseRtp } from './packet.ts';
import { ReorderBuffer } from './reorder-buffer.ts';
import type { ReportedSource } from './rtcp-reporter.ts';
import { SequenceTracker } from './sequence.ts';
import type { SourceLock } from './source-lock.ts';
import { ReceiveCounters } from './statistics.ts';
import { TelephoneEventReceiver } from './telephone-event.ts';
import type { Datagram } from './transport.ts';

/** More than 120 ms of 8 kHz linear audio; what is larger is no telephone audio. */
const MAX_PAYLOAD_BYTES = 2048;
/** How long packets wait for one that is missing in front of them. */
const MAX_WAIT_MS = 60;

const UNKNOWN = 0;
const AUDIO = 1;
const TELEPHONE_EVENT = 2;

export interface RtpPayloadTypes {
  /** Payload types that are handed on as audio; comfort noise (13) too if the owner wants it. */
  readonly audio: readonly number[];
  /** Absent when the peer does not take telephone events. */
  readonly telephoneEvent?: number;
}

/** Why timestamps do not continue those before. */
export type DiscontinuityReason =
  /** Another source took the place of the one before. */
  | 'ssrc'
  /** The same source started its sequence numbers anew. */
  | 'sequence'
  /** The timestamp went back, stood still or leapt. */
  | 'timestamp';

/** What comes out of the receive side, in order. */
export interface ReceiverEvents {
  /**
   * One packet of audio, in order, valid during the call only. `timestamp` is in RTP ticks on one axis for the whole
   * session, 0 for the first packet and strictly increasing; `arrivalMs` is monotonic time and may not be.
   */
  onAudio(packet: Readonly<AudioPacket>): void;
  /** So many packets before the next audio were given up; its timestamp tells how much is missing. */
  onLoss?(packets: number): void;
  /** The next audio does not continue the audio before: decoder, concealment and detectors should start afresh. */
  onDiscontinuity?(reason: DiscontinuityReason): void;
  /** A digit has ended. */
  onDigit?(event: { readonly digit: string; readonly durationMs: number }): void;
}

export interface RtpReceiverOptions {
  readonly clockRate: number;
  readonly payloadTypes: RtpPayloadTypes;
  readonly lock: SourceLock;
  readonly events: ReceiverEvents;
}

/**
 * The receive side of one leg, without sockets and timers.
 *
 * ```
 *  datagram ─► parse ─► source lock ─► telephone event ─► digits
 *                                   └► audio ─► stream (SSRC, sequence) ─► reorder ─► timeline ─► onAudio
 * ```
 *
 * The first source of audio is believed at once, the lock having vouched for its sender. A packet of another SSRC, or
 * far from the sequence, is held back until the next one follows it: then the stream changes and nothing is lost,
 * while a stray packet changes nothing. Telephone events are told apart by their timestamps and so are taken whatever
 * their SSRC; some gateways send them as a source of their own.
 */
export class RtpReceiver implements ReportedSource {
  readonly counters: ReceiveCounters = new ReceiveCounters();
  readonly sequence: SequenceTracker = new SequenceTracker();
  readonly jitter: InterarrivalJitter;
  readonly #lock: SourceLock;
  readonly #events: ReceiverEvents;
  readonly #header = createRtpHeader();
  /** The packet at work. */
  readonly #packet = createAudioPacket();
  readonly #kinds = new Uint8Array(128);
  readonly #digits: TelephoneEventReceiver;
  readonly #reorder: ReorderBuffer;
  readonly #timeline: MediaTimeline;
  #ssrc: number | undefined;
  #candidateSsrc: number | undefined;
  readonly #candidateSequence = new SequenceTracker();
  readonly #held = { ssrc: -1, sequenceNumber: 0, packet: createAudioPacket(), payload: new ByteSlot() };
  #breakReason: DiscontinuityReason = 'timestamp';
  #lastArrivalMs = Number.NEGATIVE_INFINITY;

  constructor(options: RtpReceiverOptions) {
    const { clockRate, lock, events } = options;
    this.#lock = lock;
    this.#events = events;
    this.#digits = new TelephoneEventReceiver(clockRate, (digit, durationMs) =>
      events.onDigit?.({ digit, durationMs }),
    );
    this.#reorder = new ReorderBuffer({
      maxWaitMs: MAX_WAIT_MS,
      onPacket: (packet) => this.#deliver(packet),
      onLost: (packets) => {
        this.counters.givenUp += packets;
        events.onLoss?.(packets);
      },
    });
    this.#timeline = new MediaTimeline(clockRate);
    this.jitter = new InterarrivalJitter(clockRate);
    this.setPayloadTypes(options.payloadTypes);
  }

  setPayloadTypes(payloadTypes: RtpPayloadTypes): void {
    this.#kinds.fill(UNKNOWN);
    for (const payloadType of payloadTypes.audio) this.#kinds[checkPayloadType(payloadType)] = AUDIO;
    if (payloadTypes.telephoneEvent !== undefined) {
      this.#kinds[checkPayloadType(payloadTypes.telephoneEvent)] = TELEPHONE_EVENT;
    }
  }

  /** When the last packet that the lock let through arrived; negative infinity before the first. */
  get lastArrivalMs(): number {
    return this.#lastArrivalMs;
  }

  /** Packets that wait behind a gap. */
  get waitingPackets(): number {
    return this.#reorder.waitingPackets;
  }

  /** Whether `poll()` must come every 20 ms or so: a packet is missing, or a digit is under way. */
  get isWaiting(): boolean {
    return this.#reorder.isWaiting || this.#digits.isActive;
  }

  /** The source of the audio; undefined before its first packet. */
  get ssrc(): number | undefined {
    return this.#ssrc;
  }

  receive(datagram: Readonly<Datagram>): void {
    const header = this.#header;
    const parsed = parseRtp(datagram.bytes, datagram.offset, datagram.length, header);
    if (parsed !== 'ok' || header.payloadBytes > MAX_PAYLOAD_BYTES) {
      this.counters.malformed += 1;
      return;
    }
    if (!this.#lock.accept(datagram.source, header.sequenceNumber, datagram.arrivalMs)) {
      this.counters.fromWrongSource += 1;
      return;
    }
    this.counters.received += 1;
    this.#lastArrivalMs = datagram.arrivalMs;
    const kind = this.#kinds[header.payloadType];
    if (kind === AUDIO && header.payloadBytes > 0) {
      this.#receiveAudio(datagram);
      return;
    }
    const { bytes, arrivalMs } = datagram;
    if (kind === TELEPHONE_EVENT) {
      this.counters.telephoneEvents += 1;
      const { payloadOffset, payloadBytes, timestamp, marker } = header;
      this.#digits.receive(bytes, payloadOffset, payloadBytes, timestamp, marker, arrivalMs);
    } else if (kind === AUDIO) {
      this.counters.keepAlives += 1;
    } else {
      this.counters.unknownPayloadType += 1;
    }
    this.#takeNumber(arrivalMs);
  }

  /** The next audio goes on by arrival time, whatever its timestamp. */
  rebase(): void {
    this.#timeline.rebase();
  }

  /** Gives up what has been waited for long enough; to be called every 20 ms or so while `isWaiting`. */
  poll(nowMs: number): void {
    this.#reorder.poll(nowMs);
    this.#digits.poll(nowMs);
  }

  /** Releases what waits and ends the digit under way. */
  finish(): void {
    this.#reorder.drain();
    this.#digits.finish();
  }

  /** Takes the packet in the header. */
  #receiveAudio(datagram: Readonly<Datagram>): void {
    const { ssrc, sequenceNumber } = this.#header;
    if (this.#ssrc === undefined) {
      this.#changeStream('ssrc');
    } else if (ssrc !== this.#ssrc) {
      if (ssrc !== this.#candidateSsrc) this.#candidateSequence.reset();
      this.#candidateSsrc = ssrc;
      if (this.#candidateSequence.update(sequenceNumber) !== 'valid') {
        this.#hold(datagram);
        return;
      }
      this.#changeStream('ssrc');
    } else {
      const verdict = this.sequence.update(sequenceNumber);
      if (verdict === 'suspect') {
        this.#hold(datagram);
        return;
      }
      if (verdict === 'restarted') this.#changeStream('sequence');
    }
    const { payloadType, payloadOffset, payloadBytes } = this.#header;
    const packet = this.#packet;
    packet.bytes = datagram.bytes;
    packet.offset = payloadOffset;
    packet.length = payloadBytes;
    packet.payloadType = payloadType;
    // Signed, since only differences matter from here on: V8 keeps an unsigned number of 32 bits as an object.
    packet.timestamp = this.#header.timestamp | 0;
    packet.arrivalMs = datagram.arrivalMs;
    this.jitter.update(packet);
    this.#insert(sequenceNumber, packet);
  }

  /** A packet that is no audio takes its number in the stream all the same. */
  #takeNumber(arrivalMs: number): void {
    const { ssrc, sequenceNumber } = this.#header;
    if (ssrc !== this.#ssrc) return;
    const verdict = this.sequence.update(sequenceNumber);
    if (verdict === 'suspect') return;
    if (verdict === 'restarted') this.#changeStream('sequence');
    this.#reorder.insertPlaceholder(sequenceNumber, arrivalMs);
  }

  #insert(sequenceNumber: number, packet: AudioPacket): void {
    const result = this.#reorder.insert(sequenceNumber, packet);
    if (result === 'taken') return;
    if (result === 'duplicate') this.counters.duplicates += 1;
    else if (result === 'late') this.counters.late += 1;
    else if (result === 'reordered') this.counters.reordered += 1;
  }

  /** Keeps the packet in the header until the next one confirms or refutes it. */
  #hold({ bytes, arrivalMs }: Readonly<Datagram>): void {
    const { ssrc, sequenceNumber, payloadType, payloadOffset, payloadBytes } = this.#header;
    const { packet, payload } = this.#held;
    this.#held.ssrc = ssrc;
    this.#held.sequenceNumber = sequenceNumber;
    payload.store(bytes.subarray(payloadOffset, payloadOffset + payloadBytes));
    packet.bytes = payload.view;
    packet.length = payloadBytes;
    packet.payloadType = payloadType;
    packet.timestamp = this.#header.timestamp | 0;
    packet.arrivalMs = arrivalMs;
    this.counters.unverified += 1;
  }

  /** Starts the stream of the packet in the header, with the packet held back if that comes right before it. */
  #changeStream(reason: DiscontinuityReason): void {
    const { ssrc, sequenceNumber } = this.#header;
    const held = this.#held;
    const followsHeld = held.ssrc === ssrc && sequenceNumber === ((held.sequenceNumber + 1) & 0xffff);
    this.#reorder.drain();
    this.jitter.reset();
    this.#timeline.rebase();
    this.#breakReason = reason;
    this.#ssrc = ssrc;
    this.#candidateSsrc = undefined;
    held.ssrc = -1;
    this.sequence.start(followsHeld ? held.sequenceNumber : sequenceNumber);
    if (followsHeld) {
      this.counters.unverified -= 1;
      this.sequence.update(held.sequenceNumber);
      this.jitter.update(held.packet);
      this.#insert(held.sequenceNumber, held.packet);
    }
    this.sequence.update(sequenceNumber);
  }

  #deliver(packet: AudioPacket): void {
    packet.timestamp = this.#timeline.advance(packet);
    if (this.#timeline.broken) {
      this.counters.discontinuities += 1;
      this.#events.onDiscontinuity?.(this.#breakReason);
    }
    this.#breakReason = 'timestamp';
    this.counters.delivered += 1;
    this.#events.onAudio(packet);
  }
}

function checkPayloadType(payloadType: number): number {
  if (Number.isInteger(payloadType) && payloadType >= 0 && payloadType < 128) return payloadType;
  throw new RangeError(`Expected a payload type of 0-127 but received ${payloadType}`);
}
