import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Resampler } from '../../audio/resampler.ts';
import { parseWav, wavToPcm } from '../../audio/wav.ts';
import { ApiError } from '../api-error.ts';
import { ENGINE_SAMPLE_RATE, type Spoken, type Voice } from './engine.ts';
import { inScratchFolder, runProgram } from './programs.ts';
import { WorkQueue } from './work-queue.ts';

const SPEAKERS = 4;
const MAX_WAITING = 32;

/** A letter of another script; flite passes over it without a word. */
const FOREIGN_LETTER = /(?!\p{Script=Latin}|\p{Script=Arabic})\p{L}/u;

export interface FlitePrograms {
  readonly flite: string;
  /** Speaks what is written in Arabic letters; undefined where it is not installed. */
  readonly espeak: string | undefined;
}

/** English by flite's voice `slt`; Arabic by espeak-ng. One process per text, which gets it in a file. */
export class FliteVoice implements Voice {
  readonly name: string;
  readonly #programs: FlitePrograms;
  readonly #queue = new WorkQueue({ concurrent: SPEAKERS, maxWaiting: MAX_WAITING });

  constructor(programs: FlitePrograms) {
    this.#programs = programs;
    this.name = programs.espeak === undefined ? 'flite' : 'flite+espeak-ng';
  }

  async speak(text: string, signal: AbortSignal): Promise<Spoken> {
    if (FOREIGN_LETTER.test(text))
      throw new ApiError(400, 'The voice of the local platform speaks English and Arabic only');
    const engine = /\p{Script=Arabic}/u.test(text) ? 'espeak-ng' : 'flite';
    const { flite, espeak } = this.#programs;
    if (engine === 'flite') {
      return {
        engine,
        pcm: await this.#run(flite, (input, output) => ['-voice', 'slt', '-f', input, '-o', output], text, signal),
      };
    }
    if (espeak === undefined)
      throw new ApiError(400, 'Arabic needs the program espeak-ng, which is not installed here');
    return {
      engine,
      pcm: await this.#run(espeak, (input, output) => ['-v', 'ar', '-f', input, '-w', output], text, signal),
    };
  }

  settled(): Promise<void> {
    return this.#queue.settled();
  }

  #run(
    program: string,
    argsFor: (input: string, output: string) => string[],
    text: string,
    signal: AbortSignal,
  ): Promise<Int16Array> {
    const speakIn = async (folder: string): Promise<Int16Array> => {
      const input = join(folder, 'text');
      const output = join(folder, 'speech.wav');
      await writeFile(input, `${text}\n`);
      await runProgram(program, argsFor(input, output), signal);
      const wav = parseWav(await readFile(output));
      return Resampler.resample(wavToPcm(wav), wav.sampleRate, ENGINE_SAMPLE_RATE);
    };
    return this.#queue.run(() => inScratchFolder(speakIn), signal);
  }
}
