import { readFile } from 'node:fs/promises';
import { Resampler } from '../../src/audio/resampler.ts';
import { parseWav, wavToPcm } from '../../src/audio/wav.ts';

const FOLDER = new URL('../../fixtures/speech/', import.meta.url);

export interface SpokenSentences {
  readonly pcm: Int16Array;
  readonly texts: string[];
  /** Between the sentences, silence of the recordings around them left out. */
  readonly pauses: { readonly startMs: number; readonly endMs: number }[];
}

/** Recorded sentences one after the other, with `pauseMs` of silence between them, at `sampleRate`. */
export async function readSpeechFixture(
  files: readonly string[],
  sampleRate: number,
  pauseMs: number,
): Promise<SpokenSentences> {
  const index = JSON.parse(await readFile(new URL('sentences.json', FOLDER), 'utf8')) as {
    file: string;
    text: string;
  }[];
  const samples: number[] = [];
  const texts: string[] = [];
  const pauses: { startMs: number; endMs: number }[] = [];
  for (const file of files) {
    const wav = parseWav(await readFile(new URL(file, FOLDER)));
    if (texts.length > 0) {
      const startMs = (samples.length * 1000) / sampleRate;
      samples.push(...new Int16Array((pauseMs * sampleRate) / 1000));
      pauses.push({ startMs, endMs: (samples.length * 1000) / sampleRate });
    }
    samples.push(...trimmed(Resampler.resample(wavToPcm(wav), wav.sampleRate, sampleRate)));
    texts.push(`${index.find((sentence) => sentence.file === file)!.text}. `);
  }
  return { pcm: Int16Array.from(samples), texts, pauses };
}

/** Without the silence at both ends. */
function trimmed(pcm: Int16Array): Int16Array {
  const isLoud = (sample: number): boolean => Math.abs(sample) > 600;
  return pcm.subarray(pcm.findIndex(isLoud), pcm.findLastIndex(isLoud) + 1);
}
