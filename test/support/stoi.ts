/**
 * Short-time objective intelligibility, for judging concealment: 0 (lost) to 1 (as clear as the original).
 *
 * The definition is that of Taal, Hendriks, Heusdens and Jensen, "An Algorithm for Intelligibility Prediction of
 * Time-Frequency Weighted Noisy Speech" (IEEE TASLP 2011) with the framing and resampling of the pystoi package, so
 * that figures can be compared with published ones: both signals at 10 kHz, frames more than 40 dB below the loudest
 * one removed, 15 third-octave bands from 150 Hz, correlation of 384 ms envelopes clipped at -15 dB.
 */
const RATE = 10_000;
const FRAME = 256;
const HOP = FRAME / 2;
const FFT = 512;
const BANDS = 15;
const LOWEST_BAND_HZ = 150;
const SEGMENT = 30;
const DYNAMIC_RANGE_DB = 40;
const CLIP = 1 + 10 ** (15 / 20);
const TINY = Number.EPSILON;

/**
 * @param clean - the original.
 * @param degraded - what was heard, aligned with it and of the same length.
 * @param sampleRate - of both, in Hz.
 * @returns the score, or NaN when less than 384 ms of speech remain without the silence.
 * @throws RangeError - if the lengths differ.
 */
export function stoi(clean: ArrayLike<number>, degraded: ArrayLike<number>, sampleRate: number): number {
  if (clean.length !== degraded.length) {
    throw new RangeError(`Expected signals of one length but received ${clean.length} and ${degraded.length}`);
  }
  const [cleanSpeech, degradedSpeech] = removeSilence(toStoiRate(clean, sampleRate), toStoiRate(degraded, sampleRate));
  const cleanBands = bandEnvelopes(cleanSpeech);
  const degradedBands = bandEnvelopes(degradedSpeech);
  const frames = cleanBands.length / BANDS;
  if (frames < SEGMENT) return Number.NaN;
  let sum = 0;
  for (let start = 0; start + SEGMENT <= frames; start++) {
    for (let band = 0; band < BANDS; band++) sum += segmentCorrelation(cleanBands, degradedBands, start, band);
  }
  return sum / (BANDS * (frames - SEGMENT + 1));
}

/** Correlation of one band's envelope over one segment, the degraded one scaled to the clean one's energy and clipped. */
function segmentCorrelation(clean: Float64Array, degraded: Float64Array, start: number, band: number): number {
  let cleanEnergy = 0;
  let degradedEnergy = 0;
  for (let i = start; i < start + SEGMENT; i++) {
    cleanEnergy += clean[i * BANDS + band]! ** 2;
    degradedEnergy += degraded[i * BANDS + band]! ** 2;
  }
  const scale = Math.sqrt(cleanEnergy) / (Math.sqrt(degradedEnergy) + TINY);
  let cleanSum = 0;
  let clippedSum = 0;
  for (let i = start; i < start + SEGMENT; i++) {
    const x = clean[i * BANDS + band]!;
    cleanSum += x;
    clippedSum += Math.min(degraded[i * BANDS + band]! * scale, x * CLIP);
  }
  const cleanMean = cleanSum / SEGMENT;
  const clippedMean = clippedSum / SEGMENT;
  let product = 0;
  let cleanSquare = 0;
  let clippedSquare = 0;
  for (let i = start; i < start + SEGMENT; i++) {
    const x = clean[i * BANDS + band]!;
    const y = Math.min(degraded[i * BANDS + band]! * scale, x * CLIP) - clippedMean;
    product += y * (x - cleanMean);
    cleanSquare += (x - cleanMean) ** 2;
    clippedSquare += y * y;
  }
  return product / ((Math.sqrt(cleanSquare) + TINY) * (Math.sqrt(clippedSquare) + TINY));
}

/** Polyphase resampling to 10 kHz through a Kaiser-windowed sinc with 60 dB rejection (Octave's `resample`). */
function toStoiRate(input: ArrayLike<number>, sampleRate: number): Float64Array {
  if (sampleRate === RATE) return Float64Array.from(input);
  const divisor = greatestCommonDivisor(RATE, sampleRate);
  const up = RATE / divisor;
  const down = sampleRate / divisor;
  const cutoff = 1 / (2 * Math.max(up, down));
  const half = Math.ceil((60 - 8) / (28.714 * (cutoff / 10)));
  const taps = new Float64Array(2 * half + 1);
  let sum = 0;
  for (let i = -half; i <= half; i++) {
    const angle = Math.PI * 2 * cutoff * i;
    const sinc = i === 0 ? 1 : Math.sin(angle) / angle;
    const tap = sinc * besselI0(0.1102 * (60 - 8.7) * Math.sqrt(1 - (i / half) ** 2));
    taps[i + half] = tap;
    sum += tap;
  }
  const output = new Float64Array(Math.ceil((input.length * up) / down));
  for (let n = 0; n < output.length; n++) {
    const centre = n * down;
    const first = Math.max(0, Math.ceil((centre - half) / up));
    const last = Math.min(input.length - 1, Math.floor((centre + half) / up));
    let value = 0;
    for (let i = first; i <= last; i++) value += input[i]! * taps[centre - i * up + half]!;
    output[n] = (value * up) / sum;
  }
  return output;
}

