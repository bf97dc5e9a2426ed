/** A sample that tells its own position: a wrong, moved or torn one does not match. */
export function sampleAt(position: number): number {
  return ((Math.imul(position % 2 ** 32, 0x9e3779b1) >> 13) << 16) >> 16;
}

export function sequence(startSample: number, lengthSamples: number): Int16Array {
  const pcm = new Int16Array(lengthSamples);
  for (let i = 0; i < lengthSamples; i++) pcm[i] = sampleAt(startSample + i);
  return pcm;
}

/** How many samples of `window` are not those of the sequence at `startSample`. */
export function mismatches(window: Int16Array, startSample: number): number {
  let count = 0;
  for (let i = 0; i < window.length; i++) if (window[i] !== sampleAt(startSample + i)) count++;
  return count;
}
