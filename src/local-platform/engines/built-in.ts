import { ApiError } from '../api-error.ts';
import type { Ears, Spoken, Voice } from './engine.ts';
import { findSentences, type Template, templateOf } from './sentence-spotter.ts';
import type { Sentence } from './sentences.ts';

/** Recognises how the fixtures' sentences sound, and nothing else. */
export class BuiltInEars implements Ears {
  readonly name = 'built-in';
  readonly #templates: readonly Template[];

  constructor(sentences: readonly Sentence[]) {
    this.#templates = sentences.map(templateOf);
  }

  async transcribe(pcm: Int16Array): Promise<string> {
    const sentences = await findSentences(this.#templates, pcm);
    return sentences.join(' ');
  }

  async settled(): Promise<void> {}
}

/** Has the fixtures' sentences recorded, and nothing else. */
export class BuiltInVoice implements Voice {
  readonly name = 'built-in';
  readonly #recordings: ReadonlyMap<string, Int16Array>;

  constructor(sentences: readonly Sentence[]) {
    this.#recordings = new Map(sentences.map(({ text, pcm }) => [wordsOf(text), pcm]));
  }

  async speak(text: string): Promise<Spoken> {
    const recording = this.#recordings.get(wordsOf(text));
    if (recording) return { engine: this.name, pcm: recording.slice() };
    throw new ApiError(
      400,
      'The built-in voice knows only the sentences of fixtures/speech; install flite to hear any English text',
    );
  }

  async settled(): Promise<void> {}
}

/** Case and punctuation make no difference to how a sentence sounds. */
function wordsOf(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}']+/gu, ' ')
    .trim();
}
