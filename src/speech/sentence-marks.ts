import { SENTENCE_END } from './playback.ts';
import { countLetters, type SpeechPace } from './speech-duration.ts';

const FRAME_MS = 10;
/** A frame is quiet that is so much softer than the loudest so far, or softer than anything that can be heard. */
const QUIET_PART = 0.03;
const QUIET_PEAK = 60;

/**
 * Pauses that end a sentence: long ones from half of its expected length on, short ones, as commas have, only towards
 * its end. Without one it ends at half as much again as was expected.
 */
const LONG_PAUSE = { ms: 200, from: 0.5 };
const SHORT_PAUSE = { ms: 100, from: 0.85 };
const LATEST = 1.5;

/**
 * Puts a mark behind the audio of each sentence of one request. Where the last one ends is known; the others' ends are
 * the pauses of the voice nearest to where their length says, at the pace that was learned of it. The end of speech that
 * breaks off is no end of a sentence.
 */
export async function* markSentences(
  speech: AsyncIterable<Int16Array>,
  sentences: readonly string[],
  sampleRate: number,
  pace: SpeechPace,
): AsyncGenerator<Int16Array | typeof SENTENCE_END, undefined> {
  const finder = new SentenceEndFinder(sentences, sampleRate, pace);
  let samples = 0;
  for await (const pcm of speech) {
    samples += pcm.length;
    let from = 0;
    for (let to = finder.push(pcm, from); to !== undefined; to = finder.push(pcm, from)) {
      if (to > from) yield pcm.subarray(from, to);
      yield SENTENCE_END;
      from = to;
    }
    if (from < pcm.length) yield pcm.subarray(from);
  }
  pace.learn(
    sentences.reduce((letters, sentence) => letters + countLetters(sentence), 0),
    (samples * 1000) / sampleRate,
  );
  for (let left = finder.found; left < sentences.length; left++) yield SENTENCE_END;
  return undefined;
}

/** Finds where all sentences but the last end, as the audio comes. */
class SentenceEndFinder {
  readonly #expectedMs: readonly number[];
  readonly #frameSamples: number;
  /** Sentences whose end was found. */
  found = 0;
  #frameFill = 0;
  #framePeak = 0;
  #loudest = 0;
  #quietMs = 0;
  /** Since the end of the last sentence. */
  #spokenMs = 0;

  constructor(sentences: readonly string[], sampleRate: number, pace: SpeechPace) {
    this.#expectedMs = sentences.map((sentence) => countLetters(sentence) * pace.msPerLetter);
    this.#frameSamples = Math.round((sampleRate * FRAME_MS) / 1000);
  }

  /** Takes `pcm` from `from` on. @returns where in it a sentence ends, to be called again from there, or undefined. */
  push(pcm: Int16Array, from: number): number | undefined {
    if (this.found >= this.#expectedMs.length - 1) return undefined;
    for (let i = from; i < pcm.length; i++) {
      this.#framePeak = Math.max(this.#framePeak, Math.abs(pcm[i]!));
      if (++this.#frameFill === this.#frameSamples && this.#endFrame()) return i + 1;
    }
    return undefined;
  }

  /** @returns whether a sentence ends with this frame. */
  #endFrame(): boolean {
    this.#loudest = Math.max(this.#loudest, this.#framePeak);
    const isQuiet = this.#framePeak <= Math.max(QUIET_PEAK, this.#loudest * QUIET_PART);
    this.#quietMs = isQuiet ? this.#quietMs + FRAME_MS : 0;
    this.#spokenMs += FRAME_MS;
    this.#frameFill = 0;
    this.#framePeak = 0;
    const part = this.#spokenMs / (this.#expectedMs[this.found] ?? 0);
    const isEnd =
      part >= LATEST ||
      (this.#quietMs >= SHORT_PAUSE.ms && part >= SHORT_PAUSE.from) ||
      (this.#quietMs >= LONG_PAUSE.ms && part >= LONG_PAUSE.from);
    if (!isEnd) return false;
    this.found++;
    this.#spokenMs = 0;
    return true;
  }
}
