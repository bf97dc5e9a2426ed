/** A sentence ends after one of these, with what closes behind it. */
const SENTENCE_END = /[.!?؟。！？…؛;]["'»”’)\]]*\s+|\n+/gu;

/**
 * Cuts `text` into parts of at most `maxCharacters` (UTF-16 units, so never more characters than that), at the ends of
 * sentences, else between words, and only inside a word that is longer itself. Nothing but blanks is lost.
 */
export function splitText(text: string, maxCharacters: number): string[] {
  const parts: string[] = [];
  let rest = text.trim();
  while (rest.length > maxCharacters) {
    const end =
      lastEnd(rest, SENTENCE_END, maxCharacters) ??
      lastEnd(rest, /\s+/gu, maxCharacters) ??
      hardEnd(rest, maxCharacters);
    parts.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  if (rest !== '') parts.push(rest);
  return parts;
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

/** The limit, or one less where it would part a surrogate pair. */
function hardEnd(text: string, maxCharacters: number): number {
  return /[\uD800-\uDBFF]/.test(text[maxCharacters - 1] ?? '') ? maxCharacters - 1 : maxCharacters;
}
