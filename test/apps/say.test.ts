import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { say } from '../../src/apps/say.ts';
import { parseWav } from '../../src/audio/wav.ts';
import type { GatewayError } from '../../src/core/errors.ts';
import { ScriptedPlatform } from '../support/scripted-platform.ts';
import { rejection, until } from '../support/until.ts';

const pcm = Int16Array.from({ length: 24_000 }, (_, i) => 9000 * Math.sin(i / 9));
const bytes = Buffer.from(pcm.buffer);

interface World {
  platform: ScriptedPlatform;
  folder: string;
  env: Record<string, string>;
  stdout: Screen;
  stderr: Screen;
  run: (args: string[], stdin?: string) => Promise<number>;
}

class Screen extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

const test = suite<World>('say command');

test.before.each(async (world) => {
  world.platform = await ScriptedPlatform.start();
  world.platform.onTts = ({ response }) => response.end(bytes);
  world.folder = await mkdtemp(join(tmpdir(), 'say-'));
  world.env = { HAMSA_API_KEY: 'sk_live_say_0123456789', HAMSA_BASE_URL: world.platform.baseUrl, PATH: world.folder };
  world.stdout = new Screen();
  world.stderr = new Screen();
  world.run = (args, stdin = '') => say(args, { ...world, stdin: Readable.from([Buffer.from(stdin)]) });
});

test.after.each(async ({ platform, folder }) => {
  await platform.close();
  await rm(folder, { recursive: true });
});

test('writes a whole WAV and says how long it is', async ({ run, folder, stdout, platform }) => {
  const out = join(folder, 'hello.wav');
  assert.is(await run(['Hello', 'there', '--out', out]), 0);
  const wav = parseWav(await readFile(out));
  assert.equal([wav.format, wav.sampleRate, wav.channels], ['linear16', 16_000, 1]);
  assert.equal(Buffer.from(wav.data), bytes);
  assert.equal(await readdir(folder), ['hello.wav']);
  assert.is(stdout.text, `${out}: 1.5 s\n`);
  assert.is(platform.ttsCalls[0]?.payload['text'], 'Hello there');
});

test('--json tells the same to programs, --voice chooses who speaks', async ({ run, folder, stdout, platform }) => {
  const out = join(folder, 'hello.wav');
  await run(['مرحبا', '--out', out, '--voice', 'Lana', '--json']);
  assert.equal(JSON.parse(stdout.text), { file: out, voice: 'Lana', sampleRate: 16_000, durationMs: 1500 });
  assert.is(platform.ttsCalls[0]?.payload['speaker'], 'Lana');
});

test('reads the text from standard input, whole characters', async ({ run, folder, platform }) => {
  await run(['-', '--out', join(folder, 'a.wav')], 'مرحبا بك\n');
  assert.is(platform.ttsCalls[0]?.payload['text'], 'مرحبا بك');
});

test('speech that breaks off is an error and leaves no file', async ({ run, folder, platform }) => {
  platform.onTts = ({ response }) => response.write(bytes.subarray(0, 20_000), () => response.destroy());
  const out = join(folder, 'a.wav');
  assert.is(((await rejection(run(['Hello', '--out', out]))) as GatewayError).code, 'ERR_TTS_TORN');
  assert.equal(await readdir(folder), []);
});

test('a file that was there stays as it was until the new one is whole', async ({ run, folder, platform }) => {
  const out = join(folder, 'a.wav');
  await writeFile(out, 'before');
  platform.onTts = ({ response }) => response.writeHead(400).end('{"message":"no"}');
  assert.is(((await rejection(run(['Hello', '--out', out]))) as GatewayError).code, 'ERR_PLATFORM_REQUEST');
  assert.is(await readFile(out, 'utf8'), 'before');
  platform.onTts = ({ response }) => response.end(bytes);
  await run(['Hello', '--out', out]);
  assert.is(parseWav(await readFile(out)).data.length, bytes.length);
  assert.equal(await readdir(folder), ['a.wav']);
});

test('an interruption ends the request and leaves no file', async ({ run, folder, platform }) => {
  platform.onTts = ({ response }) => response.write(bytes);
  const failure = rejection(run(['Hello', '--out', join(folder, 'a.wav')]));
  const { response } = await platform.ttsCall(1);
  process.emit('SIGINT');
  assert.is(((await failure) as GatewayError).code, 'ERR_ABORTED');
  await until(() => response.destroyed, 'the end of the request');
  assert.equal(await readdir(folder), []);
});

test('nothing to say, an unknown flag and a folder that is not there cost no request', async (world) => {
  const { run, folder, platform } = world;
  for (const args of [[], ['  '], ['-']]) {
    const error = (await rejection(run([...args, '--out', join(folder, 'a.wav')]))) as GatewayError;
    assert.is(error.code, 'ERR_BAD_REQUEST');
    assert.match(error.message, /needed: .*cure: /);
  }
  assert.is(((await rejection(run(['!?', '--out', join(folder, 'a.wav')]))) as GatewayError).code, 'ERR_BAD_REQUEST');
  assert.is(((await rejection(run(['Hello', '--loud']))) as GatewayError).code, 'ERR_BAD_REQUEST');
  const error = (await rejection(run(['Hello', '--out', join(folder, 'none', 'a.wav')]))) as GatewayError;
  assert.is(error.code, 'ERR_OUTPUT');
  assert.match(error.message, 'needed: ');
  assert.is(platform.ttsCalls.length, 0);
  assert.equal(await readdir(folder), []);
});

test('without --out and without a player it says what to do', async ({ run, platform }) => {
  const error = (await rejection(run(['Hello']))) as GatewayError;
  assert.is(error.code, 'ERR_OUTPUT');
  assert.match(error.message, /aplay.*--out/);
  assert.is(platform.ttsCalls.length, 0);
});

/** A player that keeps what it is given, as it is called by a shell. */
async function installPlayer(folder: string, name: string, script: string): Promise<void> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}\n`);
  await chmod(path, 0o755);
}

test('plays raw samples through aplay or play, and a WAV through ffplay', async ({ run, folder, stdout }) => {
  for (const name of ['ffplay', 'play', 'aplay']) {
    await installPlayer(folder, name, `echo "$0 $*" > ${folder}/args; cat > ${folder}/heard`);
    assert.is(await run(['Hello']), 0);
    const heard = await readFile(join(folder, 'heard'));
    const args = await readFile(join(folder, 'args'), 'utf8');
    assert.match(args, `${folder}/${name} `);
    if (name === 'ffplay') assert.equal(Buffer.from(parseWav(heard).data), bytes);
    else {
      assert.equal(heard, bytes);
      assert.match(args, '16000');
    }
  }
  assert.is(stdout.text, '');
});

test('a player that fails is told with its own words', async ({ run, folder }) => {
  await installPlayer(folder, 'aplay', 'echo "ALSA: no such card" >&2; exit 1');
  const error = (await rejection(run(['Hello']))) as GatewayError;
  assert.is(error.code, 'ERR_OUTPUT');
  assert.match(error.message, 'ALSA: no such card');
  assert.match(error.message, '--out');
});

test('without a key the local platform speaks, and says so', async ({ run, env, folder, stderr }) => {
  delete env['HAMSA_API_KEY'];
  delete env['HAMSA_BASE_URL'];
  const out = join(folder, 'a.wav');
  // A sentence that the built-in voice knows, too.
  assert.is(await run(['What time does the last train leave for London?', '--out', out]), 0);
  assert.match(stderr.text, 'no HAMSA_API_KEY: the local platform speaks');
  assert.ok(parseWav(await readFile(out)).data.length > 32_000);
});

test.run();
