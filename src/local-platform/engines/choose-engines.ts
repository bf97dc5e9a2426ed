import { toError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { BuiltInEars, BuiltInVoice } from './built-in.ts';
import { type Ears, ENGINE_SAMPLE_RATE, type Voice } from './engine.ts';
import { FliteVoice } from './flite.ts';
import { PocketsphinxEars } from './pocketsphinx.ts';
import { findProgram } from './programs.ts';
import { loadSentences } from './sentences.ts';

/** `auto`: the real engines that are installed, the built-in ones for those that are not. */
export type EngineChoice = 'auto' | 'builtin';

export interface Engines {
  readonly ears: Ears;
  readonly voice: Voice;
}

/** A real engine is taken only after it has done a small piece of work: a program without its model is none. */
export async function chooseEngines(choice: EngineChoice, log: Pick<Logger, 'warn'>): Promise<Engines> {
  const real = choice === 'auto' ? await Promise.all([realEars(log), realVoice(log)]) : [];
  const sentences = real[0] && real[1] ? [] : loadSentences();
  return { ears: real[0] ?? new BuiltInEars(sentences), voice: real[1] ?? new BuiltInVoice(sentences) };
}

async function realEars(log: Pick<Logger, 'warn'>): Promise<Ears | undefined> {
  const cure = 'apt-get install pocketsphinx pocketsphinx-en-us';
  const program = findProgram('pocketsphinx_batch');
  if (program === undefined) {
    log.warn({ cure }, 'pocketsphinx_batch is not installed: the ears know only the sentences of fixtures/speech');
    return undefined;
  }
  const ears = new PocketsphinxEars(program);
  try {
    await ears.transcribe(new Int16Array(ENGINE_SAMPLE_RATE / 10), new AbortController().signal);
    return ears;
  } catch (thrown) {
    const found = toError(thrown).message;
    log.warn({ found, cure }, 'pocketsphinx does not work: the ears know only the sentences of fixtures/speech');
    return undefined;
  }
}

async function realVoice(log: Pick<Logger, 'warn'>): Promise<Voice | undefined> {
  const cure = 'apt-get install flite espeak-ng';
  const flite = findProgram('flite');
  if (flite === undefined) {
    log.warn({ cure }, 'flite is not installed: the voice knows only the sentences of fixtures/speech');
    return undefined;
  }
  const voice = new FliteVoice({ flite, espeak: findProgram('espeak-ng') });
  try {
    await voice.speak('yes', new AbortController().signal);
    return voice;
  } catch (thrown) {
    const found = toError(thrown).message;
    log.warn({ found, cure }, 'flite does not work: the voice knows only the sentences of fixtures/speech');
    return undefined;
  }
}
