/** Counts since construction: of samples, or of packets where it says so. */
export interface JitterBufferStatistics {
  /** Samples that arrived, without duplicates. */
  readonly received: number;
  /** Of these, samples whose turn had passed. */
  readonly late: number;
  /** Samples pulled that come from no packet: concealment and what follows it. Comfort noise is not among them. */
  readonly concealed: number;
  /** Samples made as the sender asked by a silence descriptor (RFC 3389). */
  readonly comfortNoise: number;
  /** Samples that time stretching put in; they are among `playedSamples`. */
  readonly stretched: number;
  /** Samples of packets that time stretching took out. */
  readonly removed: number;
  /** Samples pulled that come from packets. */
  readonly playedSamples: number;
  /** Sum over `playedSamples` of the milliseconds from `insert()` to `pull()`: divide for the mean delay. */
  readonly delaySum: number;
  readonly packetsReceived: number;
  readonly packetsLate: number;
  readonly duplicates: number;
  /** Packets that were not understood, or dropped because more than `maxDelayMs` was waiting. */
  readonly discarded: number;
  /** Times that nothing at all was there to be played. */
  readonly underflows: number;
  /** Gaps that were concealed. */
  readonly concealmentEvents: number;
  readonly targetDelayMs: number;
}

/** What `JitterBuffer` counts in. */
export type JitterBufferCounts = { -readonly [key in keyof JitterBufferStatistics]: number };

export function createCounts(): JitterBufferCounts {
  return {
    received: 0,
    late: 0,
    concealed: 0,
    comfortNoise: 0,
    stretched: 0,
    removed: 0,
    playedSamples: 0,
    delaySum: 0,
    packetsReceived: 0,
    packetsLate: 0,
    duplicates: 0,
    discarded: 0,
    underflows: 0,
    concealmentEvents: 0,
    targetDelayMs: 0,
  };
}
