import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Resampler } from '../../src/audio/resampler.ts';
import { parseWav, wavToPcm } from '../../src/audio/wav.ts';
import { prompts, type Recording } from './speech.ts';

const FIXTURES = new URL('../../fixtures/', import.meta.url).pathname;
/** People of several accents who read aloud, of Debian's pocketsphinx-testdata; some files are bare samples of 16 kHz. */
const TESTDATA = '/usr/share/pocketsphinx/test/data';

function read(path: string): Recording {
  const bytes = readFileSync(path);
  const isWav = bytes.subarray(0, 4).toString('latin1') === 'RIFF';
  const wav = isWav ? parseWav(bytes) : undefined;
  const pcm = wav ? wavToPcm(wav) : new Int16Array(bytes.buffer.slice(bytes.byteOffset), 0, bytes.length >> 1);
  return { name: path.split('/').slice(-2).join('/'), pcm: Resampler.resample(pcm, wav?.sampleRate ?? 16_000, 8000) };
}

function folder(path: string): Recording[] {
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => /\.(wav|raw)$/.test(name))
    .sort()
    .map((name) => read(join(path, name)));
}

export interface Corpus {
  readonly english: readonly Recording[];
  /** Of the English: those without a room or a breath in their pauses. */
  readonly studio: readonly Recording[];
  readonly arabic: readonly Recording[];
}

/**
 * Speech at 8 kHz: the fixtures in English and Arabic, and in English every n-th telephone prompt and all recordings of
 * people that Debian has, where they are installed.
 */
export function corpus(purpose: string, every: number): Corpus {
  const people = ['cards', 'librivox', ''].flatMap((name) => folder(join(TESTDATA, name)));
  const studio = [...folder(join(FIXTURES, 'speech')), ...prompts(purpose, every)];
  return {
    english: [...studio, ...people],
    studio,
    arabic: folder(join(FIXTURES, 'arabic')),
  };
}
