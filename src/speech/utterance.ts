import type { QuotaPriority } from './quota-scheduler.ts';

export interface Utterance {
  readonly id: string;
  /** Utterances that share it are answered in their order, and may go as one request. */
  readonly callId: string;
  /** Owned by whoever it is given to. */
  readonly pcm: Int16Array;
  readonly sampleRate: number;
  /** Where it lies in its call; handed back with the transcript. */
  readonly startMs: number;
  readonly endMs: number;
  /** When the end of speech was decided, on the monotonic clock. */
  readonly decidedAtMs: number;
  /** When its last voiced sample arrived, on the monotonic clock. Default `decidedAtMs`. */
  readonly voicedAtMs?: number;
  /** Default `turn`: somebody waits for the answer. */
  readonly priority?: QuotaPriority;
}

/** One utterance of a transcript. */
export interface TranscriptPart {
  readonly id: string;
  readonly startMs: number;
  readonly endMs: number;
}

export interface Transcript {
  /** Empty when there were no words. */
  readonly text: string;
  /** The utterances that were one request, in order: all of them have this transcript. */
  readonly parts: readonly TranscriptPart[];
  /** Decided → request on the wire. */
  readonly sttQueueMs: number;
  /** Request on the wire → transcript; a request that was lost and made again is part of it. */
  readonly sttMs: number;
}

export function toPart({ id, startMs, endMs }: TranscriptPart): TranscriptPart {
  return { id, startMs, endMs };
}
