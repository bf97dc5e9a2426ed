import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseWav, wavToPcm } from '../../src/audio/wav.ts';

export interface BaresipCall {
  /** `sip:USER@HOST:PORT`. */
  readonly target: string;
  /** A WAV file at 8 kHz that the caller plays, from the answer on. */
  readonly speech: string;
  /** How long the call is kept up. */
  readonly durationMs: number;
}

/** Where Debian's modules are. */
const MODULES = '/usr/lib/baresip/modules';

function config(speech: string): string {
  return [
    'poll_method epoll',
    'sip_listen 127.0.0.1:0',
    'call_max_calls 1',
    `audio_source aufile,${speech}`,
    'audio_player aufile,/dev/null',
    'audio_alert aufile,/dev/null',
    'ausrc_srate 8000',
    'auplay_srate 8000',
    'audio_level no',
    'rtp_timeout 0',
    `module_path ${MODULES}`,
    'module stdio.so',
    'module g711.so',
    'module aufile.so',
    'module auresamp.so',
    'module sndfile.so',
    'module uuid.so',
    'module_app account.so',
    'module_app menu.so',
    '',
  ].join('\n');
}

/** Calls with baresip and returns what it heard: 16 bit at 8 kHz, from its first packet on. */
export async function callWithBaresip({ target, speech, durationMs }: BaresipCall): Promise<Int16Array> {
  const folder = mkdtempSync(join(tmpdir(), 'baresip-'));
  writeFileSync(join(folder, 'config'), `${config(speech)}snd_path ${folder}\n`);
  writeFileSync(join(folder, 'accounts'), '<sip:caller@127.0.0.1>;regint=0;audio_codecs=PCMU\n');
  const child: ChildProcess = spawn(
    'baresip',
    ['-f', folder, '-e', `/dial ${target}`, '-t', String(Math.ceil(durationMs / 1000))],
    {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const stuck = sleep(durationMs + 10_000, undefined, { ref: false }).then(() => child.kill('SIGKILL'));
  await Promise.race([once(child, 'exit'), stuck]);
  try {
    const dump = readdirSync(folder).find((name) => name.startsWith('dump-') && name.endsWith('-dec.wav'));
    if (!dump) throw new Error(`baresip recorded nothing:\n${output.slice(-3000)}`);
    return wavToPcm(parseWav(readFileSync(join(folder, dump))));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
