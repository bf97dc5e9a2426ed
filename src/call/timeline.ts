/** The latency words of the contract: the same in code, metrics and documents. */
const words = {
  endpointing: 'last voiced sample to end of speech decided',
  sttQueue: 'end of speech decided to request on the wire',
  stt: 'request on the wire to transcript',
  ttsFirstByte: 'text to first audio byte',
  prebuffer: 'first audio byte to first RTP packet out',
  bargeIn: 'first voiced sample during playback to last played sample',
  owned: 'everything of a turn that is not the platform’s',
} as const;

export type LatencyWord = keyof typeof words;
export const LATENCY_WORDS: Readonly<Record<LatencyWord, string>> = words;

/** One utterance and its answer, with its latencies in milliseconds; a part that did not happen is absent. */
export interface Turn extends Partial<Record<LatencyWord, number>> {
  readonly utteranceId: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** How many turns of a call are kept. */
const MAX_TURNS = 100;

/** The newest turns of one call; each latency is also told to `observe` when it is known. */
export class Timeline {
  readonly #turns: Turn[] = [];
  /** Of the utterance that has not ended yet. */
  #bargeInMs: number | undefined;
  readonly #observe: (word: LatencyWord, ms: number) => void;

  constructor(observe: (word: LatencyWord, ms: number) => void) {
    this.#observe = observe;
  }

  get turns(): readonly Turn[] {
    return this.#turns;
  }

  begin(utteranceId: string, startMs: number, endMs: number): Turn {
    const turn: Turn = { utteranceId, startMs, endMs };
    if (this.#bargeInMs !== undefined) turn.bargeIn = round(this.#bargeInMs);
    this.#bargeInMs = undefined;
    this.#turns.push(turn);
    if (this.#turns.length > MAX_TURNS) this.#turns.shift();
    return turn;
  }

  /** The caller has interrupted a reply with what becomes the next turn. */
  recordBargeIn(ms: number): void {
    this.#bargeInMs = ms;
    this.#observe('bargeIn', Math.max(0, ms));
  }

  record(turn: Turn, word: Exclude<LatencyWord, 'owned' | 'bargeIn'>, ms: number): void {
    turn[word] = round(ms);
    this.#observe(word, Math.max(0, ms));
  }

  /** Adds up what the gateway itself took, when nothing more will come. */
  finish(turn: Turn): void {
    if (turn.owned !== undefined) return;
    const ownedMs = (turn.endpointing ?? 0) + (turn.sttQueue ?? 0) + (turn.prebuffer ?? 0);
    turn.owned = round(ownedMs);
    this.#observe('owned', ownedMs);
  }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
