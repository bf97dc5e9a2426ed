import { Concealer } from '../audio/concealer.ts';
import { type BatchStream, DecodeBatch } from '../audio/decode-batch.ts';
import { G711, type Law } from '../audio/g711.ts';
import { Ring } from '../audio/ring.ts';
import type { SpeechLevels } from '../audio/speech-power.ts';
import type { AudioPacket } from '../rtp/packet.ts';
import { FRAME_MS } from '../speech/segmenter.ts';

/** Silence for a gap is written in pieces of this length, so that its reader can make room in between. */
const GAP_PIECE_MS = 500;
/** A gap up to this length is a loss and is concealed; a longer one is silence. */
const MAX_CONCEALED_MS = 60;
/** What the concealer needs to know of the voice before a gap. */
const CONCEALER_HISTORY_MS = 60;
/** How fast the mapping from samples to time follows a sender whose clock is slow, in ms per ms. */
const CREEP = 0.001;
/** Longest stretch that is looked at in one piece; it is kept twice. */
const WINDOW_MS = 500;
/** Of a batch for one stream: the frames of a second, more than it is given between two runs. */
const OWN_JOBS = 50;

export interface CaptureOptions {
  readonly sampleRate: 8000 | 16000;
  /** Longest stretch that the reader may keep back. */
  readonly capacityMs: number;
  /** Monotonic time at which sample 0 is placed. */
  readonly startMs: number;
  /**
   * One more frame of 20 ms is complete: it ends at `frameEndSample` and has `levels`. The reader takes what it wants
   * and releases the rest before it returns.
   */
  readonly onAudio: () => void;
  /** Decodes and measures what comes together with what comes for other calls. Default: at once, by itself. */
  readonly batch?: DecodeBatch;
}

/**
 * The caller's audio as one unbroken line of samples that starts at the answer: the capture clock. RTP timestamps
 * place it, so jitter leaves no trace. A short loss is concealed; what was not sent is silence of the right length.
 */
export class Capture implements BatchStream {
  readonly sampleRate: 8000 | 16000;
  readonly ring: Ring;
  readonly #batch: DecodeBatch;
  /** Whether the batch is carried out by somebody else, who knows when all that has arrived is in it. */
  readonly #isShared: boolean;
  /** Of the batch; -1 after `close()`. */
  #lane: number;
  readonly #frameSamples: number;
  /** Frames before this were given to the batch, and before the next were told of. */
  #measuredSample = 0;
  #frameEndSample = 0;
  #levels: Readonly<SpeechLevels> = { power: 0, treblePower: 0 };
  /** The samples of a packet that is not decoded where it lies. */
  #pcm = new Int16Array(0);
  readonly #startMs: number;
  readonly #onAudio: () => void;
  /** Position of timestamp 0; undefined until the first packet placed it by its arrival. */
  #base: number | undefined;
  /** Least `arrival − position` seen, in ms: when sample 0 can have been heard at the earliest. */
  #offsetMs = Number.POSITIVE_INFINITY;
  /** A number from the start: a field that was once undefined takes a new object for every fraction. */
  #lastArrivalMs = Number.NaN;
  /** Made at the first loss: most calls have none. */
  #concealer: Concealer | undefined;
  #concealedSamples = 0;

  constructor(options: CaptureOptions) {
    this.sampleRate = options.sampleRate;
    this.#startMs = options.startMs;
    this.#lastArrivalMs = options.startMs;
    this.#onAudio = options.onAudio;
    this.ring = new Ring({
      capacitySamples: this.#toSamples(options.capacityMs),
      windowSamples: this.#toSamples(Math.min(WINDOW_MS, options.capacityMs)),
    });
    this.#frameSamples = this.#toSamples(FRAME_MS);
    this.#isShared = options.batch !== undefined;
    this.#batch =
      options.batch ?? new DecodeBatch({ codes: new Uint8Array(0), capacityStreams: 1, capacityJobs: OWN_JOBS });
    this.#lane = this.#batch.attach(this, this.ring, this.sampleRate);
  }

  /** End of the newest frame that was told of. Frames are 20 ms and start at sample 0. */
  get frameEndSample(): number {
    return this.#frameEndSample;
  }

  /** Of that frame. */
  get levels(): Readonly<SpeechLevels> {
    return this.#levels;
  }

  /** Monotonic time of the newest packet; the start before there was one. */
  get lastArrivalMs(): number {
    return this.#lastArrivalMs;
  }

  /** Samples that were lost and made up. */
  get concealedSamples(): number {
    return this.#concealedSamples;
  }

  /** Samples that were lost because the reader had not made room. */
  get overrunSamples(): number {
    return this.ring.overrunSamples;
  }

