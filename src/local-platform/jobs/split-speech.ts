/** Pieces are as long as this at most, which the ears take in one go. */
const MAX_PIECE_MS = 25_000;
/** A piece ends at the quietest place of its last stretch. */
const SEARCH_MS = 10_000;
const WINDOW_MS = 100;

/** `pcm` in pieces that end where it is quiet. They are views. */
export function splitSpeech(pcm: Int16Array, sampleRate: number): Int16Array[] {
  const maxSamples = (MAX_PIECE_MS * sampleRate) / 1000;
  const pieces: Int16Array[] = [];
  let from = 0;
  while (pcm.length - from > maxSamples) {
    const to = quietest(pcm, from + maxSamples - (SEARCH_MS * sampleRate) / 1000, from + maxSamples, sampleRate);
    pieces.push(pcm.subarray(from, to));
    from = to;
  }
  pieces.push(pcm.subarray(from));
  return pieces;
}

/** The middle of the quietest window between two samples. */
function quietest(pcm: Int16Array, from: number, to: number, sampleRate: number): number {
  const window = (WINDOW_MS * sampleRate) / 1000;
  let best = to;
  let least = Number.POSITIVE_INFINITY;
  for (let start = from; start + window <= to; start += window / 2) {
    let energy = 0;
    for (let i = start; i < start + window; i++) energy += pcm[i]! * pcm[i]!;
    if (energy < least) [least, best] = [energy, start + window / 2];
  }
  return best;
}
