import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { Resampler } from '../../audio/resampler.ts';
import { parseWav, wavToPcm } from '../../audio/wav.ts';
import { ENGINE_SAMPLE_RATE } from './engine.ts';

/** Something the built-in engines know how it sounds. */
export interface Sentence {
  readonly text: string;
  /** Mono at 16 kHz. */
  readonly pcm: Int16Array;
}

const FOLDER = new URL('../../../fixtures/speech/', import.meta.url);
const Index = z.array(z.strictObject({ file: z.string().regex(/^[\w-]+\.wav$/), text: z.string() }));

/** The sentences of `fixtures/speech/`. @throws GatewayError `ERR_WAV_INVALID`, SyntaxError or the file system's error. */
export function loadSentences(): Sentence[] {
  const index = Index.parse(JSON.parse(readFileSync(new URL('sentences.json', FOLDER), 'utf8')));
  return index.map(({ file, text }) => {
    const wav = parseWav(readFileSync(new URL(file, FOLDER)));
    return { text, pcm: Resampler.resample(wavToPcm(wav), wav.sampleRate, ENGINE_SAMPLE_RATE) };
  });
}
