/** 10 ms at 8 kHz: long enough to be no click, short enough not to be heard as one. */
export const FADE_SAMPLES = 80;

/** Multiplies `pcm` by a gain that goes from `from` to `to` in the first 10 ms and stays there. */
export function rampGain(pcm: Int16Array, from: number, to: number): void {
  const ramp = Math.min(FADE_SAMPLES, pcm.length);
  const step = (to - from) / ramp;
  for (let i = 0; i < ramp; i++) pcm[i] = Math.round(pcm[i]! * (from + step * (i + 1)));
  if (to === 0) pcm.fill(0, ramp);
  else for (let i = ramp; i < pcm.length; i++) pcm[i] = Math.round(pcm[i]! * to);
}
