// timeout: 300 s
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Resampler } from '../../src/audio/resampler.ts';
import { levelDbov } from '../../src/audio/level.ts';
import { ApiError } from '../../src/local-platform/api-error.ts';
import { FliteVoice } from '../../src/local-platform/engines/flite.ts';
import { addMirrorImage, isNarrowband } from '../../src/local-platform/engines/narrowband.ts';
import { PocketsphinxEars, readHypothesis } from '../../src/local-platform/engines/pocketsphinx.ts';
import { findProgram, inScratchFolder, runProgram } from '../../src/local-platform/engines/programs.ts';
import { WorkQueue } from '../../src/local-platform/engines/work-queue.ts';
import { readUtterance } from '../../src/local-platform/utterance.ts';
import { needs } from '../support/needs.ts';
import { startPlatform, until, withPlatform } from './platform.ts';
import { SocketClient } from './socket-client.ts';
import { amplified, noise, overTelephone, padded, SENTENCES, ulawWav, wav16 } from './sound.ts';

const test = suite('engines');
const never = new AbortController().signal;

async function errorOf(work: Promise<unknown>): Promise<Error & { status?: number }> {
  return await work.then(
    () => assert.unreachable('it did not fail') as never,
    (thrown: unknown) => thrown as Error,
  );
}

/** The place for temporary files of this process alone, so that it can be watched. */
const ownTmp = mkdtempSync(join(tmpdir(), 'engines-test-'));
process.env['TMPDIR'] = ownTmp;
test.after(() => rmSync(ownTmp, { recursive: true }));

function scratchFolders(): string[] {
  return readdirSync(ownTmp);
}

test('runs no more tasks at once than allowed, in their order, and refuses what can not wait', async () => {
  const queue = new WorkQueue({ concurrent: 2, maxWaiting: 2 });
  const started: number[] = [];
  const finish: (() => void)[] = [];
  const task = (id: number): Promise<number> =>
    queue.run(async () => {
      started.push(id);
      await new Promise<void>((resolve) => finish.push(resolve));
      return id;
    }, never);
  const results = [task(1), task(2), task(3), task(4)];
  assert.is((await errorOf(task(5))).status, 503);
  assert.equal(started, [1, 2]);
  finish.shift()?.();
  assert.is(await results[0], 1);
  await Promise.resolve();
  assert.equal(started, [1, 2, 3]);
  finish.shift()?.();
  await results[1];
  while (finish.length < 2) await Promise.resolve();
  for (const each of finish) each();
  assert.equal(await Promise.all(results), [1, 2, 3, 4]);
});

test('does not start a task whose signal was aborted while it waited, and goes on with the next', async () => {
  const queue = new WorkQueue({ concurrent: 1, maxWaiting: 2 });
  let finish = (): void => {};
  const first = queue.run(() => new Promise<void>((resolve) => (finish = resolve)), never);
  const gone = new AbortController();
  const second = errorOf(queue.run(() => assert.unreachable() as never, gone.signal));
  const third = queue.run(async () => 'third', never);
  gone.abort();
  finish();
  await first;
  assert.is((await second).name, 'AbortError');
  assert.is(await third, 'third');
});

test('kills a program when its signal is aborted', async () => {
  const gone = new AbortController();
  const work = errorOf(runProgram(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], gone.signal));
  setImmediate(() => gone.abort());
  assert.is((await work).name, 'AbortError');
});

test('says which program failed, and its last words', async () => {
  const failed = await errorOf(
    runProgram(process.execPath, ['-e', 'console.error("so it goes"); process.exit(3)'], never),
  );
  assert.instance(failed, ApiError);
  assert.is(failed.status, 500);
  assert.match(failed.message, /^node failed: exit 3 so it goes$/);
  const missing = await errorOf(runProgram('/nonexistent/engine', [], never));
  assert.is(missing.status, 500);
  assert.match(missing.message, /^engine failed/);
});

if (needs('stops a program that takes too much memory', 'prlimit')) {
  test('stops a program that takes too much memory', async () => {
    // A gigabyte of address space is not enough for Node itself.
    assert.is((await errorOf(runProgram(process.execPath, ['-e', 'Buffer.alloc(2 ** 31)'], never))).status, 500);
  });
}

test('removes a scratch folder when its work ends, well or not', async () => {
  await inScratchFolder(async () => assert.is(scratchFolders().length, 1));
  await errorOf(inScratchFolder(async () => Promise.reject(new Error('x'))));
  assert.equal(scratchFolders(), []);
});

test('tells speech that came over a telephone from speech that did not, at any level', () => {
  for (const { pcm } of SENTENCES) {
    assert.not(isNarrowband(pcm));
    assert.not(isNarrowband(amplified(pcm, -20)));
    assert.ok(isNarrowband(overTelephone(pcm)));
    assert.ok(isNarrowband(overTelephone(amplified(pcm, -10))));
    assert.ok(isNarrowband(padded(overTelephone(pcm), 500, 500)));
  }
});

test('hears the same in 16 kHz WAV that came from a telephone as in its mulaw', () => {
  const { pcm } = SENTENCES[0]!;
  const { pcm: wide } = readUtterance({ audioBase64: wav16(overTelephone(pcm)) });
  const { pcm: narrow, durationMs } = readUtterance({ audioBase64: ulawWav(pcm) });
  assert.equal(narrow, wide);
  assert.is(durationMs, Math.round(pcm.length / 16));
});

