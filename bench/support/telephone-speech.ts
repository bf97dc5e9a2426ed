import { readdirSync, readFileSync } from 'node:fs';
import { Resampler } from '../../src/audio/resampler.ts';
import { parseWav, wavToPcm } from '../../src/audio/wav.ts';
import { prompts } from '../../test/audio/speech.ts';

const FIXTURES = new URL('../../fixtures/speech/', import.meta.url);

/** Some minutes of speech at 8 kHz: Debian's telephone prompts where they are installed, else the synthetic fixtures. */
export function telephoneSpeech(): { readonly name: string; readonly pcm: Int16Array } {
  const recordings = prompts('telephone prompts', 5);
  if (recordings.length > 0) {
    const pcm = Int16Array.from(recordings.flatMap((recording) => [...recording.pcm]));
    return { name: `${recordings.length} prompts of asterisk-core-sounds-en-wav`, pcm };
  }
  const files = readdirSync(FIXTURES).filter((file) => file.endsWith('.wav'));
  const parts = files.map((file) => {
    const wav = parseWav(readFileSync(new URL(file, FIXTURES)));
    return Resampler.resample(wavToPcm(wav), wav.sampleRate, 8000);
  });
  return {
    name: `${files.length} recordings of fixtures/speech`,
    pcm: Int16Array.from(parts.flatMap((part) => [...part])),
  };
}
