import { isHigherPriority, type QuotaPriority } from './quota-scheduler.ts';

export interface QueuedUtterance {
  /** Place in the order of all. */
  readonly number: number;
  readonly callId: string;
  readonly priority: QuotaPriority;
  readonly sampleRate: number;
  readonly pcm: Int16Array;
}

/** Longest audio of one request. */
const MAX_JOINED_MS = 60_000;

/** The utterances of all calls that wait to be sent, each call's in order. */
export class UtteranceQueue<U extends QueuedUtterance> {
  /** Sorted by number. */
  readonly #waiting: U[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  get all(): readonly U[] {
    return [...this.#waiting];
  }

  ofCall(callId: string): readonly U[] {
    return this.#waiting.filter((utterance) => utterance.callId === callId);
  }

  /** Puts `utterance` at its place, which is not the end for one that was sent before. */
  add(utterance: U): void {
    const later = this.#waiting.findIndex(({ number }) => number > utterance.number);
    this.#waiting.splice(later < 0 ? this.#waiting.length : later, 0, utterance);
  }

  remove(utterance: U): void {
    const index = this.#waiting.indexOf(utterance);
    if (index >= 0) this.#waiting.splice(index, 1);
  }

  /** The oldest of those with the highest priority. */
  get first(): U | undefined {
    let first: U | undefined;
    for (const utterance of this.#waiting) {
      if (!first || isHigherPriority(utterance.priority, first.priority)) first = utterance;
    }
    return first;
  }

  /** Takes the first; with `joined`, also what its call said after it, as far as that makes one request. */
  take(joined: boolean): U[] {
    const { first } = this;
    const taken: U[] = [];
    let ms = 0;
    for (const utterance of first ? this.ofCall(first.callId) : []) {
      ms += (utterance.pcm.length * 1000) / utterance.sampleRate;
      const fits = joined && ms <= MAX_JOINED_MS && utterance.sampleRate === first?.sampleRate;
      if (taken.length > 0 && !fits) break;
      taken.push(utterance);
      this.remove(utterance);
    }
    return taken;
  }
}

/**
 * The audio of utterances one behind the other. Of the pause between two only the silence at their ends is left, which
 * is enough to keep the words apart.
 */
export function joinAudio(utterances: readonly { readonly pcm: Int16Array }[]): Int16Array {
  const [first, ...rest] = utterances;
  if (first && rest.length === 0) return first.pcm;
  const joined = new Int16Array(utterances.reduce((samples, { pcm }) => samples + pcm.length, 0));
  let position = 0;
  for (const { pcm } of utterances) {
    joined.set(pcm, position);
    position += pcm.length;
  }
  return joined;
}
