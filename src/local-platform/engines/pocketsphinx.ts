import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Ears, ENGINE_SAMPLE_RATE } from './engine.ts';
import { addMirrorImage, isNarrowband } from './narrowband.ts';
import { inScratchFolder, runProgram } from './programs.ts';
import { WorkQueue } from './work-queue.ts';

/** A decoder takes about 95 MB; more than this at once gain nothing on a small machine. */
const DECODERS = 4;
const MAX_WAITING = 32;

/** English dictation with the model of Debian's `pocketsphinx-en-us`, one decoder process per utterance. */
export class PocketsphinxEars implements Ears {
  readonly name = 'pocketsphinx';
  readonly #program: string;
  readonly #queue = new WorkQueue({ concurrent: DECODERS, maxWaiting: MAX_WAITING });

  /** @param program - path of `pocketsphinx_batch`. */
  constructor(program: string) {
    this.#program = program;
  }

  transcribe(pcm: Int16Array, signal: AbortSignal): Promise<string> {
    return this.#queue.run(() => inScratchFolder((folder) => this.#decode(folder, pcm, signal)), signal);
  }

  settled(): Promise<void> {
    return this.#queue.settled();
  }

  async #decode(folder: string, pcm: Int16Array, signal: AbortSignal): Promise<string> {
    const heard = isNarrowband(pcm) ? addMirrorImage(pcm) : pcm;
    const hypothesis = join(folder, 'hypothesis');
    const control = join(folder, 'control');
    await writeFile(join(folder, 'utterance.raw'), new Uint8Array(heard.buffer, heard.byteOffset, heard.byteLength));
    await writeFile(control, 'utterance\n');
    const args = ['-samprate', ENGINE_SAMPLE_RATE, '-adcin', 'yes', '-cepdir', folder, '-cepext', '.raw'];
    await runProgram(this.#program, [...args.map(String), '-ctl', control, '-hyp', hypothesis], signal);
    return readHypothesis(await readFile(hypothesis, 'utf8'));
  }
}

/** A line reads `one two(2) three (utterance -1234)`: the words, with the number of a pronunciation, and the score. */
export function readHypothesis(line: string): string {
  return line
    .replace(/\(\S+ -?\d+\)\s*$/, '')
    .replace(/\(\d+\)/g, '')
    .trim();
}
