import { Extrapolator } from '../audio/extrapolator.ts';
import { TimeStretcher } from '../audio/time-stretch.ts';
import { decodePayload, PAYLOAD_TYPE_CN, samplesInPayload } from './jitter-decoder.ts';
import { DelayEstimator } from './jitter-delay-estimator.ts';
import { JitterGapFiller } from './jitter-gap-filler.ts';
import { JitterPacketStore } from './jitter-packet-store.ts';
import { JitterPlayout } from './jitter-playout.ts';
import { createCounts } from './jitter-statistics.ts';
import type { JitterBufferStatistics } from './jitter-statistics.ts';
import { JitterTimeline } from './jitter-timeline.ts';

const FRAME_MS = 10;
/** A receiver should take packets of up to 200 ms (RFC 3551 section 4.2); less than 1 ms is no audio packet. */
const MIN_PACKET_MS = 1;
const MAX_PACKET_MS = 200;
const DEFAULT_MIN_DELAY_MS = 10;
const DEFAULT_MAX_DELAY_MS = 1000;
const LONGEST_MAX_DELAY_MS = 2000;
/** How long the first packet waits: two of the usual packets, before anything is known of the network. */
const INITIAL_DELAY_MS = 40;
/** Share of `maxDelayMs` that the target may take; the rest is for bursts on top of it. */
const MAX_TARGET_SHARE = 0.75;

/** The delay is left alone within a tenth of the target, but no less than 2 and no more than 10 ms. */
const TOLERANCE_SHARE = 0.1;
const MIN_TOLERANCE_MS = 2;
const MAX_TOLERANCE_MS = 10;
/** Between two changes of the length, and from an attempt that found no seam to the next. */
const STRETCH_INTERVAL_MS = 50;
const STRETCH_RETRY_MS = 20;
/** No shortening so soon after running dry: more late packets may follow. */
const UNDERFLOW_REST_MS = 200;
const MIN_CORRELATION = 0.85;
/** Where something worse is at stake than a rough seam: running dry, or a delay that is far too long. */
const MIN_CORRELATION_URGENT = 0.3;
const FAR_TOO_LONG_MS = 60;
/** Running dry is put off when it is at least this likely. */
const MIN_DRY_PROBABILITY = 0.35;
/** For how long: one period while later packets are there already, else this much. */
const MAX_PUT_OFF_MS = 15;
const LOSS_MEMORY_PACKETS = 512;
/** A network that has not lost a packet yet may still lose this one. */
const MIN_LOSS_RATE = 0.0005;

export interface JitterBufferOptions {
  /** RTP ticks and samples a second, 8000-48000 and a multiple of 1000. */
  readonly clockRate: number;
  /** The target delay is at least this; default 10. */
  readonly minDelayMs?: number;
  /** Audio that waits longer is dropped; default 1000. The target delay is at most three quarters of it. */
  readonly maxDelayMs?: number;
}

export interface JitterBufferPacket {
  readonly sequenceNumber: number;
  readonly timestamp: number;
  readonly payloadType: number;
  /** Read during `insert()` only. */
  readonly payload: Uint8Array;
}

/**
 * Turns packets that come when they like into one frame of 10 ms whenever one is wanted.
 *
 * ```
 *  insert ─► JitterPacketStore ─► JitterPlayout ─► pull
 *     │       order, decoded       history + next    │
 *     ▼                              ▲    ▲          │ too early or too late for the target:
 *  DelayEstimator ─► target delay ───┼────┼──────────┘ TimeStretcher takes a pitch period out or puts one in
 *                                    │
 *                     Extrapolator: what is missing when it is due
 * ```
 *
 * The delay is kept where `DelayEstimator` wants it, by whole pitch periods. A late packet is played nevertheless,
 * which makes the delay longer, unless its successors are there: then it is given up when its time has passed. Running
 * dry is seen coming: what is left is stretched while it is likely that the next packet is late.
 *
 * Pure: no timers, `nowMs` is any monotonic clock and must be the same for both methods. PCMU, PCMA and CN have their
 * static payload types 0, 8 and 13; anything else is taken for mono L16 of `clockRate` (types 10 and 11 and every
 * dynamic one). Events and other formats are not for this buffer. Nothing is allocated per packet or frame.
 *
 * @see RFC 3550 section 6.4.1 and appendix A.1, RFC 3551 section 4.2, RFC 3389
 */
