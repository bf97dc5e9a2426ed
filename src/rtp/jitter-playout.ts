import type { JitterBufferCounts } from './jitter-statistics.ts';

/** Frames that one pass over the memory takes: what is kept is moved to the front once in so many pulls. */
const RUN_FRAMES = 40;
/** Stretches of samples with one origin that may wait; a power of two. A packet, a gap, a packet … */
const MAX_SEGMENTS = 64;

const FROM_PACKET = 0;
const CONCEALED = 1;
const COMFORT_NOISE = 2;

/**
 * The samples around the playout point: some that were played, which concealment and stretching look back at, and some
 * that come next. Remembers of each when its packet arrived.
 *
 * ```
 *  pcm  ....[ history | position ─► end )........
 *             played      next
 * ```
 *
 * `position` only ever moves by whole frames, so that a frame is a view that was made in advance.
 */
export class JitterPlayout {
  readonly pcm: Int16Array;
  readonly frameSamples: number;
  readonly #historySamples: number;
  readonly #maxAheadSamples: number;
  readonly #frames: Int16Array[] = [];
  #position: number;
  #end: number;
  /** Ring of segments: where each ends in `pcm`, where it came from and, of a packet, when. */
  readonly #segmentEnd = new Int32Array(MAX_SEGMENTS);
  readonly #segmentOrigin = new Uint8Array(MAX_SEGMENTS);
  readonly #segmentArrivalMs = new Float64Array(MAX_SEGMENTS);
  #firstSegment = 0;
  #segments = 0;

  /** `maxAheadSamples` is the most that will ever wait beyond `position`. */
  constructor(frameSamples: number, historySamples: number, maxAheadSamples: number) {
    this.frameSamples = frameSamples;
    this.#historySamples = Math.ceil(historySamples / frameSamples) * frameSamples;
    this.#maxAheadSamples = maxAheadSamples;
    const frames = Math.ceil((this.#historySamples + maxAheadSamples) / frameSamples) + RUN_FRAMES;
    this.pcm = new Int16Array(frames * frameSamples);
    for (let i = 0; i < frames; i++) this.#frames.push(this.pcm.subarray(i * frameSamples, (i + 1) * frameSamples));
    this.#position = this.#historySamples;
    this.#end = this.#position;
  }

  /** Index in `pcm` of the sample that is played next. */
  get position(): number {
    return this.#position;
  }

  /** Index in `pcm` after the last sample that is known. */
  get end(): number {
    return this.#end;
  }

  get aheadSamples(): number {
    return this.#end - this.#position;
  }

  /** Adds the samples of a packet from index `from` on. */
  append(samples: Int16Array, from: number, arrivalMs: number): void {
    this.pcm.set(from === 0 ? samples : samples.subarray(from), this.#end);
    this.#extend(samples.length - from, FROM_PACKET, arrivalMs);
  }

  /** Declares `count` samples that the caller has written at `end` to be made up. */
  extendConcealed(count: number): void {
    this.#extend(count, CONCEALED, 0);
  }

  extendComfortNoise(count: number): void {
    this.#extend(count, COMFORT_NOISE, 0);
  }

  /** Follows a change of length that was made at `position`: `delta` samples came in, or went if negative. */
  shift(delta: number): void {
    this.#end += delta;
    for (let i = 0; i < this.#segments; i++) {
      const segment = (this.#firstSegment + i) & (MAX_SEGMENTS - 1);
      this.#segmentEnd[segment] = Math.max(this.#position, this.#segmentEnd[segment]! + delta);
    }
  }

  /** The next frame, of which all samples must be there. Counts what they are. Valid until the next call. */
  pull(nowMs: number, counts: JitterBufferCounts): Int16Array {
    const frameEnd = this.#position + this.frameSamples;
    for (let from = this.#position; from < frameEnd; ) {
      const segment = this.#firstSegment;
      const segmentEnd = this.#segmentEnd[segment]!;
      const to = Math.min(frameEnd, segmentEnd);
      const origin = this.#segmentOrigin[segment]!;
      if (origin === FROM_PACKET) {
        counts.playedSamples += to - from;
        counts.delaySum += (to - from) * (nowMs - this.#segmentArrivalMs[segment]!);
      } else if (origin === CONCEALED) {
        counts.concealed += to - from;
      } else {
        counts.comfortNoise += to - from;
      }
      if (to === segmentEnd) {
        this.#firstSegment = (segment + 1) & (MAX_SEGMENTS - 1);
        this.#segments -= 1;
      }
      from = to;
    }
    return this.#advance();
  }

  /** A frame of zeros, for when nothing is there to be played and nothing is missing. Drops what waits. */
  pullSilence(): Int16Array {
    this.#segments = 0;
    this.#end = this.#position + this.frameSamples;
    this.pcm.fill(0, this.#position, this.#end);
    return this.#advance();
  }

  #extend(count: number, origin: number, arrivalMs: number): void {
    this.#end += count;
    // More segments than any real stream has are counted as one with the last.
    if (this.#segments === MAX_SEGMENTS) this.#segments -= 1;
    const segment = (this.#firstSegment + this.#segments) & (MAX_SEGMENTS - 1);
    this.#segmentEnd[segment] = this.#end;
    this.#segmentOrigin[segment] = origin;
    this.#segmentArrivalMs[segment] = arrivalMs;
    this.#segments += 1;
  }

  #advance(): Int16Array {
    const frame = this.#frames[this.#position / this.frameSamples]!;
    this.#position += this.frameSamples;
    return frame;
  }

  /** Makes room for as much as may ever wait. To be called before anything is added, since it moves samples. */
  makeRoom(): void {
    if (this.#position + this.#maxAheadSamples <= this.pcm.length) return;
    const by = this.#position - this.#historySamples;
    this.pcm.copyWithin(0, by, this.#end);
    this.#position -= by;
    this.#end -= by;
    for (let i = 0; i < this.#segments; i++) this.#segmentEnd[(this.#firstSegment + i) & (MAX_SEGMENTS - 1)]! -= by;
  }
}
