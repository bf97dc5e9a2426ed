import { rms } from '../../src/audio/level.ts';

/** Where a snippet lies in a recording, and how well it matches there. */
export interface Match {
  readonly offsetMs: number;
  /** Normalised cross-correlation, −1 … 1: 1 is the snippet itself at whatever loudness, 0 has nothing to do with it. */
  readonly correlation: number;
}

const BLOCK_MS = 10;
/** What is this much quieter than the loudest block counts as silence: 40 dB. */
const SILENCE_RATIO = 0.01;

/**
 * Finds the place in `recording` that is most like `snippet`, independent of loudness and of a constant offset of the
 * samples. Both are mono PCM of `sampleRate`. Compares at every sample: 0.1 s against 10 s takes 0.1 s at 8 kHz.
 *
 * @throws RangeError - if the snippet is longer than the recording, or is silent and would match anywhere.
 */
export function locate(snippet: Int16Array, recording: Int16Array, sampleRate: number): Match {
  const length = snippet.length;
  if (length === 0 || length > recording.length) {
    throw new RangeError(`Expected a snippet of 1 to ${recording.length} samples but received ${length}`);
  }
  const pattern = centred(snippet);
  const patternEnergy = pattern.reduce((energy, sample) => energy + sample * sample, 0);
  if (patternEnergy === 0) throw new RangeError('Expected a snippet with sound but received silence');

  let sum = 0;
  let squares = 0;
  for (let i = 0; i < length; i++) {
    sum += recording[i]!;
    squares += recording[i]! ** 2;
  }
  let bestOffset = 0;
  let best = Number.NEGATIVE_INFINITY;
  for (let offset = 0; offset + length <= recording.length; offset++) {
    if (offset > 0) {
      const entering = recording[offset + length - 1]!;
      const leaving = recording[offset - 1]!;
      sum += entering - leaving;
      squares += entering * entering - leaving * leaving;
    }
    const energy = squares - (sum * sum) / length;
    const correlation = energy > 0 ? dotProduct(pattern, recording, offset) / Math.sqrt(patternEnergy * energy) : 0;
    if (correlation > best) {
      best = correlation;
      bestOffset = offset;
    }
  }
  return { offsetMs: (bestOffset * 1_000) / sampleRate, correlation: best };
}

/**
 * Finds the first and the last `lengthMs` of `source` in `recording`. All of the source is there when both correlate
 * and lie as far apart as in the source.
 *
 * @throws RangeError - like {@link locate}; a source with silent ends must go through {@link audiblePart} first.
 */
export function locateEnds(
  source: Int16Array,
  recording: Int16Array,
  sampleRate: number,
  lengthMs = 100,
): { readonly first: Match; readonly last: Match } {
  const length = Math.round((lengthMs * sampleRate) / 1_000);
  return {
    first: locate(source.subarray(0, length), recording, sampleRate),
    last: locate(source.subarray(-length), recording, sampleRate),
  };
}

/** The part of `pcm` between its first and its last audible 10 ms, as a view; nothing of it if all is silent. */
export function audiblePart(pcm: Int16Array, sampleRate: number): Int16Array {
  const blockSamples = Math.round((BLOCK_MS * sampleRate) / 1_000);
  const levels: number[] = [];
  for (let start = 0; start < pcm.length; start += blockSamples) {
    levels.push(rms(pcm.subarray(start, start + blockSamples)));
  }
  const loudest = levels.reduce((left, right) => Math.max(left, right), 0);
  const audible = (level: number): boolean => level > loudest * SILENCE_RATIO;
  const start = levels.findIndex(audible);
  return start < 0
    ? pcm.subarray(0, 0)
    : pcm.subarray(start * blockSamples, (levels.findLastIndex(audible) + 1) * blockSamples);
}

/** `samples` without their mean. */
function centred(samples: Int16Array): Float64Array {
  const mean = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
  return Float64Array.from(samples, (sample) => sample - mean);
}

function dotProduct(pattern: Float64Array, recording: Int16Array, offset: number): number {
  let product = 0;
  for (let i = 0; i < pattern.length; i++) product += pattern[i]! * recording[offset + i]!;
  return product;
}
