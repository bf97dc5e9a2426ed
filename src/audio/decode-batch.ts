import { markAsUntransferable } from 'node:worker_threads';
import type { NativeAddon, NativeDecodeBatch } from '../core/addon.ts';
import { G711, type Law } from './g711.ts';
import type { RingMemory } from './ring.ts';
import { measureSpeech, resetSpeechFilter, SPEECH_FILTER_NUMBERS, type SpeechLevels } from './speech-power.ts';

/** A job is four numbers: kind and lane, offset into the codes, place in the ring, length. */
const JOB_NUMBERS = 4;
/** Kinds; the others are the numbers of the laws. */
const MEASURE = 2;
const LANE_SHIFT = 2;
const LAW_NUMBER: Readonly<Record<Law, number>> = { ulaw: 0, alaw: 1 };

/** A stream whose packets are decoded into its ring. */
export interface BatchStream {
  /** A frame that was to be measured is ready; `levels` is valid during the call only. */
  onFrame(levels: SpeechLevels): void;
}

export interface DecodeBatchOptions {
  /** Where the codes are, such as the ring of received packets. */
  readonly codes: Uint8Array;
  /** Streams at a time. */
  readonly capacityStreams: number;
  /** Jobs that may wait; one more carries all of them out. */
  readonly capacityJobs: number;
  /** Without it the work is done in TypeScript. */
  readonly addon?: NativeAddon | undefined;
}

interface Lane {
  readonly stream: BatchStream;
  readonly memory: RingMemory;
}

/**
 * Decodes the G.711 packets of many calls straight into their rings, and measures the frames there, with one call into
 * the addon for all that has gathered.
 *
 * ```
 *  packets ─► decode(), measure() … ─► run() ─► every decoding ─► every measurement ─► onFrame() of each, in order
 * ```
 *
 * The owner of a ring claims the room at once, so that positions are known; what is in it is valid after `run()`. One
 * thread uses a batch, and `codes` stay as they are until then.
 */
export class DecodeBatch {
  readonly codes: Uint8Array;
  readonly #capacityJobs: number;
  readonly #jobs: Int32Array;
  readonly #filters: Float64Array;
  /** Two numbers a job. */
  readonly #results: Float64Array;
  readonly #native: NativeDecodeBatch | undefined;
  readonly #lanes: (Lane | undefined)[] = [];
  readonly #freeLanes: number[];
  readonly #levels: SpeechLevels = { power: Number.NaN, treblePower: Number.NaN };
  #count = 0;
  /** Jobs before this were carried out, and told of. */
  #executed = 0;
  #told = 0;

