import { ComfortNoise } from './comfort-noise.ts';
import { dotProduct } from './dot-product.ts';
import { NoiseFloor } from './noise-floor.ts';
import { PitchFinder } from './pitch.ts';
import type { SpeechLevels } from './speech-power.ts';

/** The spectral envelope is taken from this much of the end of what was heard. */
const ANALYSIS_MS = 20;
/** Poles per kHz of sample rate: one formant per kHz takes two. */
const POLES_PER_KHZ = 2;
const MAX_ORDER = 32;
/** How much of the last period's excitation is repeated; all of it would make a long vowel a buzz. */
const EXCITATION_GAIN = 0.85;
/** The voice is kept for 10 ms and then fades within 50 ms: after that, guessing does more harm than silence. */
const HOLD_MS = 10;
const FADE_MS = 50;
/** The background comes up over the second half of that. A gap of a packet is over before: noise would only blur it. */
const NOISE_FROM_MS = 30;
const NOISE_RISE_MS = 30;
/** The signal that comes back is faded in over 4 ms after 10 ms of guessing, over 10 ms after 25 ms. */
const MERGE_MIN_MS = 4;
const MERGE_MAX_MS = 10;
const MERGE_GROWTH = 0.4;
/** A steady tone counts as background, too, but white noise as loud as a tone would be worse than a pause. */
const MAX_NOISE_DBOV = -45;
const OVERLOAD = 32768;

/**
 * Continues a signal whose next part is missing, and leads back into it.
 *
 * The end of the signal is split into a spectral envelope (linear prediction) and an excitation. The last pitch
 * period of the excitation is repeated through the envelope, whose state still rings with the last real samples: so
 * the continuation starts without a seam, and a band-limited line stays band-limited. It fades into noise at the
 * level of the background.
 *
 * @see ITU-T G.711 appendix I, which this follows in hold, fade and overlap but not in repeating the waveform itself
 */
export class Extrapolator {
  /** Samples before `end` that `begin()` looks at. */
  readonly historySamples: number;
  readonly #samplesPerMs: number;
  readonly #pitch: PitchFinder;
  readonly #noise = new ComfortNoise();
  readonly #noiseFloor = new NoiseFloor('power');
  readonly #observed: SpeechLevels = { power: Number.NaN, treblePower: 0 };
  readonly #order: number;
  readonly #window: Float64Array;
  readonly #windowed: Float64Array;
  readonly #autocorrelation: Float64Array;
  /** Of linear prediction; index 0 belongs to the sample just before. */
  readonly #coefficients: Float64Array;
  /** The coefficients the other way round, as they meet the samples in memory. */
  readonly #predictor: Float64Array;
  readonly #previousCoefficients: Float64Array;
  readonly #excitation: Float64Array;
  /** The continuation without fade, of which the last `order` samples are needed; moved down when it is full. */
  readonly #state: Float64Array;
  #stateEnd = 0;
  #period = 1;
  #phase = 0;
  #generatedSamples = 0;
  readonly #tail: Int16Array;

