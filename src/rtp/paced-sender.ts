import { ByteSlot } from './byte-slot.ts';
import { RTP_HEADER_BYTES, writeRtpHeader } from './packet.ts';
import { FRAME_MARKER } from './transport.ts';
import type { FrameSender, FrameSenderOptions } from './transport.ts';

const CAPACITY_FRAMES = 64;
/** Payload of the largest datagram that crosses an Ethernet unfragmented. */
const MAX_PAYLOAD_BYTES = 1500 - 20 - 8 - RTP_HEADER_BYTES;
/** Frames that may leave at once after a stall; what is later than that would only fill the peer's jitter buffer. */
const MAX_CATCH_UP_FRAMES = 3;
/** Silence packets in rotation: the system may not have sent the last one yet. */
const SILENCE_PACKETS = 4;

/** A queued frame with room for its header in front. */
interface Frame {
  readonly packet: ByteSlot;
  payloadType: number;
  timestampStep: number;
  flags: number;
  tag: number;
}

function createFrame(): Frame {
  return { packet: new ByteSlot(RTP_HEADER_BYTES), payloadType: 0, timestampStep: 0, flags: 0, tag: 0 };
}

/**
 * The send side of one leg without its socket and timer: decides at each deadline what leaves, and stamps it.
 *
 * Deadlines are absolute, `start + n * ptimeMs`, so lateness never adds up. After a stall at most
 * {@link MAX_CATCH_UP_FRAMES} leave at once and the deadlines before them are skipped: the timestamp moves on over
 * them, so that it stays true to real time, and the next packet carries the marker. Queued frames are never dropped.
 */
