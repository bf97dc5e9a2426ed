/** The level that RFC 6464 gives to digital silence, and the lowest there is. */
export const SILENCE_DBOV = -127;

/** A square wave between the extreme samples, which is 0 dBov. A full-scale sine is −3.01 dBov. */
const OVERLOAD = 32768;

/** Root mean square in sample units, 0 … 32768; 0 for no samples. */
export function rms(pcm: Int16Array): number {
  if (pcm.length === 0) return 0;
  let energy = 0;
  for (let i = 0; i < pcm.length; i++) {
    const sample = pcm[i]!;
    energy += sample * sample;
  }
  return Math.sqrt(energy / pcm.length);
}

/**
 * Level relative to the overload point, −127 … 0. Not rounded; the value on the wire of RFC 6464 is its negative,
 * rounded.
 *
 * @see RFC 6464 section 3; RFC 6465 appendix A
 */
export function levelDbov(pcm: Int16Array): number {
  return Math.max(SILENCE_DBOV, 20 * Math.log10(rms(pcm) / OVERLOAD));
}
