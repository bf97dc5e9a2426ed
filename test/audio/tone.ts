/** A sine of `amplitude` at `frequencyHz`. */
export function tone(frequencyHz: number, sampleRate: number, lengthSamples: number, amplitude: number): Int16Array {
  const step = (2 * Math.PI * frequencyHz) / sampleRate;
  return Int16Array.from({ length: lengthSamples }, (_, index) => Math.round(amplitude * Math.sin(step * index)));
}

export interface ToneFit {
  readonly amplitude: number;
  /** Of the fitted sine at the first sample, −π … π. */
  readonly phase: number;
  /** Amplitude of a sine with the energy of all that is not the tone. */
  readonly residual: number;
}

/** Fits a sine to `pcm`, which must hold whole periods of it. */
export function fitTone(pcm: Int16Array, frequencyHz: number, sampleRate: number): ToneFit {
  const step = (2 * Math.PI * frequencyHz) / sampleRate;
  let inPhase = 0;
  let quadrature = 0;
  let energy = 0;
  for (let i = 0; i < pcm.length; i++) {
    const sample = pcm[i]!;
    inPhase += sample * Math.sin(step * i);
    quadrature += sample * Math.cos(step * i);
    energy += sample * sample;
  }
  const amplitude = (2 * Math.hypot(inPhase, quadrature)) / pcm.length;
  const residual = Math.sqrt(Math.max(0, (2 * energy) / pcm.length - amplitude ** 2));
  return { amplitude, phase: Math.atan2(quadrature, inPhase), residual };
}

export function decibels(ratio: number): number {
  return 20 * Math.log10(ratio);
}
