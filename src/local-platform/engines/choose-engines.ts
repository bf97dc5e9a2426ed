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
  const [realEars, realVoice] = choice === 'auto' ? await Promise.all([findEars(log), findVoice(log)]) : [];
  const sentences = realEars && realVoice ? [] : loadSentences();
  return { ears: realEars ?? new BuiltInEars(sentences), voice: realVoice ?? new BuiltInVoice(sentences) };
}

const never = new AbortController().signal;

function findEars(log: Pick<Logger, 'warn'>): Promise<Ears | undefined> {
  const packages = 'pocketsphinx pocketsphinx-en-us';
  return tryProgram('pocketsphinx_batch', packages, log, async (path) => {
    const ears = new PocketsphinxEars(path);
    await ears.transcribe(new Int16Array(ENGINE_SAMPLE_RATE / 10), never);
    return ears;
  });
}

function findVoice(log: Pick<Logger, 'warn'>): Promise<Voice | undefined> {
  return tryProgram('flite', 'flite espeak-ng', log, async (flite) => {
    const voice = new FliteVoice({ flite, espeak: findProgram('espeak-ng') });
    await voice.speak('yes', never);
    return voice;
  });
}

/** @returns what `start` makes of the program; undefined, with a warning, if it is missing or does not work. */
async function tryProgram<Engine>(
  program: string,
  packages: string,
  log: Pick<Logger, 'warn'>,
  start: (path: string) => Promise<Engine>,
): Promise<Engine | undefined> {
  let found = `${program} is not installed`;
  const path = findProgram(program);
  if (path !== undefined) {
    try {
      return await start(path);
    } catch (thrown) {
      found = toError(thrown).message;
    }
  }
  log.warn(
    { found, cure: `apt-get install ${packages}` },
    'a built-in engine, which knows only the sentences of fixtures/speech, takes its place',
  );
  return undefined;
}
