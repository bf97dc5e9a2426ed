/** Resolution and range of the delay histogram: 1.02 s, the last bucket holds all that is later. */
const BUCKET_MS = 2;
const BUCKETS = 512;
/** The weight of a packet falls to 1/e within this time: long enough to remember a stall every ten seconds. */
const MEMORY_MS = 28_600;
/** The fastest packet of this time is the base that delays are relative to: follows drift and steps within a second. */
const BASE_WINDOW_MS = 800;
/** The fastest packet of this time, and of at least eight, tells a step of the delay from a single stall. */
const RECENT_WINDOW_MS = 160;
/** Most packets in the base window: those of 10 ms fill it. */
const WINDOW_PACKETS = 80;
const MIN_WINDOW_PACKETS = 8;
/** The target is thought over once in so many packets. */
const RETARGET_PACKETS = 4;

/** What one per cent of late packets is worth, in ms of delay. */
const MS_PER_LATE_PERCENT = 6;
/** The target is above the cheapest delay by this much, or this share of it, since the tail is known only roughly. */
const TAIL_MARGIN_MS = 22;
const TAIL_MARGIN_SHARE = 0.4;
/** But no further than this beyond (nearly) everything seen: a bounded jitter needs little margin. */
const SEEN_QUANTILE = 0.999;
const SEEN_MARGIN_MS = 10;
/** Stalls long and frequent enough to count: the target does not go below what this share of packets needs. */
const STALL_QUANTILE = 0.96;
const STALL_MARGIN_MS = 14;
/** Margins never exceed a small delay by more than this: a clean line gets a small buffer. */
const SMALL_MARGIN_MS = 4;
const SMALL_MARGIN_SHARE = 1.5;
/** Less of the histogram than this is no evidence. */
const NEGLIGIBLE = 1e-4;

/**
 * Learns how late packets come and from it how much delay is worth having.
 *
 * ```
 *  share of packets
 *   │█                      base: the fastest packet of the last 0.8 s; every delay is relative to it
 *   │██
 *   │████▄  cheapest        cheapest: the delay x at which x + 6 ms per per cent of later packets is least
 *   │██████▄▄▂▁▁▁   ▁ ▂    target: above it by a margin that grows with what is not known of the tail
 *   └──────┴──┴──────────► relative delay
 *              target
 * ```
 *
 * The histogram forgets exponentially: the target grows within two seconds of trouble and shrinks over half a minute.
 *
 * Delays are arrival time minus RTP time, in ms with an arbitrary origin.
 */
export class DelayEstimator {
  readonly #minDelayMs: number;
  readonly #maxDelayMs: number;
  readonly #weights: Float64Array = new Float64Array(BUCKETS);
  #totalWeight = 0;
  /** Weight of the next packet: instead of making all others lighter, each is heavier than the one before. */
  #weight = 1;
  #packets = 0;
  /** Highest bucket that is not negligible. */
  #top = 0;
  readonly #window: Float64Array = new Float64Array(WINDOW_PACKETS);
  #windowNext = 0;
  #windowCount = 0;
  /** The delay of the fastest packet of the last 0.8 s; NaN when there was none. */
  baseDelayMs: number = Number.NaN;
  /** The delay of the fastest packet of the last 160 ms; well above `baseDelayMs` when all packets have become slower. */
  recentBaseDelayMs: number = Number.NaN;
  /** How long the first packet is to wait, before anything is known of the network. */
  readonly initialDelayMs: number;
  /** Wanted time between the arrival of the fastest packets and their playout. */
  targetDelayMs: number;

  constructor(minDelayMs: number, maxDelayMs: number, initialDelayMs: number) {
    this.#minDelayMs = minDelayMs;
    this.#maxDelayMs = maxDelayMs;
    this.initialDelayMs = this.#clamp(initialDelayMs);
    this.targetDelayMs = this.initialDelayMs;
  }

  /** Forgets everything. */
  reset(): void {
    this.#weights.fill(0);
    this.#totalWeight = 0;
    this.#weight = 1;
    this.#packets = 0;
    this.#top = 0;
    this.targetDelayMs = this.initialDelayMs;
    this.rebase();
  }

  /** Forgets where delays start, since the sender's timestamps have jumped, but not how they vary. */
  rebase(): void {
    this.#windowCount = 0;
    this.baseDelayMs = Number.NaN;
    this.recentBaseDelayMs = Number.NaN;
  }

