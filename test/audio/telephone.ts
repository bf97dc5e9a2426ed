import { G711 } from '../../src/audio/g711.ts';
import { levelDbov } from '../../src/audio/level.ts';

/** What a line makes of `samples`: rounded, clipped and through µ-law. */
export function throughUlaw(samples: ArrayLike<number>): Int16Array {
  const pcm = Int16Array.from(samples, (sample) => Math.max(-32768, Math.min(32767, Math.round(sample))));
  const codes = new Uint8Array(pcm.length);
  G711.encodeUlaw(pcm, codes);
  G711.decodeUlaw(codes, pcm);
  return pcm;
}

export function frames(pcm: Int16Array, frameSamples: number): Int16Array[] {
  const count = Math.floor(pcm.length / frameSamples);
  return Array.from({ length: count }, (_, index) => pcm.subarray(index * frameSamples, (index + 1) * frameSamples));
}

/** Level of the speech itself: the mean power of the frames within 20 dB of the loudest twentieth. */
export function activeLevelDbov(pcm: Int16Array, frameSamples: number): number {
  const levels = frames(pcm, frameSamples)
    .map(levelDbov)
    .toSorted((a, b) => a - b);
  const loud = levels[Math.floor(levels.length * 0.95)]!;
  const active = levels.filter((level) => level > loud - 20);
  return 10 * Math.log10(active.reduce((sum, level) => sum + 10 ** (level / 10), 0) / active.length);
}
