import { markAsUntransferable } from 'node:worker_threads';
import type { NativeAddon } from '../core/addon.ts';
import { G711, type G711Codec, type Law } from './g711.ts';

const LAW_NUMBER: Readonly<Record<Law, number>> = { ulaw: 0, alaw: 1 };

/** Where a call into the addon costs less than coding in JavaScript: the call alone takes as long as this many samples. */
const NATIVE_FROM_SAMPLES = 320;

/** `G711` with the addon's vector code for long buffers: whole replies and utterances. Packets go through a batch. */
export function nativeG711(addon: NativeAddon): G711Codec {
  const encode = (law: Law, pcm: Int16Array, out: Uint8Array): void => {
    if (pcm.length < NATIVE_FROM_SAMPLES) G711.encode(law, pcm, out);
    else addon.g711Encode(LAW_NUMBER[law], pcm, out);
  };
  const decode = (law: Law, codes: Uint8Array, out: Int16Array): void => {
    if (codes.length < NATIVE_FROM_SAMPLES) G711.decode(law, codes, out);
    else addon.g711Decode(LAW_NUMBER[law], codes, out);
  };
  return {
    ...G711,
    encode,
    decode,
    encodeUlaw: (pcm, out) => encode('ulaw', pcm, out),
    decodeUlaw: (codes, out) => decode('ulaw', codes, out),
    encodeAlaw: (pcm, out) => encode('alaw', pcm, out),
    decodeAlaw: (codes, out) => decode('alaw', codes, out),
  };
}

/** A job is four numbers: operation, offset into the codes, offset into the samples, length. */
const JOB_NUMBERS = 4;
/** An operation is the number of a law and these. */
const ENCODE = 2;
const MEASURE = 4;

export interface G711BatchOptions {
  /** Where codes are read and written, such as the packet ring. */
  readonly codes: Uint8Array;
  /** Where samples are. */
  readonly pcm: Int16Array;
  /** Jobs that fit into one batch. */
  readonly capacityJobs: number;
  /** Without it the work is done in TypeScript. */
  readonly addon?: NativeAddon | undefined;
}

/**
 * Codes many packets with one call into the addon, between two places in memory that it knows for good. What a packet
 * costs by itself, a lookup of its memory, is more than its coding.
 */
export class G711Batch {
  readonly capacityJobs: number;
  /** Mean square of the samples of each job that asked for it, in the order of the jobs; overwritten by each `run`. */
  readonly meanSquares: Float64Array;
  readonly #jobs: Int32Array;
  readonly #execute: (jobCount: number) => void;
  #count = 0;

  /** @throws RangeError - if `capacityJobs` is not a positive integer. */
  constructor({ codes, pcm, capacityJobs, addon }: G711BatchOptions) {
    if (!Number.isInteger(capacityJobs) || capacityJobs < 1) {
      throw new RangeError(`Expected 1 or more for capacityJobs but received ${capacityJobs}`);
    }
    this.capacityJobs = capacityJobs;
    this.#jobs = new Int32Array(capacityJobs * JOB_NUMBERS);
    this.meanSquares = new Float64Array(capacityJobs);
    if (addon) {
      // The addon keeps the addresses: the memory must not move to another thread.
      for (const { buffer } of [codes, pcm, this.#jobs, this.meanSquares]) markAsUntransferable(buffer);
      this.#execute = addon.createG711Batch(codes, pcm, this.#jobs, this.meanSquares);
    } else {
      this.#execute = (jobCount) => executeJobs(codes, pcm, this.#jobs, this.meanSquares, jobCount);
    }
  }

  /** Adds a job. @throws RangeError - if the batch is full. */
  decode(law: Law, codesOffset: number, pcmOffset: number, lengthSamples: number): void {
    this.#add(LAW_NUMBER[law], codesOffset, pcmOffset, lengthSamples);
  }

  /** Adds a job that also measures what it decoded. @throws RangeError - if the batch is full. */
  decodeAndMeasure(law: Law, codesOffset: number, pcmOffset: number, lengthSamples: number): void {
    this.#add(LAW_NUMBER[law] | MEASURE, codesOffset, pcmOffset, lengthSamples);
  }

  /** Adds a job. @throws RangeError - if the batch is full. */
  encode(law: Law, codesOffset: number, pcmOffset: number, lengthSamples: number): void {
    this.#add(LAW_NUMBER[law] | ENCODE, codesOffset, pcmOffset, lengthSamples);
  }

  /**
   * Carries out the jobs in order and forgets them.
   *
   * @throws RangeError - at the first job that reaches beyond the memory; those before it were carried out.
   */
  run(): void {
    const jobCount = this.#count;
    this.#count = 0;
    this.#execute(jobCount);
  }

  #add(operation: number, codesOffset: number, pcmOffset: number, lengthSamples: number): void {
    const jobs = this.#jobs;
    const at = this.#count * JOB_NUMBERS;
    if (at >= jobs.length) throw new RangeError(`Expected at most ${this.capacityJobs} jobs in a batch`);
    jobs[at] = operation;
    jobs[at + 1] = codesOffset;
    jobs[at + 2] = pcmOffset;
    jobs[at + 3] = lengthSamples;
    this.#count += 1;
  }
}

/** The twin of `RunG711Batch` in `native/addon.cc`. */
function executeJobs(
  codes: Uint8Array,
  pcm: Int16Array,
  jobs: Int32Array,
  meanSquares: Float64Array,
  jobCount: number,
): void {
  for (let job = 0; job < jobCount; job++) {
    const at = job * JOB_NUMBERS;
    const operation = jobs[at]!;
    const codesOffset = jobs[at + 1]! >>> 0;
    const pcmOffset = jobs[at + 2]! >>> 0;
    const length = jobs[at + 3]! >>> 0;
    if (codesOffset + length > codes.length || pcmOffset + length > pcm.length) {
      throw new RangeError(`Expected job ${job} within the memory of the batch`);
    }
    const law: Law = (operation & 1) === 0 ? 'ulaw' : 'alaw';
    const jobCodes = codes.subarray(codesOffset, codesOffset + length);
    const jobPcm = pcm.subarray(pcmOffset, pcmOffset + length);
    if ((operation & ENCODE) !== 0) G711.encode(law, jobPcm, jobCodes);
    else G711.decode(law, jobCodes, jobPcm);
    if ((operation & MEASURE) !== 0) meanSquares[job] = meanSquareOf(jobPcm);
  }
}

function meanSquareOf(pcm: Int16Array): number {
  let sum = 0;
  for (let i = 0; i < pcm.length; i++) sum += pcm[i]! * pcm[i]!;
  return pcm.length === 0 ? 0 : sum / pcm.length;
}
