import { G711 } from '../../src/audio/g711.ts';
import { Resampler } from '../../src/audio/resampler.ts';
import { encodeWav, wavHeader } from '../../src/audio/wav.ts';
import { loadSentences, type Sentence } from '../../src/local-platform/engines/sentences.ts';

export const SENTENCES: readonly Sentence[] = loadSentences();

/** The recording of one sentence, at 16 kHz. */
export function recordingOf(index: number): Int16Array {
  return SENTENCES[index]!.pcm;
}

/** What is left of 16 kHz speech after a telephone line: 8 kHz µ-law. */
export function ulawOf(pcm: Int16Array): Uint8Array {
  const narrow = Resampler.resample(pcm, 16_000, 8000);
  const codes = new Uint8Array(narrow.length);
  G711.encodeUlaw(narrow, codes);
  return codes;
}

/** 16 kHz speech that came over a telephone line, at 16 kHz again. */
export function overTelephone(pcm: Int16Array): Int16Array {
  const codes = ulawOf(pcm);
  const narrow = new Int16Array(codes.length);
  G711.decodeUlaw(codes, narrow);
  return Resampler.resample(narrow, 8000, 16_000);
}

export function amplified(pcm: Int16Array, gainDb: number): Int16Array {
  return pcm.map((sample) => Math.max(-32768, Math.min(32767, Math.round(sample * 10 ** (gainDb / 20)))));
}

/** With silence of so many milliseconds around 16 kHz speech. */
export function padded(pcm: Int16Array, beforeMs: number, afterMs: number): Int16Array {
  const out = new Int16Array(pcm.length + (beforeMs + afterMs) * 16);
  out.set(pcm, beforeMs * 16);
  return out;
}

/** Uniform noise between −1 and 1 that is the same for the same seed. */
export function* noise(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 31 - 1;
  }
}

/** With white noise `noiseDb` below the speech. */
export function noisy(pcm: Int16Array, noiseDb: number, seed: number): Int16Array {
  const rms = Math.sqrt(pcm.reduce((sum, sample) => sum + sample * sample, 0) / pcm.length);
  const peak = rms * 10 ** (noiseDb / 20) * Math.sqrt(3);
  const source = noise(seed);
  return pcm.map((sample) => Math.max(-32768, Math.min(32767, Math.round(sample + peak * source.next().value))));
}

export function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

export function wav16(pcm: Int16Array): string {
  return base64Of(encodeWav(pcm, 16_000));
}

export function wav8(pcm: Int16Array): string {
  return base64Of(encodeWav(Resampler.resample(pcm, 16_000, 8000), 8000));
}

export function ulawWav(pcm: Int16Array): string {
  const codes = ulawOf(pcm);
  const header = wavHeader({ format: 'mulaw', sampleRate: 8000, dataBytes: codes.length });
  return base64Of(Buffer.concat([header, codes]));
}