  /** Takes the delay of a packet that lasts `packetMs`, late ones included. */
  update(delayMs: number, packetMs: number): void {
    this.#updateBase(delayMs, packetMs);
    this.#packets += 1;
    // At first each packet counts twice the average of those before it; later the memory is limited by time.
    const growth = 1 + Math.max(packetMs / MEMORY_MS, 2 / Math.max(1, this.#packets - 1));
    this.#weight *= growth;
    const bucket = Math.min(BUCKETS - 1, Math.floor((delayMs - this.baseDelayMs) / BUCKET_MS));
    this.#weights[bucket]! += this.#weight;
    this.#totalWeight += this.#weight;
    this.#top = Math.max(this.#top, bucket);
    if (this.#weight > 1e100) this.#renormalise();
    if (this.#packets % RETARGET_PACKETS === 0 || this.#packets < 20) this.#retarget();
  }

  /**
   * How likely a packet that is `soFarMs` late already will be more than `deadlineMs` late, 0 … 1; both relative to the
   * base. `lossRate` is the share of packets that never come, 0 when this one is known to be only late.
   */
  latenessProbability(soFarMs: number, deadlineMs: number, lossRate: number): number {
    const first = Math.floor(soFarMs / BUCKET_MS) + 1;
    const deadline = Math.floor(deadlineMs / BUCKET_MS) + 1;
    let still = 0;
    let late = 0;
    for (let i = this.#top; i >= first; i--) {
      still += this.#weights[i]!;
      if (i >= deadline) late += this.#weights[i]!;
    }
    // Later than anything remembered: this is a new stall, or a loss.
    if (still < NEGLIGIBLE * this.#totalWeight) return lossRate > 0 ? 0 : 1;
    return late / (still + lossRate * this.#totalWeight);
  }

  #updateBase(delayMs: number, packetMs: number): void {
    this.#window[this.#windowNext] = delayMs;
    this.#windowNext = (this.#windowNext + 1) % WINDOW_PACKETS;
    this.#windowCount = Math.min(this.#windowCount + 1, packetsIn(BASE_WINDOW_MS, packetMs));
    const recentCount = packetsIn(RECENT_WINDOW_MS, packetMs);
    let base = delayMs;
    for (let age = 0, i = this.#windowNext; age < this.#windowCount; age++) {
      if (age === recentCount) this.recentBaseDelayMs = base;
      i = i === 0 ? WINDOW_PACKETS - 1 : i - 1;
      base = Math.min(base, this.#window[i]!);
    }
    this.baseDelayMs = base;
    if (this.#windowCount <= recentCount) this.recentBaseDelayMs = base;
  }

  #retarget(): void {
    const weights = this.#weights;
    const total = this.#totalWeight;
    while (this.#top > 0 && weights[this.#top]! < NEGLIGIBLE * total) this.#top -= 1;
    let later = total;
    let cheapest = 0;
    let leastCost = Number.POSITIVE_INFINITY;
    let stallMs = 0;
    let seenMs = 0;
    for (let i = 0; i <= this.#top; i++) {
      const delayMs = (i + 1) * BUCKET_MS;
      if (later > (1 - STALL_QUANTILE) * total) stallMs = delayMs;
      if (later > (1 - SEEN_QUANTILE) * total) seenMs = delayMs;
      later -= weights[i]!;
      const cost = delayMs + (100 * MS_PER_LATE_PERCENT * later) / total;
      if (cost < leastCost) {
        leastCost = cost;
        cheapest = delayMs;
      }
    }
    const tailMargin = Math.max(TAIL_MARGIN_MS, TAIL_MARGIN_SHARE * cheapest);
    const seenMargin = seenMs - cheapest + SEEN_MARGIN_MS;
    this.targetDelayMs = this.#clamp(
      Math.max(
        cheapest + Math.min(tailMargin, seenMargin, marginOfSmall(cheapest)),
        stallMs + Math.min(STALL_MARGIN_MS, marginOfSmall(stallMs)),
      ),
    );
  }

  #clamp(delayMs: number): number {
    return Math.max(this.#minDelayMs, Math.min(this.#maxDelayMs, delayMs));
  }

  #renormalise(): void {
    for (let i = 0; i < BUCKETS; i++) this.#weights[i]! /= this.#weight;
    this.#totalWeight /= this.#weight;
    this.#weight = 1;
  }
}

function packetsIn(windowMs: number, packetMs: number): number {
  return Math.max(MIN_WINDOW_PACKETS, Math.min(WINDOW_PACKETS, Math.round(windowMs / packetMs)));
}

function marginOfSmall(delayMs: number): number {
  return SMALL_MARGIN_MS + SMALL_MARGIN_SHARE * delayMs;
}