  /**
   * Appends `pcm`, whose first sample has `timestamp` on the session's unbroken axis, in units of `sampleRate`. A gap
   * before it is filled; what lies before the head was taken already and is dropped. After a loss the beginning of
   * `pcm` is changed in place, to lead over from what was made up.
   */
  write(pcm: Int16Array, timestamp: number, arrivalMs: number): void {
    if (this.#lane < 0) return;
    this.#base ??= this.#baseFor(timestamp, arrivalMs, pcm.length);
    this.#lastArrivalMs = arrivalMs;
    const position = timestamp + this.#base;
    const gapSamples = position - this.ring.headSample;
    if (gapSamples > 0 && gapSamples <= this.#toSamples(MAX_CONCEALED_MS)) this.#conceal(gapSamples, pcm);
    else this.#fill(position);
    const overlap = this.ring.headSample - position;
    if (overlap >= pcm.length) return;
    this.ring.write(overlap > 0 ? pcm.subarray(overlap) : pcm);
    this.#noteArrival();
    this.#measure();
    if (!this.#isShared) this.#batch.run();
  }

  /** As `write`, for a packet of G.711. One that continues the line is decoded where it lies, with the batch. */
  writeG711(packet: Readonly<AudioPacket>, law: Law): void {
    if (this.#lane < 0) return;
    const { ring } = this;
    const { bytes, offset, length } = packet;
    this.#base ??= this.#baseFor(packet.timestamp, packet.arrivalMs, length);
    const head = ring.headSample;
    if (packet.timestamp + this.#base !== head || bytes !== this.#batch.codes || length > ring.windowSamples) {
      if (this.#pcm.length !== length) this.#pcm = new Int16Array(length);
      G711.decodeAt(law, bytes, offset, length, this.#pcm);
      this.write(this.#pcm, packet.timestamp, packet.arrivalMs);
      return;
    }
    this.#lastArrivalMs = packet.arrivalMs;
    // Nobody may be told of frames between the claim and the decoding.
    this.#batch.makeRoom(2 + length / this.#frameSamples);
    this.#batch.decode(this.#lane, law, offset, head % ring.capacitySamples, ring.claim(length));
    this.#noteArrival();
    this.#measure();
  }

  /** The batch has measured the next frame. */
  onFrame(levels: Readonly<SpeechLevels>): void {
    this.#frameEndSample += this.#frameSamples;
    this.#levels = levels;
    this.#onAudio();
  }

  /** Tells of every frame that is complete, and takes nothing more. The ring can still be read. Idempotent. */
  close(): void {
    if (this.#lane < 0) return;
    const lane = this.#lane;
    this.#lane = -1;
    this.#batch.detach(lane);
  }

  /** Milliseconds since the answer of a sample. */
  toMs(sample: number): number {
    return Math.round((sample * 10_000) / this.sampleRate) / 10;
  }

  /** Monotonic time at which `sample` reached the gateway, freed of jitter. */
  arrivalMsOf(sample: number): number {
    const offsetMs = Number.isFinite(this.#offsetMs) ? this.#offsetMs : this.#startMs;
    return offsetMs + (sample * 1000) / this.sampleRate;
  }

  /** Position on the capture clock of what reaches the gateway at `nowMs`, on the monotonic clock. */
  sampleAt(nowMs: number): number {
    return Math.round(((nowMs - this.arrivalMsOf(0)) * this.sampleRate) / 1000);
  }

  /** The first packet ends when it arrives. */
  #baseFor(timestamp: number, arrivalMs: number, lengthSamples: number): number {
    return Math.max(0, this.#toSamples(arrivalMs - this.#startMs) - lengthSamples) - timestamp;
  }

  /** The newest sample came with the newest packet. */
  #noteArrival(): void {
    const offsetMs = this.#lastArrivalMs - (this.ring.headSample * 1000) / this.sampleRate;
    this.#offsetMs = Math.min(offsetMs, this.#offsetMs + Math.max(0, offsetMs - this.#offsetMs) * CREEP);
  }

  /** Gives every frame that is complete to the batch. */
  #measure(): void {
    const { headSample, capacitySamples } = this.ring;
    while (this.#measuredSample + this.#frameSamples <= headSample) {
      this.#batch.measure(this.#lane, this.#measuredSample % capacitySamples, this.#frameSamples);
      this.#measuredSample += this.#frameSamples;
    }
  }

  #conceal(gapSamples: number, next: Int16Array): void {
    // What was heard last may not be decoded yet.
    this.#batch.run();
    this.#concealer ??= new Concealer({ sampleRate: this.sampleRate });
    const { headSample, tailSample } = this.ring;
    const history = new Int16Array(Math.min(headSample - tailSample, this.#toSamples(CONCEALER_HISTORY_MS)));
    this.ring.read(headSample - history.length, history);
    const gap = new Int16Array(gapSamples);
    this.#concealer.good(history);
    this.#concealer.conceal(gap);
    this.#concealer.good(next);
    this.ring.write(gap);
    this.#concealedSamples += gapSamples;
  }

  #fill(position: number): void {
    const piece = this.#toSamples(GAP_PIECE_MS);
    while (position > this.ring.headSample) {
      const written = this.ring.writeSilence(Math.min(piece, position - this.ring.headSample));
      this.#measure();
      this.#batch.run();
      if (written === 0) return;
    }
  }

  #toSamples(ms: number): number {
    return Math.round((ms * this.sampleRate) / 1000);
  }
}