export class PacedSender implements FrameSender {
  readonly capacityFrames: number = CAPACITY_FRAMES;
  readonly #options: FrameSenderOptions;
  /** Hands a packet to the network; it is not touched again before {@link SILENCE_PACKETS} more have left. */
  readonly #transmit: (packet: Uint8Array) => void;
  readonly #frames: readonly Frame[] = Array.from({ length: CAPACITY_FRAMES }, createFrame);
  readonly #silence: readonly ByteSlot[] = Array.from(
    { length: SILENCE_PACKETS },
    () => new ByteSlot(RTP_HEADER_BYTES),
  );
  #ptimeMs = 0;
  #timestampStep = 0;
  #silencePayloadType = 0;

  #startMs: number;
  /** Deadlines since `#startMs` that have gone by. */
  #deadlines = 0;
  /** Frames written and frames taken since the start; their difference is what is queued. */
  #written = 0;
  #taken = 0;

  #sequenceNumber: number;
  #timestamp: number;
  /** Ticks that went by during the event under way, all packets of which carry the timestamp of its start. */
  #eventTicks = 0;
  /** Ticks that were skipped during the event and are made good after it. */
  #owedTicks = 0;
  /** The next packet, whatever it is, carries the marker: the stream starts or goes on after a break. */
  #markNext = true;
  /** The next queued frame starts a talkspurt. */
  #talkspurt = true;
  #paused = false;
  #connected = false;

  packetsSent = 0;
  octetsSent = 0;
  lastTimestamp = 0;
  lastSentMs: number = Number.NEGATIVE_INFINITY;

  constructor(options: FrameSenderOptions, startMs: number, transmit: (packet: Uint8Array) => void) {
    this.#options = options;
    this.#transmit = transmit;
    this.#startMs = startMs;
    this.#sequenceNumber = options.initialSequenceNumber & 0xffff;
    this.#timestamp = options.initialTimestamp >>> 0;
    this.reconfigure(options);
  }

  get queuedFrames(): number {
    return this.#written - this.#taken;
  }

  /** When `run()` is to be called next. */
  get deadlineMs(): number {
    return this.#startMs + this.#deadlines * this.#ptimeMs;
  }

  /** Whether there is somewhere to send to; without it the ring is kept, as in a pause. */
  setConnected(connected: boolean): void {
    this.#connected = connected;
  }

  setPaused(paused: boolean): void {
    this.#paused = paused;
  }

  write(payload: Uint8Array, payloadType: number, timestampStep: number, flags: number, tag: number): boolean {
    if (payload.length > MAX_PAYLOAD_BYTES) {
      throw new RangeError(`Expected at most ${MAX_PAYLOAD_BYTES} bytes of payload but received ${payload.length}`);
    }
    if (this.queuedFrames === CAPACITY_FRAMES) return false;
    const frame = this.#frames[this.#written % CAPACITY_FRAMES]!;
    frame.packet.store(payload);
    frame.payloadType = payloadType;
    frame.timestampStep = timestampStep;
    frame.flags = flags;
    frame.tag = tag;
    this.#written += 1;
    return true;
  }

  flush(isContinued = false): number {
    const dropped = this.queuedFrames;
    this.#taken = this.#written;
    if (!isContinued) {
      this.#talkspurt = true;
      this.#abandonEvent();
    }
    return dropped;
  }

  reconfigure(
    options: Pick<FrameSenderOptions, 'ptimeMs' | 'timestampStep' | 'silencePayload' | 'silencePayloadType'>,
  ): void {
    if (!(options.ptimeMs > 0)) throw new RangeError(`Expected a ptimeMs above 0 but received ${options.ptimeMs}`);
    if (options.silencePayload.length > MAX_PAYLOAD_BYTES) {
      throw new RangeError(
        `Expected at most ${MAX_PAYLOAD_BYTES} bytes of silence but received ${options.silencePayload.length}`,
      );
    }
    this.#startMs = this.deadlineMs;
    this.#deadlines = 0;
    this.#ptimeMs = options.ptimeMs;
    this.#timestampStep = options.timestampStep;
    this.#silencePayloadType = options.silencePayloadType;
    for (const slot of this.#silence) slot.store(options.silencePayload);
  }

  /** Sends what is due at `nowMs`, if anything, and lets the owner top the ring up. */
  run(nowMs: number): void {
    const due = Math.floor((nowMs - this.deadlineMs) / this.#ptimeMs) + 1;
    if (due <= 0) return;
    this.#deadlines += due;
    if (this.#paused || !this.#connected) {
      this.#skip(due);
    } else {
      if (due > MAX_CATCH_UP_FRAMES) this.#skip(due - MAX_CATCH_UP_FRAMES);
      for (let left = Math.min(due, MAX_CATCH_UP_FRAMES); left > 0; left--) this.#sendNext(nowMs);
    }
    this.#options.onTick(nowMs);
  }

  #skip(deadlines: number): void {
    const ticks = deadlines * this.#timestampStep;
    if (this.#eventTicks > 0) this.#owedTicks += ticks;
    else this.#moveTimestamp(ticks);
    this.#markNext = true;
  }

  #sendNext(nowMs: number): void {
    if (this.queuedFrames === 0) {
      this.#sendSilence(nowMs);
      return;
    }
    const frame = this.#frames[this.#taken % CAPACITY_FRAMES]!;
    this.#taken += 1;
    // A break in the middle of an event must not look like the start of another event.
    const marker =
      (frame.flags & FRAME_MARKER) !== 0 || (this.#eventTicks === 0 && (this.#talkspurt || this.#markNext));
    this.#talkspurt = false;
    const timestamp = this.#timestamp;
    this.#send(frame.packet.view, frame.payloadType, marker, nowMs);
    if (frame.timestampStep === 0) {
      this.#eventTicks += this.#timestampStep;
    } else {
      this.#moveTimestamp(frame.timestampStep + this.#owedTicks);
      this.#eventTicks = 0;
      this.#owedTicks = 0;
    }
    this.#options.onSent(frame.tag, timestamp, nowMs);
  }

  #sendSilence(nowMs: number): void {
    this.#abandonEvent();
    const slot = this.#silence[this.packetsSent % SILENCE_PACKETS]!;
    this.#talkspurt = true;
    this.#send(slot.view, this.#silencePayloadType, this.#markNext, nowMs);
    this.#moveTimestamp(this.#timestampStep);
  }

  /** An event whose last packet never came has taken time all the same. */
  #abandonEvent(): void {
    this.#moveTimestamp(this.#eventTicks + this.#owedTicks);
    this.#eventTicks = 0;
    this.#owedTicks = 0;
  }

  #send(packet: Uint8Array, payloadType: number, marker: boolean, nowMs: number): void {
    writeRtpHeader(packet, 0, payloadType, marker, this.#sequenceNumber, this.#timestamp, this.#options.ssrc);
    this.#transmit(packet);
    if (marker) this.#markNext = false;
    this.#sequenceNumber = (this.#sequenceNumber + 1) & 0xffff;
    this.packetsSent += 1;
    this.octetsSent += packet.length - RTP_HEADER_BYTES;
    this.lastTimestamp = this.#timestamp;
    this.lastSentMs = nowMs;
  }

  #moveTimestamp(ticks: number): void {
    this.#timestamp = (this.#timestamp + ticks) >>> 0;
  }
}
