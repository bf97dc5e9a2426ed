import { Resampler } from '../../audio/resampler.ts';
import { ENGINE_SAMPLE_RATE } from './engine.ts';

/** Only the telephone band is looked at, so that 16 kHz and what came through G.711 look alike. */
const SAMPLE_RATE = 8000;
const WINDOW_SAMPLES = 256;
const LOWEST_HZ = 250;
const HIGHEST_HZ = 3400;
const BANDS = 16;
/** Close enough together that the window leaves no gap between them. */
const PROBES_PER_BAND = 3;
const PROBES = BANDS * PROBES_PER_BAND;
/** What lies this far below the loudest sound is taken for silence: room noise, quantisation noise. */
const FLOOR_DB = 30;

export interface Fingerprint {
  readonly frames: number;
  /** {@link BANDS} levels for each frame, frame after frame. */
  readonly levels: Float32Array;
  /** Sum of the squares of each frame's levels. */
  readonly energies: Float32Array;
}

/** Hann-windowed cosines, then sines, of each probe frequency. */
const PROBE_WAVES = makeProbeWaves();

function makeProbeWaves(): Float32Array {
  const waves = new Float32Array(PROBES * 2 * WINDOW_SAMPLES);
  for (let probe = 0; probe < PROBES; probe++) {
    const hz = LOWEST_HZ + ((HIGHEST_HZ - LOWEST_HZ) * probe) / (PROBES - 1);
    for (let i = 0; i < WINDOW_SAMPLES; i++) {
      const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW_SAMPLES);
      const angle = (2 * Math.PI * hz * i) / SAMPLE_RATE;
      waves[2 * probe * WINDOW_SAMPLES + i] = window * Math.cos(angle);
      waves[(2 * probe + 1) * WINDOW_SAMPLES + i] = window * Math.sin(angle);
    }
  }
  return waves;
}

/**
 * The course of the shape of a sound's spectrum, independent of its gain and of the tilt of the line it came over: how
 * loud a sentence is from syllable to syllable tells far less about it than which sounds it is made of.
 *
 * Levels are decibels relative to the mean of their band while there is sound, and to the mean of their frame. Before
 * and after the sound there are `marginFrames` of silence.
 *
 * @param pcm - mono at 16 kHz.
 */
export function fingerprint(pcm: Int16Array, hopMs: number, marginFrames: number): Fingerprint {
  const narrow = Resampler.resample(pcm, ENGINE_SAMPLE_RATE, SAMPLE_RATE);
  const hopSamples = (hopMs * SAMPLE_RATE) / 1000;
  const soundFrames = Math.max(0, Math.floor((narrow.length - WINDOW_SAMPLES) / hopSamples) + 1);
  const frames = soundFrames + 2 * marginFrames;
  const levels = new Float32Array(frames * BANDS);
  for (let frame = 0; frame < soundFrames; frame++) {
    const window = narrow.subarray(frame * hopSamples, frame * hopSamples + WINDOW_SAMPLES);
    measureBands(window, levels.subarray((marginFrames + frame) * BANDS));
  }
  normalise(levels);
  const energies = Float32Array.from({ length: frames }, (_, frame) =>
    levels.subarray(frame * BANDS, (frame + 1) * BANDS).reduce((sum, level) => sum + level * level, 0),
  );
  return { frames, levels, energies };
}

/** Writes the energy of each band. */
function measureBands(window: Int16Array, energies: Float32Array): void {
  for (let probe = 0; probe < PROBES; probe++) {
    const cosine = 2 * probe * WINDOW_SAMPLES;
    const sine = cosine + WINDOW_SAMPLES;
    let real = 0;
    let imaginary = 0;
    for (let i = 0; i < WINDOW_SAMPLES; i++) {
      real += PROBE_WAVES[cosine + i]! * window[i]!;
      imaginary += PROBE_WAVES[sine + i]! * window[i]!;
    }
    energies[Math.floor(probe / PROBES_PER_BAND)]! += real * real + imaginary * imaginary;
  }
}

/** Turns energies into decibels above the floor, less the mean of the band while there is sound and of the frame. */
function normalise(levels: Float32Array): void {
  const floor =
    Math.max(
      1,
      levels.reduce((most, energy) => Math.max(most, energy), 0),
    ) /
    10 ** (FLOOR_DB / 10);
  for (let i = 0; i < levels.length; i++) levels[i] = 10 * Math.log10(Math.max(levels[i]!, floor) / floor);
  for (let band = 0; band < BANDS; band++) {
    let sum = 0;
    let sounding = 0;
    for (let i = band; i < levels.length; i += BANDS) {
      if (levels[i]! <= 0) continue;
      sum += levels[i]!;
      sounding++;
    }
    const mean = sounding === 0 ? 0 : sum / sounding;
    for (let i = band; i < levels.length; i += BANDS) levels[i]! -= mean;
  }
  for (let frame = 0; frame < levels.length; frame += BANDS) {
    const bands = levels.subarray(frame, frame + BANDS);
    const mean = bands.reduce((sum, level) => sum + level, 0) / BANDS;
    for (let band = 0; band < BANDS; band++) bands[band]! -= mean;
  }
}

/**
 * Cosine of the angle between `frames` of a template and as many of a sound, 1 for alike. The sound's frames lie
 * `stride` apart.
 */
export function similarity(
  template: Fingerprint,
  templateFrame: number,
  sound: Fingerprint,
  soundFrame: number,
  frames: number,
  stride: number,
): number {
  let product = 0;
  let templateEnergy = 0;
  let soundEnergy = 0;
  for (let frame = 0; frame < frames; frame++) {
    const inTemplate = templateFrame + frame;
    const inSound = soundFrame + frame * stride;
    templateEnergy += template.energies[inTemplate]!;
    soundEnergy += sound.energies[inSound]!;
    const a = inTemplate * BANDS;
    const b = inSound * BANDS;
    for (let band = 0; band < BANDS; band++) product += template.levels[a + band]! * sound.levels[b + band]!;
  }
  return product / Math.sqrt(templateEnergy * soundEnergy || 1);
}
