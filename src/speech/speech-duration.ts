/** Audio that any voice needs, whatever it says, and for each letter: three times as fast as the fastest can be followed. */
const LEAST_MS = 30;
const LEAST_MS_PER_LETTER = 12;

/** What a letter takes until a voice was heard, and how far one text moves that. */
const USUAL_MS_PER_LETTER = 65;
const LEARNING = 0.3;
/** Voices speak within these, so that no odd answer spoils what was learned. */
const MS_PER_LETTER = { least: 20, most: 250 };

/** Letters that are whole syllables. */
const SYLLABLE = /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}]/u;
/** Read by no voice, or not letter by letter. */
const UNREAD = /<[^<>]{0,200}>|\bhttps?:\/\/\S+/giu;
const LETTER_OR_DIGIT = /[\p{L}\p{Nd}]/gu;
const ZEROS = '0٠۰';

/**
 * How much there is to say in `text`, in letters. Digits are read as words: at least three letters each, but for zeros,
 * of which a word can have six ("million").
 */
export function countLetters(text: string): number {
  let letters = 0;
  for (const [character] of text.replace(UNREAD, ' ').matchAll(LETTER_OR_DIGIT)) {
    if (SYLLABLE.test(character)) letters += 3;
    else if (/\p{L}/u.test(character) || ZEROS.includes(character)) letters += 1;
    else letters += 3;
  }
  return letters;
}

/** Audio that is shorter was cut, however fast the voice. 0 where there is nothing to say. */
export function minimumDurationMs(text: string): number {
  const letters = countLetters(text);
  return letters === 0 ? 0 : LEAST_MS + letters * LEAST_MS_PER_LETTER;
}

/** How fast the voice speaks, learned from what it said. */
export class SpeechPace {
  #msPerLetter = USUAL_MS_PER_LETTER;

  get msPerLetter(): number {
    return this.#msPerLetter;
  }

  /** `letters` took `durationMs`. */
  learn(letters: number, durationMs: number): void {
    if (letters === 0) return;
    const heard = Math.min(MS_PER_LETTER.most, Math.max(MS_PER_LETTER.least, durationMs / letters));
    this.#msPerLetter += (heard - this.#msPerLetter) * LEARNING;
  }
}