test('adds the mirror image of the telephone band at half its level', () => {
  const tone = (hz: number, rate: number): Int16Array =>
    new Int16Array(rate).map((_, index) => 8000 * Math.sin((2 * Math.PI * hz * index) / rate));
  const out = addMirrorImage(Resampler.resample(tone(3000, 8000), 8000, 16_000));
  const partAt = (hz: number): number => {
    let real = 0;
    let imaginary = 0;
    for (const [index, sample] of out.entries()) {
      real += sample * Math.cos((2 * Math.PI * hz * index) / 16_000);
      imaginary += sample * Math.sin((2 * Math.PI * hz * index) / 16_000);
    }
    return (2 * Math.hypot(real, imaginary)) / out.length;
  };
  assert.ok(Math.abs(partAt(3000) - 8000) < 100, `${partAt(3000)}`);
  assert.ok(Math.abs(partAt(5000) - 4000) < 100, `${partAt(5000)}`);
});

test('reads the words of a hypothesis', () => {
  assert.is(readHypothesis('hello the(2) world (utterance -9241)\n'), 'hello the world');
  assert.is(readHypothesis(' (utterance 0)\n'), '');
  assert.is(readHypothesis(''), '');
});

test('takes the built-in engines and says why where no program is installed', async () => {
  const path = process.env['PATH'];
  process.env['PATH'] = '/nonexistent';
  try {
    await withPlatform(
      async ({ ears, voice, lines }) => {
        assert.is(ears, 'built-in');
        assert.is(voice, 'built-in');
        assert.match(lines.join(''), 'pocketsphinx_batch is not installed');
        assert.match(lines.join(''), 'flite is not installed');
      },
      { engines: 'auto' },
    );
  } finally {
    process.env['PATH'] = path;
  }
});

if (needs('pocketsphinx hears', 'pocketsphinx_batch')) {
  const ears = new PocketsphinxEars(findProgram('pocketsphinx_batch')!);
  /** Takes a decoder some seconds. */
  const long = padded(SENTENCES[0]!.pcm, 20_000, 20_000).map((sample, index) => sample + (index % 7) * 300);

  test('pocketsphinx hears nothing in silence, noise and no sound at all', async () => {
    const source = noise(9);
    assert.is(await ears.transcribe(new Int16Array(0), never), '');
    assert.is(await ears.transcribe(new Int16Array(16_000), never), '');
    assert.is(
      await ears.transcribe(
        new Int16Array(16_000).map(() => 500 * source.next().value),
        never,
      ),
      '',
    );
  });

  test('a decoder is killed and its folder removed when the client goes away', async () => {
    const platform = await startPlatform({ engines: 'auto' });
    const client = await SocketClient.greeted(platform.url);
    assert.is(platform.ears, 'pocketsphinx');
    client.send({ type: 'stt', payload: { audioBase64: ulawWav(long) } });
    await until('the decoder has begun', () => scratchFolders().length > 0);
    client.socket.terminate();
    await until('its folder is gone', () => scratchFolders().length === 0);
    assert.not.match(platform.lines.join(''), '"heard"');
    await platform.close();
  });

  test('closing the platform ends its decoders and removes their folders', async () => {
    const platform = await startPlatform({ engines: 'auto' });
    const client = await SocketClient.greeted(platform.url);
    const payload = { audioBase64: ulawWav(long) };
    client.send({ type: 'stt', payload });
    const answer = platform.post('/v1/realtime/stt', payload).then(
      () => 'answered',
      () => 'broke off',
    );
    await until('both decoders have begun', () => scratchFolders().length === 2);
    await platform.close();
    assert.equal(scratchFolders(), []);
    assert.is(await answer, 'broke off');
    assert.is((await client.closed).code, 1001);
  });
}

if (needs('flite speaks', 'flite')) {
  const voice = new FliteVoice({ flite: findProgram('flite')!, espeak: findProgram('espeak-ng') });

  test('flite speaks English, whatever characters it is written with', async () => {
    for (const text of ['Hello there.', '-o speech.wav; $(exit 7)', '--help', 'café number 5 & more']) {
      const { engine, pcm } = await voice.speak(text, never);
      assert.is(engine, 'flite');
      assert.ok(pcm.length > 8000, text);
      assert.ok(levelDbov(pcm) > -30, text);
    }
  });

  test('flite speaks the longest text there can be', async () => {
    const { pcm } = await voice.speak('word '.repeat(400).trim(), never);
    assert.ok(pcm.length > 60 * 16_000);
  });

  test('flite refuses a text in letters that it would pass over', async () => {
    const error = await errorOf(voice.speak('日本', never));
    assert.is(error.status, 400);
    assert.match(error.message, /English and Arabic only/);
  });

  test('Arabic is refused where espeak-ng is not installed', async () => {
    const alone = new FliteVoice({ flite: findProgram('flite')!, espeak: undefined });
    const error = await errorOf(alone.speak('مرحبا', never));
    assert.is(error.status, 400);
    assert.match(error.message, /espeak-ng/);
  });

  if (needs('espeak-ng speaks Arabic', 'espeak-ng')) {
    test('espeak-ng speaks Arabic', async () => {
      const { engine, pcm } = await voice.speak('مرحبا كيف حالك اليوم', never);
      assert.is(engine, 'espeak-ng');
      assert.ok(pcm.length > 12_000);
      assert.ok(levelDbov(pcm) > -40);
    });
  }
}

test.run();