  /** @param sampleRate - in Hz, 8000-48000. */
  constructor(sampleRate: number) {
    this.#samplesPerMs = sampleRate / 1000;
    this.#pitch = new PitchFinder(sampleRate);
    this.#order = Math.min(MAX_ORDER, Math.round(this.#samplesPerMs * POLES_PER_KHZ));
    const analysisSamples = Math.round(this.#samplesPerMs * ANALYSIS_MS);
    this.historySamples = Math.max(
      analysisSamples,
      this.#pitch.windowSamples + this.#pitch.maxLag,
      this.#pitch.maxLag + this.#order,
    );
    this.#window = makeAnalysisWindow(analysisSamples);
    this.#windowed = new Float64Array(analysisSamples);
    this.#autocorrelation = new Float64Array(this.#order + 1);
    this.#coefficients = new Float64Array(this.#order);
    this.#predictor = new Float64Array(this.#order);
    this.#previousCoefficients = new Float64Array(this.#order);
    this.#excitation = new Float64Array(this.#pitch.maxLag);
    this.#state = new Float64Array(this.#order + this.#pitch.maxLag + Math.round(this.#samplesPerMs * 20));
    this.#tail = new Int16Array(Math.round(this.#samplesPerMs * MERGE_MAX_MS));
  }

  /** Learns the background level from `pcm[start, end)`, a part of what was heard. */
  observe(pcm: Int16Array, start: number, end: number): void {
    if (end <= start) return;
    let energy = 0;
    // Every other sample tells the level as well.
    for (let i = start; i < end; i += 2) {
      const sample = pcm[i]!;
      energy += sample * sample;
    }
    const samples = end - start;
    this.#observed.power = energy / (Math.ceil(samples / 2) * OVERLOAD ** 2);
    this.#noiseFloor.add(this.#observed, samples / this.#samplesPerMs);
  }

  /** Prepares to continue `pcm` at `end`. Needs {@link historySamples} before it. */
  begin(pcm: Int16Array, end: number): void {
    this.#analyse(pcm, end);
    this.#pitch.search(pcm, end - this.#pitch.windowSamples, -1);
    this.#period = this.#pitch.lag;
    const order = this.#order;
    const state = this.#state;
    const length = this.#period + order;
    for (let i = 0; i < length; i++) state[i] = pcm[end - length + i]!;
    for (let i = 0; i < this.#period; i++) {
      const predicted = dotProduct(this.#predictor, 0, state, i, order);
      this.#excitation[i] = (state[i + order]! - predicted) * EXCITATION_GAIN;
    }
    this.#stateEnd = length;
    this.#phase = 0;
    this.#generatedSamples = 0;
    this.#noise.setLevel(OVERLOAD * 10 ** (Math.min(MAX_NOISE_DBOV, this.#noiseFloor.dbov) / 20));
  }

  /** Writes the next `count` samples of the continuation to `out[offset …)`. */
  generate(out: Int16Array, offset: number, count: number): void {
    for (let i = offset, end = offset + count; i < end; i++) {
      const ms = this.#generatedSamples / this.#samplesPerMs;
      this.#generatedSamples += 1;
      const voiceGain = 1 - (ms - HOLD_MS) / FADE_MS;
      const noiseGain = (ms - NOISE_FROM_MS) / NOISE_RISE_MS;
      let sample = voiceGain > 0 ? this.#nextVoice() * Math.min(1, voiceGain) : 0;
      if (noiseGain > 0) sample += this.#noise.next() * Math.min(1, noiseGain);
      out[i] = Math.max(-32768, Math.min(32767, Math.round(sample)));
    }
  }

  /** Fades, in place, from the continuation to the signal that came back, which is `pcm[start, end)`. */
  merge(pcm: Int16Array, start: number, end: number): void {
    const concealedMs = this.#generatedSamples / this.#samplesPerMs;
    const mergeMs = Math.min(MERGE_MAX_MS, MERGE_MIN_MS + MERGE_GROWTH * Math.max(0, concealedMs - HOLD_MS));
    const length = Math.min(end - start, Math.round(mergeMs * this.#samplesPerMs));
    this.generate(this.#tail, 0, length);
    for (let i = 0; i < length; i++) {
      const weight = (i + 1) / (length + 1);
      pcm[start + i] = Math.round(pcm[start + i]! * weight + this.#tail[i]! * (1 - weight));
    }
  }

  #nextVoice(): number {
    const order = this.#order;
    const state = this.#state;
    if (this.#stateEnd === state.length) {
      state.copyWithin(0, this.#stateEnd - order);
      this.#stateEnd = order;
    }
    const predicted = dotProduct(this.#predictor, 0, state, this.#stateEnd - order, order);
    const value = this.#excitation[this.#phase]! + predicted;
    state[this.#stateEnd++] = value;
    this.#phase = this.#phase + 1 === this.#period ? 0 : this.#phase + 1;
    return value;
  }

  /** Linear prediction of the end of the signal (autocorrelation method, Levinson-Durbin recursion). */
  #analyse(pcm: Int16Array, end: number): void {
    const { length } = this.#window;
    const windowed = this.#windowed;
    for (let i = 0; i < length; i++) windowed[i] = pcm[end - length + i]! * this.#window[i]!;
    const r = this.#autocorrelation;
    for (let lag = 0; lag <= this.#order; lag++) r[lag] = dotProduct(windowed, lag, windowed, 0, length - lag);
    const a = this.#coefficients;
    const previous = this.#previousCoefficients;
    a.fill(0);
    // A trace of white noise keeps the recursion well conditioned; it lies below the rounding of the samples.
    let error = r[0]! * (1 + 1e-6) + 1;
    for (let m = 0; m < this.#order; m++) {
      let sum = r[m + 1]!;
      for (let j = 0; j < m; j++) sum -= a[j]! * r[m - j]!;
      const k = sum / error;
      previous.set(a);
      for (let j = 0; j < m; j++) a[j] = previous[j]! - k * previous[m - 1 - j]!;
      a[m] = k;
      error *= 1 - k * k;
    }
    for (let i = 0; i < this.#order; i++) this.#predictor[i] = a[this.#order - 1 - i]!;
  }
}

/** Rises slowly and falls at the very end, so that the newest samples weigh most but do not end in a cliff. */
function makeAnalysisWindow(length: number): Float64Array {
  const peak = 0.85;
  return Float64Array.from({ length }, (_, i) => {
    const position = (i + 0.5) / length;
    if (position < peak) return Math.sin((Math.PI / 2) * (position / peak)) ** 2;
    return 1 - (position - peak) / (1 - peak);
  });
}
