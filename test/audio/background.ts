import { makeRandom } from './prng.ts';

/** Steady backgrounds of a call. `fan` is low-pass noise with the harmonics of a motor, `hum` that of the mains. */
export type Background = 'white' | 'pink' | 'fan' | 'hum' | 'car';

function harmonics(index: number, sampleRate: number, parts: readonly (readonly [number, number])[]): number {
  let sum = 0;
  for (const [frequencyHz, amplitude] of parts) {
    sum += amplitude * Math.sin((2 * Math.PI * frequencyHz * index) / sampleRate + frequencyHz);
  }
  return sum;
}

function generators(gaussian: () => number, sampleRate: number): Record<Background, (index: number) => number> {
  let low = 0;
  let lower = 0;
  let pink0 = 0;
  let pink1 = 0;
  let pink2 = 0;
  const lowPass = (share: number): number => {
    low += share * (gaussian() - low);
    lower += share * (low - lower);
    return lower;
  };
  return {
    white: gaussian,
    pink: () => {
      // Three first-order filters approximate −3 dB an octave (Kellet).
      const white = gaussian();
      pink0 = 0.99765 * pink0 + 0.099046 * white;
      pink1 = 0.963 * pink1 + 0.2965164 * white;
      pink2 = 0.57 * pink2 + 1.0526913 * white;
      return pink0 + pink1 + pink2 + 0.1848 * white;
    },
    fan: (index) => {
      const motor = [
        [100, 0.25],
        [150, 0.1],
        [200, 0.15],
        [300, 0.08],
      ] as const;
      return lowPass(1200 / sampleRate) + 0.6 * harmonics(index, sampleRate, motor);
    },
    hum: (index) => {
      const mains = [
        [50, 1],
        [150, 0.6],
        [250, 0.4],
        [350, 0.3],
        [450, 0.15],
      ] as const;
      return harmonics(index, sampleRate, mains) + 0.1 * gaussian();
    },
    car: (index) => {
      const swell = 1 + 0.15 * harmonics(index, sampleRate, [[0.7, 1]]);
      return lowPass(400 / sampleRate) * swell + 0.02 * gaussian();
    },
  };
}

/** `lengthSamples` of background with exactly `levelDbov`, the same for the same seed. */
export function background(
  kind: Background,
  levelDbov: number,
  lengthSamples: number,
  seed: number,
  sampleRate = 8000,
): Float64Array {
  const random = makeRandom(seed);
  const gaussian = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const next = generators(gaussian, sampleRate)[kind];
  const samples = Float64Array.from({ length: lengthSamples }, (_, index) => next(index));
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / lengthSamples;
  const gain = (32768 * 10 ** (levelDbov / 20)) / Math.sqrt(power);
  return samples.map((sample) => sample * gain);
}
