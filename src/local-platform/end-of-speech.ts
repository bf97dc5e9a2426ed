/** What the platform answers instead of a transcript when it thinks that more is to come. */
export const THINKING = '[THINKING]';

/** Words that an English sentence hardly ever ends with. */
const UNFINISHED = new Set(
  'a an the and or but because if when while so that than to of for from with without into my your his our their i is are was were am'.split(
    ' ',
  ),
);

/**
 * Whether an utterance sounds unfinished. The platform judges that with a model of its own; here it is so when the
 * transcript ends with a word that calls for another one.
 */
export function isUnfinished(transcript: string): boolean {
  const lastWord = /([\p{L}']+)[^\p{L}']*$/u.exec(transcript.toLowerCase())?.[1];
  return lastWord !== undefined && UNFINISHED.has(lastWord);
}
