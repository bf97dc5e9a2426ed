/** The platform's limit for one request, in UTF-16 units: never more characters than that. */
export const MAX_REQUEST_CHARACTERS = 2_000;

/** A text of no more than this, about ten seconds of speech, is one request: more would only cost more. */
const WHOLE_CHARACTERS = 160;
/**
 * The first request of a longer text: so short that little is lost if the caller interrupts it, and long enough (four
 * seconds) that the next has come before it is played.
 */
const FIRST_CHARACTERS = { least: 60, most: 100 };
/** Each further request may be twice as long as the one before, up to this: half a minute of speech. */
const LATER_CHARACTERS = 400;

const SENTENCES = new Intl.Segmenter('ar', { granularity: 'sentence' });
/** Unicode's rules end a sentence after these points, which end none. */
const ABBREVIATION = /(?:^|[\s.(])(?:\p{L}|Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|No|vs|etc|approx)\.[ \t]*$/iu;
const LIST_NUMBER = /^\s*\p{Nd}+[.)][ \t]*$/u;
/** A point, question or exclamation mark inside an address. */
const GLUED = /[.!?]$/;
const SPOKEN = /[\p{L}\p{N}]/u;

/** Where a text that is no whole sentence any more may be cut, best first. The blanks behind belong to the match. */
const CUTS: readonly RegExp[] = [/[.!?؟۔。！？…؛;]["'»”’)\]]*\s+|\n+/gu, /[،,、，:؛;](?:\s+|(?=\P{N}))/gu, /\s+/gu];
/** What belongs to the character before it: combining marks, variation selectors, joiners, skin tones, low surrogates. */
const CONTINUES = /^(?:\p{M}|\u200d|\p{Emoji_Modifier}|[\udc00-\udfff])/u;
const MAX_CLUSTER_CHARACTERS = 32;

/** Whether there is anything in `text` that a voice says: a letter or a digit of any script. */
export function isSpoken(text: string): boolean {
  return SPOKEN.test(text);
}

/**
 * The sentences of `text` in order, by Unicode's rules (UAX #29), which know the marks of every script and need no
 * blanks; abbreviations and numbers of lists stay with what follows, and what has nothing to say with its neighbour.
 * Joined, they are the text without the blanks around it.
 */
export function splitSentences(text: string): string[] {
  const sentences: string[] = [];
  let open = '';
  for (const { segment } of SENTENCES.segment(text.trim())) {
    const isGlued = GLUED.test(open) && /^[\w/&=]/.test(segment);
    const continues = isGlued || !isSpoken(open) || ABBREVIATION.test(open) || LIST_NUMBER.test(open);
    if (open !== '' && !continues && isSpoken(segment)) {
      sentences.push(open);
      open = segment;
    } else open += segment;
  }
  if (open !== '') sentences.push(open);
  return sentences;
}

/**
 * Plans how `text` is asked for: the sentences of each request, in order. Each request costs a slot of the quota and is
 * billed in whole seconds, so sentences share one; the first is short and each next one longer. A text with nothing to
 * say needs none.
 */
export function planRequests(text: string): string[][] {
  const sentences = splitSentences(text)
    .flatMap((sentence) =>
      sentence.length > MAX_REQUEST_CHARACTERS
        ? splitText(sentence, MAX_REQUEST_CHARACTERS).map((part) => `${part} `)
        : [sentence],
    )
    .filter(isSpoken);
  const left = (): number => sentences.reduce((sum, sentence) => sum + sentence.length, 0);
  if (left() <= WHOLE_CHARACTERS) return sentences.length === 0 ? [] : [sentences];
  const requests: string[][] = [];
  let most = FIRST_CHARACTERS.most;
  while (sentences.length > 0) {
    const request: string[] = [];
    let characters = 0;
    for (let next = sentences[0]; next !== undefined; next = sentences[0]) {
      const total = characters + next.length;
      const fits = total <= most || characters < FIRST_CHARACTERS.least;
      // What is left over would be too short to be worth a request of its own.
      const isRest = left() < FIRST_CHARACTERS.least;
      if (characters > 0 && ((!fits && !isRest) || total > MAX_REQUEST_CHARACTERS)) break;
      request.push(next);
      sentences.shift();
      characters = total;
    }
    requests.push(request);
    most = Math.min(2 * most, LATER_CHARACTERS);
  }
  return requests;
}

/**
 * Cuts `text` into parts of at most `maxCharacters` UTF-16 units, at the ends of sentences, else behind commas, else
 * between words, and only inside a word that is longer itself, never inside a character. Nothing but blanks is lost.
 */
export function splitText(text: string, maxCharacters: number): string[] {
  const parts: string[] = [];
  let rest = text.trim();
  while (rest.length > maxCharacters) {
    const end = softEnd(rest, maxCharacters) ?? hardEnd(rest, maxCharacters);
    parts.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  if (rest !== '') parts.push(rest);
  return parts;
}

/** The best end that leaves no less than a third of the room unused. */
function softEnd(text: string, maxCharacters: number): number | undefined {
  let last: number | undefined;
  for (const pattern of CUTS) {
    const end = lastEnd(text, pattern, maxCharacters);
    if (end !== undefined && end >= maxCharacters / 3) return end;
    last = Math.max(last ?? 0, end ?? 0) || undefined;
  }
  return last;
}

/** End of the last match whose text fits, blanks behind it aside. */
function lastEnd(text: string, pattern: RegExp, maxCharacters: number): number | undefined {
  let end: number | undefined;
  for (const match of text.matchAll(pattern)) {
    if (match.index + match[0].trimEnd().length > maxCharacters) break;
    end = match.index + match[0].length;
  }
  return end;
}

/** The limit, or where the character begins that it would part. */
function hardEnd(text: string, maxCharacters: number): number {
  let end = maxCharacters;
  const least = Math.max(1, end - MAX_CLUSTER_CHARACTERS);
  while (end > least && (CONTINUES.test(text.slice(end, end + 2)) || text[end - 1] === '\u200d')) end--;
  return CONTINUES.test(text.slice(end, end + 2)) ? surrogateEnd(text, maxCharacters) : end;
}

/** Marks without end are cut between two of them, but never inside a surrogate pair. */
function surrogateEnd(text: string, maxCharacters: number): number {
  return /[\uD800-\uDBFF]/.test(text[maxCharacters - 1] ?? '') ? Math.max(1, maxCharacters - 1) : maxCharacters;
}
