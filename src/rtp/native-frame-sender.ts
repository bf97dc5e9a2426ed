import type { NativeMediaTransport } from '../core/addon.ts';
import { CAPACITY_FRAMES, FRAME, FRAME_BYTES, FRAME_SLOTS, MAX_PAYLOAD_BYTES, PORT_MEMORY } from './native-layout.ts';
import type { FrameSender, FrameSenderOptions } from './transport.ts';

type Packetization = Parameters<FrameSender['reconfigure']>[0];

/** Three views of the memory of several ports. */
export interface ChunkViews {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
}

const WORD_BYTES = 4;
const DOUBLE_BYTES = 8;

/** Consistent numbers are there at once unless the media thread is just writing. */
const MAX_SNAPSHOT_ATTEMPTS = 4;

/**
 * JavaScript's side of one port's send ring: writes frames and drops them, and tells its owner what the media thread
 * has sent. `native/media-layout.h` has the ring's drawing and its rules.
 */
export class NativeFrameSender implements FrameSender {
  readonly capacityFrames: number = CAPACITY_FRAMES;
  readonly portId: number;
  readonly #native: NativeMediaTransport;
  readonly #options: FrameSenderOptions;
  readonly #chunk: ChunkViews;
  /** Where the port's memory starts in the chunk. */
  readonly #offsetBytes: number;
  /** Position behind the newest frame. Positions are 32 bits and wrap. */
  #head = 0;
  /** Position of the first frame whose fate was not told yet. */
  #settled = 0;
  readonly #tags = new Uint32Array(FRAME_SLOTS);
  /** 1 for frames that a flush took away. */
  readonly #dropped = new Uint8Array(FRAME_SLOTS);
  /** Whether deadlines have passed since the four numbers about the packet sent last were read. */
  #isStale = false;
  #packetsSent = 0;
  #octetsSent = 0;
  #lastTimestamp = 0;
  #lastSentMs: number = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(
    native: NativeMediaTransport,
    portId: number,
    chunk: ChunkViews,
    offsetBytes: number,
    options: FrameSenderOptions,
  ) {
    checkPacketization(options);
    this.#native = native;
    this.portId = portId;
    this.#chunk = chunk;
    this.#offsetBytes = offsetBytes;
    this.#options = options;
    native.startSending(
      portId,
      options.ssrc >>> 0,
      options.initialSequenceNumber & 0xffff,
      options.initialTimestamp >>> 0,
      options.ptimeMs,
      options.timestampStep,
      options.silencePayload,
      options.silencePayloadType,
    );
  }

  get packetsSent(): number {
    this.#refresh();
    return this.#packetsSent;
  }

  get octetsSent(): number {
    this.#refresh();
    return this.#octetsSent;
  }

  get lastTimestamp(): number {
    this.#refresh();
    return this.#lastTimestamp;
  }

  get lastSentMs(): number {
    this.#refresh();
    return this.#lastSentMs;
  }

  get queuedFrames(): number {
    return this.#closed ? 0 : (this.#head - Atomics.load(this.#chunk.words, this.#word(PORT_MEMORY.claimed))) | 0;
  }

  write(payload: Uint8Array, payloadType: number, timestampStep: number, flags: number, tag: number): boolean {
    if (payload.length > MAX_PAYLOAD_BYTES) {
      throw new RangeError(`Expected at most ${MAX_PAYLOAD_BYTES} bytes of payload but received ${payload.length}`);
    }
    // The memory of a closed port may be another port's by now.
    if (this.#closed || this.queuedFrames >= CAPACITY_FRAMES) return false;
    // The places of sent frames are free once they were told, which usually has happened long ago.
    if (((this.#head - this.#settled) | 0) >= FRAME_SLOTS) this.#settle();
    const slot = this.#head & (FRAME_SLOTS - 1);
    const { bytes, words } = this.#chunk;
    const frame = this.#frame(slot);
    words[(frame + FRAME.header) / WORD_BYTES] = payload.length | (payloadType << 16) | (flags << 24);
    words[(frame + FRAME.timestampStep) / WORD_BYTES] = timestampStep;
    bytes.set(payload, frame + FRAME.payload);
    this.#tags[slot] = tag;
    this.#dropped[slot] = 0;
    this.#head = (this.#head + 1) | 0;
    Atomics.store(words, this.#word(PORT_MEMORY.head), this.#head);
    return true;
  }

  flush(isContinued = false): number {
    if (this.#closed) return 0;
    const { words } = this.#chunk;
    const claimedWord = this.#word(PORT_MEMORY.claimed);
    let first = Atomics.load(words, claimedWord);
    for (;;) {
      const found = Atomics.compareExchange(words, claimedWord, first, this.#head);
      if (found === first) break;
      // The media thread has taken a frame in between: that one leaves.
      first = found;
    }
    // A frame that was to carry the marker of an earlier flush leaves it to the one in its place.
    const flushedToWord = this.#word(PORT_MEMORY.flushedTo);
    const isMarkWaiting = ((Atomics.load(words, flushedToWord) - first) | 0) >= 0;
    if (!isContinued || isMarkWaiting) Atomics.store(words, flushedToWord, this.#head);
    for (let position = first; position !== this.#head; position = (position + 1) | 0) {
      this.#dropped[position & (FRAME_SLOTS - 1)] = 1;
    }
    return (this.#head - first) | 0;
  }

  setPaused(paused: boolean): void {
    if (!this.#closed) Atomics.store(this.#chunk.words, this.#word(PORT_MEMORY.paused), paused ? 1 : 0);
  }

  reconfigure(options: Packetization): void {
    checkPacketization(options);
    if (this.#closed) return;
    const { ptimeMs, timestampStep, silencePayload, silencePayloadType } = options;
    this.#native.reconfigure(this.portId, ptimeMs, timestampStep, silencePayload, silencePayloadType);
  }

  /** Tells what has left, and that a deadline has passed. */
  wake(nowMs: number): void {
    if (this.#closed) return;
    this.#isStale = true;
    if (this.#settled !== this.#head) this.#settle();
    this.#options.onTick(nowMs);
  }

  /** Tells what has left up to now; nothing after this. */
  close(): void {
    if (this.#closed) return;
    this.#takeSnapshot();
    this.#settle();
    this.#isStale = false;
    this.#closed = true;
  }

  /** Tells the fate of frames in order, up to the first that is still queued or being sent. */
  #settle(): void {
    const { words, doubles } = this.#chunk;
    const done = Atomics.load(words, this.#word(PORT_MEMORY.done));
    while (this.#settled !== this.#head) {
      const slot = this.#settled & (FRAME_SLOTS - 1);
      const isDropped = this.#dropped[slot] === 1;
      if (!isDropped && ((done - this.#settled) | 0) <= 0) return;
      this.#settled = (this.#settled + 1) | 0;
      if (isDropped) continue;
      const frame = this.#frame(slot);
      const sentAtMs = doubles[(frame + FRAME.sentAtMs) / DOUBLE_BYTES]!;
      const timestamp = words[(frame + FRAME.timestamp) / WORD_BYTES]! >>> 0;
      // Not a number: the system refused the packet, which the port counts as an error.
      if (!Number.isNaN(sentAtMs)) this.#options.onSent(this.#tags[slot]!, timestamp, sentAtMs);
    }
  }

  /** The numbers are read once a deadline and only if somebody asks: few do, and the thread's memory is far away. */
  #refresh(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    this.#takeSnapshot();
  }

  /** Reads the four numbers about the packet sent last, all of the same packet. */
  #takeSnapshot(): void {
    const { words, doubles } = this.#chunk;
    const versionWord = this.#word(PORT_MEMORY.version);
    for (let attempt = 0; attempt < MAX_SNAPSHOT_ATTEMPTS; attempt++) {
      const version = Atomics.load(words, versionWord);
      const packetsSent = Atomics.load(words, this.#word(PORT_MEMORY.packetsSent)) >>> 0;
      const lastTimestamp = Atomics.load(words, this.#word(PORT_MEMORY.lastTimestamp)) >>> 0;
      const octetsSent = doubles[(this.#offsetBytes + PORT_MEMORY.octetsSent) / DOUBLE_BYTES]!;
      const lastSentMs = doubles[(this.#offsetBytes + PORT_MEMORY.lastSentMs) / DOUBLE_BYTES]!;
      if (version % 2 !== 0 || Atomics.load(words, versionWord) !== version) continue;
      this.#packetsSent = packetsSent;
      this.#octetsSent = octetsSent;
      this.#lastTimestamp = lastTimestamp;
      this.#lastSentMs = lastSentMs;
      return;
    }
  }

  #word(fieldOffset: number): number {
    return (this.#offsetBytes + fieldOffset) / WORD_BYTES;
  }

  #frame(slot: number): number {
    return this.#offsetBytes + PORT_MEMORY.frames + slot * FRAME_BYTES;
  }
}

function checkPacketization({ ptimeMs, silencePayload }: Packetization): void {
  if (!(ptimeMs >= 1 && ptimeMs <= 1000)) throw new RangeError(`Expected a ptimeMs of 1-1000 but received ${ptimeMs}`);
  if (silencePayload.length > MAX_PAYLOAD_BYTES) {
    throw new RangeError(
      `Expected at most ${MAX_PAYLOAD_BYTES} bytes of silence but received ${silencePayload.length}`,
    );
  }
}