export class JitterBuffer {
  readonly #samplesPerMs: number;
  readonly #frameSamples: number;
  readonly #maxDelayMs: number;
  readonly #timeline: JitterTimeline;
  readonly #store = new JitterPacketStore();
  readonly #playout: JitterPlayout;
  readonly #delays: DelayEstimator;
  readonly #filler: JitterGapFiller;
  readonly #stretcher: TimeStretcher;
  readonly #counts = createCounts();

  /** What is to be played next; numbers and timestamps are extended. */
  #nextSequence = 0;
  /** Timestamp of the sample after `#playout.end`, not counting samples that were made up. */
  #nextTimestamp = 0;
  #state: 'empty' | 'filling' | 'playing' = 'empty';
  #startAtMs = 0;

  /** Whether the gap that is being filled has been counted as running dry. */
  #isDry = false;
  /** Samples put in since the last packet was taken, to wait for the next one. */
  #putOffSamples = 0;
  #nextStretchMs = Number.NEGATIVE_INFINITY;
  #lastDryMs = Number.NEGATIVE_INFINITY;
  #lossRate = 0;

  /** @throws RangeError - if the clock rate or the range of delays can not be used. */
  constructor(options: JitterBufferOptions) {
    const { clockRate, minDelayMs = DEFAULT_MIN_DELAY_MS, maxDelayMs = DEFAULT_MAX_DELAY_MS } = options;
    if (!(clockRate >= 8000 && clockRate <= 48_000 && clockRate % 1000 === 0)) {
      throw new RangeError(`Expected a clockRate of 8000-48000 Hz in whole kHz but received ${clockRate}`);
    }
    if (!(minDelayMs >= 0 && maxDelayMs >= Math.max(minDelayMs, FRAME_MS) && maxDelayMs <= LONGEST_MAX_DELAY_MS)) {
      throw new RangeError(
        `Expected 0 <= minDelayMs <= maxDelayMs <= ${LONGEST_MAX_DELAY_MS} but received ${minDelayMs} and ${maxDelayMs}`,
      );
    }
    this.#samplesPerMs = clockRate / 1000;
    this.#frameSamples = this.#samplesPerMs * FRAME_MS;
    this.#maxDelayMs = maxDelayMs;
    this.#timeline = new JitterTimeline(clockRate);
    this.#delays = new DelayEstimator(
      minDelayMs,
      Math.max(minDelayMs, maxDelayMs * MAX_TARGET_SHARE),
      INITIAL_DELAY_MS,
    );
    const extrapolator = new Extrapolator(clockRate);
    this.#stretcher = new TimeStretcher(clockRate);
    const { maxLagSamples, removeLookaheadSamples } = this.#stretcher;
    this.#playout = new JitterPlayout(
      this.#frameSamples,
      Math.max(extrapolator.historySamples, maxLagSamples),
      this.#frameSamples + removeLookaheadSamples + maxLagSamples + MAX_PACKET_MS * this.#samplesPerMs,
    );
    this.#filler = new JitterGapFiller(this.#playout, extrapolator);
  }

  /** Live: always the same object, which every call changes. */
  get statistics(): JitterBufferStatistics {
    return this.#counts;
  }

  /** Starts afresh for another source (SSRC): forgets packets and delays. The statistics go on. */
  reset(): void {
    this.#store.clear();
    this.#timeline.reset();
    this.#delays.reset();
    this.#filler.reset();
    this.#isDry = false;
    this.#lossRate = 0;
    this.#state = 'empty';
  }

  /** Takes a packet that arrived at `nowMs`. One that can not be used is counted and forgotten. */
  insert(packet: JitterBufferPacket, nowMs: number): void {
    const { payloadType, payload } = packet;
    const counts = this.#counts;
    counts.packetsReceived += 1;
    const samples = samplesInPayload(payloadType, payload);
    const isUsable =
      payloadType === PAYLOAD_TYPE_CN
        ? payload.length > 0
        : samples >= MIN_PACKET_MS * this.#samplesPerMs && samples <= MAX_PACKET_MS * this.#samplesPerMs;
    if (!isUsable) {
      counts.discarded += 1;
      return;
    }
    const timeline = this.#timeline;
    const verdict = timeline.locate(packet.sequenceNumber, packet.timestamp, nowMs, this.#delays.baseDelayMs);
    if (verdict === 'suspect') {
      counts.received += samples;
      counts.discarded += 1;
      return;
    }
    const { sequence, timestamp, delayMs } = timeline;
    if (verdict === 'restarted') this.#restart(sequence, timestamp);
    if (this.#store.knows(sequence)) {
      counts.duplicates += 1;
      return;
    }
    counts.received += samples;
    if (samples > 0) this.#delays.update(delayMs, samples / this.#samplesPerMs);
    counts.targetDelayMs = this.#delays.targetDelayMs;
    if (this.#state !== 'playing') this.#prepareStart(sequence, timestamp, nowMs);
    if (sequence < this.#nextSequence) {
      counts.late += samples;
      counts.packetsLate += 1;
      this.#lossRate = Math.max(0, this.#lossRate - 1 / LOSS_MEMORY_PACKETS);
      return;
    }
    this.#makeRoomFor(sequence, timestamp);
    const pcm = this.#store.put(sequence, timestamp, nowMs, samples);
    if (payloadType === PAYLOAD_TYPE_CN) this.#filler.setComfortNoise(payload);
    else decodePayload(payloadType, payload, pcm);
  }

  /**
   * The next 10 ms, `clockRate / 100` samples: to be called every 10 ms. Before the first packet has waited long
   * enough these are zeros, which no statistic counts.
   *
   * @returns a view of the buffer's own memory: to be read, not written, and only until the next call.
   */
  pull(nowMs: number): Int16Array {
    const playout = this.#playout;
    playout.makeRoom();
    if (this.#state !== 'playing') {
      if (this.#state === 'empty' || nowMs < this.#startAtMs) return playout.pullSilence();
      this.#state = 'playing';
    }
    while (playout.aheadSamples < this.#frameSamples && this.#takeNext(nowMs));
    if (playout.aheadSamples < this.#frameSamples) this.#fillGap(nowMs);
    else if (this.#filler.gapSamples === 0) this.#adaptDelay(nowMs);
    return playout.pull(nowMs, this.#counts);
  }

  /** Until playing starts, the first packet is whichever has the lowest number; it waits as long as the fastest would. */
  #prepareStart(sequence: number, timestamp: number, nowMs: number): void {
    if (this.#state === 'empty' || sequence < this.#nextSequence) {
      this.#state = 'filling';
      this.#nextSequence = sequence;
      this.#nextTimestamp = timestamp;
    }
    const { baseDelayMs, initialDelayMs } = this.#delays;
    const arrivedAtMs = Number.isNaN(baseDelayMs) ? nowMs : this.#nextTimestamp / this.#samplesPerMs + baseDelayMs;
    this.#startAtMs = arrivedAtMs + initialDelayMs;
  }

  /** The sender counts anew from this packet, which is played when as much has come as is wanted. */
  #restart(sequence: number, timestamp: number): void {
    this.#counts.discarded += this.#store.waiting;
    this.#store.clear();
    this.#delays.rebase();
    this.#nextSequence = sequence;
    this.#nextTimestamp = timestamp - Math.round(this.#delays.targetDelayMs * this.#samplesPerMs);
  }

  /** Drops what is too old to be played any more when the packet `sequence` comes. */
  #makeRoomFor(sequence: number, timestamp: number): void {
    const store = this.#store;
    if (sequence - this.#nextSequence >= store.capacity) {
      this.#counts.discarded += store.waiting;
      store.clear();
      this.#nextSequence = sequence;
    }
    let first = store.findFirst(this.#nextSequence, sequence - 1);
    if (first < 0 || timestamp - store.timestampOf(first) <= this.#maxDelayMs * this.#samplesPerMs) return;
    const kept = this.#delays.targetDelayMs * this.#samplesPerMs;
    while (first >= 0 && timestamp - store.timestampOf(first) > kept) {
      store.take(first);
      this.#counts.discarded += 1;
      this.#nextSequence = first + 1;
      first = store.findFirst(this.#nextSequence, sequence - 1);
    }
    this.#nextTimestamp = first < 0 ? timestamp : store.timestampOf(first);
    this.#filler.bridge();
  }

  /** How much later than wanted a sample of `timestamp` would be played after all that is ahead, in ms. */
  #excessDelayMs(timestamp: number, nowMs: number): number {
    const playedAtMs = nowMs + this.#playout.aheadSamples / this.#samplesPerMs;
    return playedAtMs - timestamp / this.#samplesPerMs - this.#delays.baseDelayMs - this.#delays.targetDelayMs;
  }

  /** Moves the packet whose turn it is to the playout. @returns false when none is there or its time has not come. */
  #takeNext(nowMs: number): boolean {
    const store = this.#store;
    const sequence = store.findFirst(this.#nextSequence, this.#timeline.highestSequence);
    if (sequence < 0) return false;
    const timestamp = store.timestampOf(sequence);
    const missingSamples = timestamp - this.#nextTimestamp;
    if (!this.#isGapOver(missingSamples, this.#excessDelayMs(timestamp, nowMs))) return false;
    while (this.#nextSequence <= sequence) {
      const isLost = this.#nextSequence < sequence ? 1 : 0;
      this.#lossRate += (isLost - this.#lossRate) / LOSS_MEMORY_PACKETS;
      this.#nextSequence += 1;
    }
    this.#putOffSamples = 0;
    const arrivalMs = store.arrivalMsOf(sequence);
    const pcm = store.take(sequence);
    if (pcm.length === 0) {
      this.#filler.beginComfortNoise();
      this.#nextTimestamp = Math.max(this.#nextTimestamp, timestamp);
      return true;
    }
    // A small step back repeats what was played; a big one is a sender whose timestamps have jumped.
    const isOverlap = missingSamples < 0 && missingSamples > -MAX_PACKET_MS * this.#samplesPerMs;
    const playedSamples = isOverlap ? Math.min(pcm.length, -missingSamples) : 0;
    this.#counts.late += playedSamples;
    if (playedSamples === pcm.length) return true;
    this.#filler.append(pcm, playedSamples, arrivalMs);
    this.#isDry = false;
    this.#nextTimestamp = timestamp + pcm.length;
    return true;
  }

  /**
   * Whether enough was made up in place of the `missingSamples` in front of a packet: as many, or as soon as it would
   * not be played early. A gap that is cut short is a free way to a shorter delay.
   */
  #isGapOver(missingSamples: number, excessDelayMs: number): boolean {
    const { gapSamples } = this.#filler;
    return gapSamples >= missingSamples || (gapSamples >= this.#frameSamples && excessDelayMs >= 0);
  }

  /** Makes up what is missing of the next frame, no more than is missing in front of a packet that is there. */
  #fillGap(nowMs: number): void {
    const filler = this.#filler;
    for (;;) {
      let count = this.#frameSamples - this.#playout.aheadSamples;
      if (count <= 0) return;
      const sequence = this.#store.findFirst(this.#nextSequence, this.#timeline.highestSequence);
      if (sequence >= 0) {
        const missing = this.#store.timestampOf(sequence) - this.#nextTimestamp - filler.gapSamples;
        if (missing > 0) count = Math.min(count, missing);
      } else if (!filler.isComfortNoise) {
        this.#lastDryMs = nowMs;
        if (!this.#isDry) this.#counts.underflows += 1;
        this.#isDry = true;
      }
      if (filler.gapSamples === 0 && !filler.isComfortNoise) this.#counts.concealmentEvents += 1;
      filler.fill(count);
      this.#takeNext(nowMs);
    }
  }

  #toleranceMs(): number {
    const tolerance = this.#delays.targetDelayMs * TOLERANCE_SHARE;
    return Math.max(MIN_TOLERANCE_MS, Math.min(MAX_TOLERANCE_MS, tolerance));
  }

  /** Lengthens or shortens what comes next, where that brings the delay closer to the target or puts off running dry. */
  #adaptDelay(nowMs: number): void {
    if (this.#isRunningDry(nowMs)) {
      this.#lengthen(nowMs, FRAME_MS, MIN_CORRELATION_URGENT, true);
      return;
    }
    if (nowMs < this.#nextStretchMs) return;
    const excessMs = this.#excessDelayMs(this.#nextTimestamp, nowMs);
    const tolerance = this.#toleranceMs();
    if (excessMs < -tolerance) this.#lengthen(nowMs, -excessMs, MIN_CORRELATION, false);
    // When all recent packets are slow, the base is about to follow them and there is no excess.
    const slowerMs = this.#delays.recentBaseDelayMs - this.#delays.baseDelayMs;
    const hasRested = nowMs - this.#lastDryMs > UNDERFLOW_REST_MS;
    if (excessMs - slowerMs > tolerance && hasRested) this.#shorten(nowMs, excessMs, excessMs + tolerance);
  }

  /** Whether so little is left that the next packet, which is not there, is likely to miss its turn. */
  #isRunningDry(nowMs: number): boolean {
    const ahead = this.#playout.aheadSamples;
    if (ahead >= 2 * this.#frameSamples || this.#store.has(this.#nextSequence)) return false;
    const hasLater = this.#store.waiting > 0;
    if (this.#putOffSamples >= (hasLater ? 1 : MAX_PUT_OFF_MS * this.#samplesPerMs)) return false;
    const soFarMs = nowMs - this.#nextTimestamp / this.#samplesPerMs - this.#delays.baseDelayMs;
    if (soFarMs <= 0) return false;
    const deadlineMs = soFarMs + Math.floor(ahead / this.#frameSamples) * FRAME_MS;
    const lossRate = hasLater ? Math.max(this.#lossRate, MIN_LOSS_RATE) : 0;
    return this.#delays.latenessProbability(soFarMs, deadlineMs, lossRate) >= MIN_DRY_PROBABILITY;
  }

  #lengthen(nowMs: number, wantedMs: number, minCorrelation: number, isPutOff: boolean): void {
    const { pcm, position, end } = this.#playout;
    const inserted = this.#stretcher.insert(pcm, position, end, wantedMs * this.#samplesPerMs, minCorrelation);
    this.#nextStretchMs = nowMs + (inserted === 0 ? STRETCH_RETRY_MS : STRETCH_INTERVAL_MS);
    this.#playout.shift(inserted);
    this.#counts.stretched += inserted;
    if (isPutOff) this.#putOffSamples += inserted;
  }

  #shorten(nowMs: number, excessMs: number, maxMs: number): void {
    const playout = this.#playout;
    while (playout.aheadSamples < this.#stretcher.removeLookaheadSamples) if (!this.#takeNext(nowMs)) return;
    const minCorrelation = excessMs > FAR_TOO_LONG_MS ? MIN_CORRELATION_URGENT : MIN_CORRELATION;
    const maxSamples = maxMs * this.#samplesPerMs;
    const removed = this.#stretcher.remove(playout.pcm, playout.position, playout.end, maxSamples, minCorrelation);
    this.#nextStretchMs = nowMs + (removed === 0 ? STRETCH_RETRY_MS : STRETCH_INTERVAL_MS);
    playout.shift(-removed);
    this.#counts.removed += removed;
  }
}
