import type { NativeAddon } from '../core/addon.ts';

/** What another thread needs to attach; it may be posted to a worker. */
export interface NativeRingHandle {
  readonly ringId: number;
  readonly capacitySamples: number;
}

const BYTES_PER_SAMPLE = Int16Array.BYTES_PER_ELEMENT;
const MAX_CAPACITY_SAMPLES = 2 ** 29;

/** Counters lie as in `Ring`: a cache line each, two words a counter. */
const CACHE_LINE_BYTES = 64;
const HEAD = 0;
const TAIL = CACHE_LINE_BYTES / Int32Array.BYTES_PER_ELEMENT;
const OVERRUN = 2 * TAIL;
const COUNTERS_BYTES = 3 * CACHE_LINE_BYTES;

/** A counter is two words: its low 32 bits, and how many times it went past this. */
const EPOCH_SAMPLES = 2 ** 30;

/**
 * `Ring` over memory that is mapped twice back to back: a window that wraps is contiguous without a second copy. The
 * interface and its rules are those of the twin, which has the comments; a page more than the capacity is used at most.
 *
 * Every thread attaches with the handle, as long as one of them holds the ring. The memory is given back when the last
 * one was collected as garbage.
 */
export class NativeRing {
  readonly capacitySamples: number;
  readonly #ringId: number;
  /** Samples that the ring has room for; positions wrap here. The capacity is the limit. */
  readonly #mappedSamples: number;
  readonly #counters: Int32Array;
  readonly #samples: Int16Array;
  /**
   * The other side's counter as it was seen last. Its cache line is fetched from the other processor only when this
   * does not suffice, which is what a ring between threads costs most.
   */
  #seenTail = 0;
  #seenHead = 0;

  private constructor(addon: NativeAddon, buffer: ArrayBuffer, ringId: number, capacitySamples: number) {
    this.capacitySamples = capacitySamples;
    this.#ringId = ringId;
    this.#counters = new Int32Array(buffer, 0, COUNTERS_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.#samples = new Int16Array(buffer, addon.pageBytes);
    this.#mappedSamples = this.#samples.length / 2;
  }

  /**
   * @throws RangeError - if the capacity is not an integer of 1 … 2^29; Error - when memory or mappings are exhausted:
   * 8,192 rings may be alive in a process, garbage that was not collected yet included.
   */
  static create(addon: NativeAddon, { capacitySamples }: { readonly capacitySamples: number }): NativeRing {
    if (!Number.isInteger(capacitySamples) || capacitySamples < 1 || capacitySamples > MAX_CAPACITY_SAMPLES) {
      throw new RangeError(`Expected 1-${MAX_CAPACITY_SAMPLES} for capacitySamples but received ${capacitySamples}`);
    }
    const { id, buffer } = addon.createRing(COUNTERS_BYTES, capacitySamples * BYTES_PER_SAMPLE);
    return new NativeRing(addon, buffer, id, capacitySamples);
  }

  /** The same ring in another thread. @throws RangeError - if nobody holds it any more, or it is not as in the handle. */
  static attach(addon: NativeAddon, { ringId, capacitySamples }: NativeRingHandle): NativeRing {
    const ring = new NativeRing(addon, addon.attachRing(ringId), ringId, capacitySamples);
    if (!Number.isInteger(capacitySamples) || capacitySamples < 1 || capacitySamples > ring.#mappedSamples) {
      throw new RangeError(`Expected the capacity of ring ${ringId} but received ${capacitySamples}`);
    }
    return ring;
  }

  get handle(): NativeRingHandle {
    return { ringId: this.#ringId, capacitySamples: this.capacitySamples };
  }

  get headSample(): number {
    return this.#load(HEAD);
  }

  get tailSample(): number {
    return this.#load(TAIL);
  }

  get overrunSamples(): number {
    return this.#load(OVERRUN);
  }

  write(pcm: Int16Array): number {
    const head = this.#load(HEAD);
    const taken = this.#admit(head, pcm.length);
    this.#samples.set(taken === pcm.length ? pcm : pcm.subarray(0, taken), head % this.#mappedSamples);
    this.#store(HEAD, head + taken);
    return taken;
  }

  writeSilence(lengthSamples: number): number {
    if (!Number.isSafeInteger(lengthSamples) || lengthSamples < 0) {
      throw new RangeError(`Expected an integer of 0 or more for lengthSamples but received ${lengthSamples}`);
    }
    const head = this.#load(HEAD);
    const taken = this.#admit(head, lengthSamples);
    const start = head % this.#mappedSamples;
    this.#samples.fill(0, start, start + taken);
    this.#store(HEAD, head + taken);
    return taken;
  }

  view(startSample: number, endSample: number): Int16Array {
    const tail = this.#load(TAIL);
    const head = this.#headAtLeast(endSample);
    checkWindow(startSample, endSample, tail, head);
    const start = startSample % this.#mappedSamples;
    return this.#samples.subarray(start, start + (endSample - startSample));
  }

  read(startSample: number, out: Int16Array): void {
    const tail = this.#load(TAIL);
    const head = this.#headAtLeast(startSample + out.length);
    checkWindow(startSample, startSample + out.length, tail, head);
    const samples = this.#samples;
    const start = startSample % this.#mappedSamples;
    for (let i = 0; i < out.length; i++) out[i] = samples[start + i]!;
  }

  release(upToSample: number): void {
    const tail = this.#load(TAIL);
    const head = this.#headAtLeast(upToSample);
    if (!isWithin(upToSample, tail, head)) {
      throw new RangeError(`Expected a position of ${tail}-${head} for upToSample but received ${upToSample}`);
    }
    this.#store(TAIL, upToSample);
  }

  #admit(head: number, wanted: number): number {
    if (wanted <= this.capacitySamples - (head - this.#seenTail)) return wanted;
    this.#seenTail = this.#load(TAIL);
    const free = this.capacitySamples - (head - this.#seenTail);
    if (wanted <= free) return wanted;
    this.#store(OVERRUN, this.#load(OVERRUN) + wanted - free);
    return free;
  }

  #headAtLeast(position: number): number {
    if (position > this.#seenHead) this.#seenHead = this.#load(HEAD);
    return this.#seenHead;
  }

  /** In the first 2^30 samples, more than any call has, everything is a small integer and an epoch is not looked at. */
  #load(counter: number): number {
    const epoch = Atomics.load(this.#counters, counter + 1);
    const low = Atomics.load(this.#counters, counter);
    if (epoch === 0 && low >= 0) return low;
    const epochStart = epoch * EPOCH_SAMPLES;
    return epochStart + ((low - epochStart) >>> 0);
  }

  #store(counter: number, value: number): void {
    Atomics.store(this.#counters, counter, value | 0);
    if (value < EPOCH_SAMPLES) return;
    const epoch = Math.floor(value / EPOCH_SAMPLES);
    if (this.#counters[counter + 1] !== epoch) Atomics.store(this.#counters, counter + 1, epoch);
  }
}

function checkWindow(startSample: number, endSample: number, tail: number, head: number): void {
  if (!isWithin(startSample, tail, head) || !isWithin(endSample, startSample, head)) {
    throw new RangeError(`Expected a window within [${tail}, ${head}) but received [${startSample}, ${endSample})`);
  }
}

function isWithin(position: number, low: number, high: number): boolean {
  return Number.isSafeInteger(position) && position >= low && position <= high;
}
