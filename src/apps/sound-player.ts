import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { wavHeader } from '../audio/wav.ts';
import { GatewayError } from '../core/errors.ts';

interface Player {
  readonly program: string;
  readonly args: (sampleRate: number) => string[];
  /** Whether it wants a WAV header before the samples. */
  readonly header?: boolean;
}

/** The first that is installed plays: of ALSA, SoX and FFmpeg. */
const PLAYERS: readonly Player[] = [
  { program: 'aplay', args: (rate) => ['-q', '-t', 'raw', '-f', 'S16_LE', '-c', '1', '-r', String(rate), '-'] },
  {
    program: 'play',
    args: (rate) => ['-q', '-t', 'raw', '-e', 'signed-integer', '-b', '16', '-L', '-c', '1', '-r', String(rate), '-'],
  },
  { program: 'ffplay', args: () => ['-nodisp', '-autoexit', '-loglevel', 'error', '-i', '-'], header: true },
];
const MAX_COMPLAINT_CHARACTERS = 500;

/** A program of this machine that plays 16 bit mono as it comes. */
export class SoundPlayer {
  readonly #program: string;
  readonly #child: ChildProcessByStdio<Writable, null, Readable>;
  /** Undefined: it could not be started. */
  readonly #exited: Promise<number | null | undefined>;
  #complaint = '';

  private constructor(path: string, player: Player, sampleRate: number, env: NodeJS.ProcessEnv) {
    this.#program = player.program;
    this.#child = spawn(path, player.args(sampleRate), { stdio: ['pipe', 'ignore', 'pipe'], env });
    this.#exited = new Promise((resolve) => {
      this.#child.once('close', (code) => resolve(code)).once('error', () => resolve(undefined));
    });
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString()).slice(-MAX_COMPLAINT_CHARACTERS);
    });
    // A player that ends early says why when it is waited for.
    this.#child.stdin.on('error', () => {});
    if (player.header) {
      this.#child.stdin.write(wavHeader({ format: 'linear16', sampleRate, dataBytes: 0, streaming: true }));
    }
  }

  /** @throws GatewayError `ERR_OUTPUT` - no player is installed. */
  static start(sampleRate: number, env: NodeJS.ProcessEnv): SoundPlayer {
    const folders = (env['PATH'] ?? '').split(delimiter);
    for (const player of PLAYERS) {
      const path = folders.map((folder) => join(folder, player.program)).find(isProgram);
      if (path !== undefined) return new SoundPlayer(path, player, sampleRate, env);
    }
    const names = PLAYERS.map(({ program }) => `\`${program}\``).join(', ');
    throw new GatewayError('ERR_OUTPUT', {
      found: 'no program that plays sound',
      needed: `one of ${names}`,
      cure: 'install one, or write a file with --out FILE.wav',
    });
  }

  /** Resolves when there is room for more. @throws GatewayError `ERR_OUTPUT` - the player has ended. */
  async write(pcm: Int16Array): Promise<void> {
    const { stdin } = this.#child;
    if (stdin.write(new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength))) return;
    const hasEnded = await Promise.race([once(stdin, 'drain').then(() => false), this.#exited.then(() => true)]);
    if (hasEnded) await this.finish();
  }

  /** Resolves when everything was played. @throws GatewayError `ERR_OUTPUT` - the player failed. */
  async finish(): Promise<void> {
    this.#child.stdin.end();
    const code = await this.#exited;
    if (code === 0) return;
    const why = this.#complaint.trim().split('\n').at(-1) || `exit code ${code ?? 'none'}`;
    throw new GatewayError('ERR_OUTPUT', {
      found: `\`${this.#program}\` did not play: ${why}`,
      needed: 'a sound card that works',
      cure: 'write a file with --out FILE.wav',
    });
  }

  async giveUp(): Promise<void> {
    this.#child.kill();
    await this.#exited;
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