  /** @throws RangeError - if a capacity is not a positive integer. */
  constructor({ codes, capacityStreams, capacityJobs, addon }: DecodeBatchOptions) {
    for (const [name, capacity] of Object.entries({ capacityStreams, capacityJobs })) {
      if (!Number.isInteger(capacity) || capacity < 1) {
        throw new RangeError(`Expected 1 or more for ${name} but received ${capacity}`);
      }
    }
    this.codes = codes;
    this.#capacityJobs = capacityJobs;
    this.#jobs = new Int32Array(capacityJobs * JOB_NUMBERS);
    this.#filters = new Float64Array(capacityStreams * SPEECH_FILTER_NUMBERS);
    this.#results = new Float64Array(capacityJobs * 2);
    this.#freeLanes = Array.from({ length: capacityStreams }, (_, index) => capacityStreams - 1 - index);
    if (!addon) return;
    // The addon keeps the addresses: the memory must not move to another thread.
    for (const { buffer } of [codes, this.#jobs, this.#filters, this.#results]) markAsUntransferable(buffer);
    this.#native = new addon.DecodeBatch(codes, this.#jobs, this.#filters, this.#results);
  }

  /**
   * Takes a stream whose audio goes into `memory`. @returns its lane, a small number that names it from now on.
   *
   * @throws RangeError - if there are as many streams as there may be.
   */
  attach(stream: BatchStream, memory: RingMemory, sampleRate: number): number {
    const lane = this.#freeLanes.pop();
    if (lane === undefined) throw new RangeError('Expected fewer streams in a batch');
    this.#lanes[lane] = { stream, memory };
    resetSpeechFilter(this.#filters, lane, sampleRate);
    if (this.#native) {
      markAsUntransferable(memory.samples.buffer);
      this.#native.attach(lane, memory.samples, memory.capacitySamples);
    }
    return lane;
  }

  /** Carries out what waits, and lets the stream of `lane` go. */
  detach(lane: number): void {
    this.run();
    this.#native?.detach(lane);
    this.#lanes[lane] = undefined;
    this.#freeLanes.push(lane);
  }

  /** Carries out what waits unless so many more jobs fit: to be called before room is claimed in a ring for them. */
  makeRoom(jobs: number): void {
    if (this.#count + jobs > this.#capacityJobs) this.run();
  }

  /** Adds a job: `lengthSamples` codes at `codesOffset` become samples from index `start` of the ring's memory on. */
  decode(lane: number, law: Law, codesOffset: number, start: number, lengthSamples: number): void {
    this.#add(LAW_NUMBER[law] | (lane << LANE_SHIFT), codesOffset, start, lengthSamples);
  }

  /** Adds a job: `onFrame` of the stream is told the levels of its next frame, which starts at index `start`. */
  measure(lane: number, start: number, lengthSamples: number): void {
    this.#add(MEASURE | (lane << LANE_SHIFT), 0, start, lengthSamples);
  }

  /**
   * Carries out what waits and tells of it. What `onFrame` throws ends the telling; the rest follows at the next run.
   *
   * @throws RangeError - at a job that reaches beyond its memory.
   */
  run(): void {
    if (this.#executed < this.#count) {
      const from = this.#executed;
      this.#executed = this.#count;
      if (this.#native) this.#native.run(from, this.#count);
      else this.#execute(from, this.#count);
    }
    while (this.#told < this.#executed) {
      const job = this.#told++;
      const kindAndLane = this.#jobs[job * JOB_NUMBERS]!;
      if ((kindAndLane & MEASURE) === 0) continue;
      this.#levels.power = this.#results[2 * job]!;
      this.#levels.treblePower = this.#results[2 * job + 1]!;
      this.#lanes[kindAndLane >> LANE_SHIFT]?.stream.onFrame(this.#levels);
    }
    // A stream may have added jobs when it was told: these wait for the next run.
    if (this.#executed < this.#count) return;
    this.#count = 0;
    this.#executed = 0;
    this.#told = 0;
  }

  #add(kindAndLane: number, codesOffset: number, start: number, lengthSamples: number): void {
    if (this.#count === this.#capacityJobs) this.run();
    const jobs = this.#jobs;
    const at = this.#count * JOB_NUMBERS;
    jobs[at] = kindAndLane;
    jobs[at + 1] = codesOffset;
    jobs[at + 2] = start;
    jobs[at + 3] = lengthSamples;
    this.#count += 1;
  }

  /** What is measured has no codes. */
  #isWithin({ samples, capacitySamples }: RingMemory, codesEnd: number, start: number, length: number): boolean {
    const isInRing = start < capacitySamples && length <= capacitySamples && start + length <= samples.length;
    return isInRing && codesEnd <= this.codes.length;
  }

  /** The twin of `RunDecodeBatch` in `native/addon-batch.cc`. */
  #execute(from: number, to: number): void {
    for (const isMeasuring of [false, true]) {
      for (let job = from; job < to; job++) {
        const at = job * JOB_NUMBERS;
        const kind = this.#jobs[at]! & ((1 << LANE_SHIFT) - 1);
        if ((kind === MEASURE) !== isMeasuring) continue;
        const lane = this.#jobs[at]! >> LANE_SHIFT;
        const memory = this.#lanes[lane]?.memory;
        const codesOffset = this.#jobs[at + 1]! >>> 0;
        const start = this.#jobs[at + 2]! >>> 0;
        const length = this.#jobs[at + 3]! >>> 0;
        if (!memory || !this.#isWithin(memory, isMeasuring ? 0 : codesOffset + length, start, length)) {
          throw new RangeError(`Expected job ${job} within the memory of the batch`);
        }
        if (isMeasuring) {
          measureSpeech(memory.samples, start, length, this.#filters, lane, this.#levels);
          this.#results[2 * job] = this.#levels.power;
          this.#results[2 * job + 1] = this.#levels.treblePower;
        } else {
          const law: Law = kind === LAW_NUMBER.ulaw ? 'ulaw' : 'alaw';
          G711.decodeAt(law, this.codes, codesOffset, length, memory.samples, start);
          memory.mirror(start, length);
        }
      }
    }
  }
}