/** Overlap-adds again only those frames whose clean version is within the dynamic range of the loudest one. */
function removeSilence(clean: Float64Array, degraded: Float64Array): [Float64Array, Float64Array] {
  const starts: number[] = [];
  const levels: number[] = [];
  for (let start = 0; start < clean.length - FRAME; start += HOP) {
    let energy = 0;
    for (let i = 0; i < FRAME; i++) energy += (clean[start + i]! * WINDOW[i]!) ** 2;
    starts.push(start);
    levels.push(20 * Math.log10(Math.sqrt(energy) + TINY));
  }
  const floor =
    levels.reduce((loudest, level) => Math.max(loudest, level), Number.NEGATIVE_INFINITY) - DYNAMIC_RANGE_DB;
  const kept = starts.filter((_, index) => levels[index]! > floor);
  const length = kept.length === 0 ? 0 : (kept.length - 1) * HOP + FRAME;
  const join = (signal: Float64Array): Float64Array => {
    const joined = new Float64Array(length);
    for (const [index, start] of kept.entries()) {
      for (let i = 0; i < FRAME; i++) joined[index * HOP + i]! += signal[start + i]! * WINDOW[i]!;
    }
    return joined;
  };
  return [join(clean), join(degraded)];
}

/** The magnitude of each third-octave band in each frame, `frame * BANDS + band`. */
function bandEnvelopes(signal: Float64Array): Float64Array {
  const frames = Math.max(0, Math.ceil((signal.length - FRAME) / HOP));
  const envelopes = new Float64Array(frames * BANDS);
  const real = new Float64Array(FFT);
  const imaginary = new Float64Array(FFT);
  for (let frame = 0; frame < frames; frame++) {
    real.fill(0);
    imaginary.fill(0);
    for (let i = 0; i < FRAME; i++) real[i] = signal[frame * HOP + i]! * WINDOW[i]!;
    fourierTransform(real, imaginary);
    for (let band = 0; band < BANDS; band++) {
      let power = 0;
      for (let bin = BAND_EDGES[band * 2]!; bin < BAND_EDGES[band * 2 + 1]!; bin++) {
        power += real[bin]! ** 2 + imaginary[bin]! ** 2;
      }
      envelopes[frame * BANDS + band] = Math.sqrt(power);
    }
  }
  return envelopes;
}

/** In-place radix-2 transform of a power-of-two length. */
function fourierTransform(real: Float64Array, imaginary: Float64Array): void {
  const n = real.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j]!, real[i]!];
      [imaginary[i], imaginary[j]] = [imaginary[j]!, imaginary[i]!];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    for (let k = 0; k < size / 2; k++) {
      const cos = Math.cos((-2 * Math.PI * k) / size);
      const sin = Math.sin((-2 * Math.PI * k) / size);
      for (let a = k; a < n; a += size) {
        const b = a + size / 2;
        const re = real[b]! * cos - imaginary[b]! * sin;
        const im = real[b]! * sin + imaginary[b]! * cos;
        real[b] = real[a]! - re;
        imaginary[b] = imaginary[a]! - im;
        real[a]! += re;
        imaginary[a]! += im;
      }
    }
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Modified Bessel function of order zero, by its power series. */
function besselI0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-16; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** Hann window without its zero ends. */
const WINDOW = Float64Array.from(
  { length: FRAME },
  (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 1)) / (FRAME + 1)),
);

/** First and past-last bin of each band, `band * 2` and `band * 2 + 1`: the bins nearest to the band's edges. */
const BAND_EDGES = Uint16Array.from({ length: BANDS * 2 }, (_, i) => {
  const edgeHz = LOWEST_BAND_HZ * 2 ** ((2 * (i >> 1) + (i % 2 === 0 ? -1 : 1)) / 6);
  return Math.round((edgeHz * FFT) / RATE);
});
