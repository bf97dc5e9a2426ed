/**
 * Telephone speech for a recogniser that was trained on wideband speech.
 *
 * Above 4 kHz a telephone passes nothing, and an acoustic model may hear that as a different sound. Half of the mirror
 * image that any 8 kHz signal has around 4 kHz gives fricatives energy where they have it. The README has what it is worth.
 */

/** How far the upper half of the band must lie below the whole for speech to have come through a telephone. */
const NARROWBAND_DB = -45;
const IMAGE_GAIN = 0.5;
/** Half length of the high-pass filter that measures the upper half of the band. */
const FILTER_REACH = 15;

/** Windowed-sinc high-pass at a quarter of the sample rate. Every other tap of it is zero. */
const HIGH_PASS = Float64Array.from({ length: 2 * FILTER_REACH + 1 }, (_, index) => {
  const n = index - FILTER_REACH;
  // Passes from a little above the quarter on, so that the edge of the telephone band is not taken for speech above it.
  const cutoff = 0.28;
  const ideal = n === 0 ? 1 - 2 * cutoff : -Math.sin(2 * Math.PI * cutoff * n) / (Math.PI * n);
  const blackman =
    0.42 + 0.5 * Math.cos((Math.PI * n) / (FILTER_REACH + 1)) + 0.08 * Math.cos((2 * Math.PI * n) / (FILTER_REACH + 1));
  return ideal * blackman;
});

/** Whether `pcm`, at 16 kHz, has nothing above the telephone band. */
export function isNarrowband(pcm: Int16Array): boolean {
  let whole = 0;
  let upper = 0;
  for (let i = FILTER_REACH; i < pcm.length - FILTER_REACH; i++) {
    let sum = 0;
    for (let tap = 0; tap < HIGH_PASS.length; tap++) sum += HIGH_PASS[tap]! * pcm[i + tap - FILTER_REACH]!;
    upper += sum * sum;
    whole += pcm[i]! * pcm[i]!;
  }
  return 10 * Math.log10(upper / whole) < NARROWBAND_DB;
}

/**
 * `pcm`, at 16 kHz and without anything above 4 kHz, plus half of its mirror image around 4 kHz.
 *
 * Multiplying with (-1)^n mirrors a spectrum around a quarter of the sample rate; so even samples grow by half, odd ones
 * shrink by half.
 */
export function addMirrorImage(pcm: Int16Array): Int16Array {
  return pcm.map((sample, index) => {
    const mirrored = Math.round(sample * (index % 2 === 0 ? 1 + IMAGE_GAIN : 1 - IMAGE_GAIN));
    return Math.max(-32768, Math.min(32767, mirrored));
  });
}
