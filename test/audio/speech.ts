import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Resampler } from '../../src/audio/resampler.ts';
import { parseWav, wavToPcm } from '../../src/audio/wav.ts';

const PROMPT_ROOT = '/usr/share/asterisk/sounds';
/** Prompts that are tones, noises and jokes. */
const NO_SPEECH = /beep|tone|monkeys|spy|weasels|silence/;

export interface Recording {
  readonly name: string;
  readonly pcm: Int16Array;
}

function toPcm(bytes: Uint8Array, sampleRate: number): Int16Array {
  const wav = parseWav(bytes);
  return Resampler.resample(wavToPcm(wav), wav.sampleRate, sampleRate);
}

/**
 * Every n-th telephone prompt of Debian's asterisk-core-sounds-en-wav, 0.8 to 12 s long: a human voice at 8 kHz. Empty,
 * with a line that the runner counts, if the package is missing; in CI that is an error.
 */
export function prompts(testName: string, every: number): Recording[] {
  const recordings: Recording[] = [];
  try {
    for (const voice of readdirSync(PROMPT_ROOT).filter((folder) => folder.startsWith('en'))) {
      const names = readdirSync(join(PROMPT_ROOT, voice)).filter(
        (name) => name.endsWith('.wav') && !NO_SPEECH.test(name),
      );
      for (const [index, name] of names.sort().entries()) {
        if (index % every !== 0) continue;
        const pcm = toPcm(readFileSync(join(PROMPT_ROOT, voice, name)), 8000);
        if (pcm.length >= 6_400 && pcm.length <= 96_000) recordings.push({ name, pcm });
      }
    }
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
  }
  if (recordings.length === 0) console.log(`# SKIP ${testName}: needs asterisk-core-sounds-en-wav`);
  return recordings;
}

/** Speech of the flite voice slt. */
export function fliteSpeech(text: string, sampleRate: number): Recording {
  const folder = mkdtempSync(join(tmpdir(), 'flite-'));
  try {
    const path = join(folder, 'speech.wav');
    execFileSync('flite', ['-voice', 'slt', '-t', text, '-o', path]);
    return { name: `flite: ${text}`, pcm: toPcm(readFileSync(path), sampleRate) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function espeakSpeech(language: string, text: string, sampleRate: number): Recording {
  const bytes = execFileSync('espeak-ng', ['-v', language, '--stdout', text]);
  return { name: `espeak-ng: ${text}`, pcm: toPcm(bytes, sampleRate) };
}
