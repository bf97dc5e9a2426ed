/** What is made of a text when nobody says which parts. */
const DEFAULT_PARTS: readonly string[] = ['title', 'summary', 'keywords'];
const MAX_TITLE_CHARACTERS = 80;
const SUMMARY_SENTENCES = 3;
const KEYWORDS = 10;
const MIN_KEYWORD_CHARACTERS = 4;

/**
 * Parts of a document about `text`, made plainly: no model writes here. A part that has no rule is the text's summary.
 */
export function makeContent(text: string, parts: readonly string[] | undefined): Record<string, unknown> {
  const wanted = parts === undefined || parts.length === 0 ? DEFAULT_PARTS : parts;
  return Object.fromEntries(wanted.map((part) => [part, makePart(text, part)]));
}

function makePart(text: string, part: string): unknown {
  const sentences = sentencesOf(text);
  if (/title|headline/i.test(part)) return shortened(sentences[0] ?? '');
  if (/keyword|tag|topic/i.test(part)) return keywordsOf(text);
  if (/outline|chapter|bullet|highlight/i.test(part)) return sentences.map(shortened);
  if (/transcript|article|full/i.test(part)) return text;
  return sentences.slice(0, SUMMARY_SENTENCES).join(' ');
}

/** Sentences end at the marks of Latin and Arabic script. */
export function sentencesOf(text: string): string[] {
  return (text.match(/[^.!?؟…\n]+[.!?؟…]*/g) ?? []).map((sentence) => sentence.trim()).filter((one) => one !== '');
}

function shortened(sentence: string): string {
  const characters = Array.from(sentence);
  if (characters.length <= MAX_TITLE_CHARACTERS) return sentence;
  return `${characters.slice(0, MAX_TITLE_CHARACTERS - 1).join('')}…`;
}

/** The words that occur most often, in the order of their number and then of the text. */
function keywordsOf(text: string): string[] {
  const counts = new Map<string, number>();
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? []) {
    if (word.length >= MIN_KEYWORD_CHARACTERS) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, KEYWORDS)
    .map(([word]) => word);
}
