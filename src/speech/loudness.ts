import { levelDbov } from '../audio/level.ts';

/**
 * A telephone's quietest code is −72 dBov. Speech whose loudest moment is nearer to that than this is not understood,
 * by people or by the platform; quiet callers have theirs at −40.
 */
const MIN_PEAK_DBOV = -55;
const FRAME_MS = 20;

/** Whether any 20 ms of `pcm` are loud enough to be understood. */
export function isAudible(pcm: Int16Array, sampleRate: number): boolean {
  const frameSamples = (sampleRate * FRAME_MS) / 1000;
  for (let start = 0; start < pcm.length; start += frameSamples) {
    if (levelDbov(pcm.subarray(start, start + frameSamples)) >= MIN_PEAK_DBOV) return true;
  }
  return false;
}
