import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GatewayError } from '../../src/core/errors.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import type { SpeechRequest } from '../../src/platform/speech-stream.ts';
import { SENTENCE_END } from '../../src/speech/playout.ts';
import { PromptCache, type PromptCacheOptions } from '../../src/speech/prompt-cache.ts';
import { type SpeakOptions, Synthesizer } from '../../src/speech/synthesizer.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { assertSamples } from '../support/samples.ts';
import { rejection } from '../support/until.ts';

const RATE = 16_000;
const pcm = Int16Array.from({ length: 2 * RATE }, (_, i) => 9000 * Math.sin(i / 11));

interface World {
  folder: string;
  requests: SpeechRequest[];
  /** What the next requests meet in the place of whole speech. */
  troubles: (Error | 'torn' | 'short')[];
  errors: Error[];
  start: (options?: Partial<PromptCacheOptions>, dialect?: string) => Started;
}

interface Started {
  readonly synthesizer: Synthesizer;
  readonly prompts: PromptCache;
  readonly hear: (text: string, options?: Partial<SpeakOptions>) => Promise<number[]>;
}

const test = suite<World>('prompt cache');

test.before.each(async (world) => {
  const folder = await mkdtemp(join(tmpdir(), 'prompts-'));
  const requests: SpeechRequest[] = [];
  const troubles: World['troubles'] = [];
  const errors: Error[] = [];
  const start: World['start'] = (options = {}, dialect) => {
    const prompts = new PromptCache({
      speaker: 'https://one',
      folder,
      onError: (error) => errors.push(error),
      ...options,
    });
    const synthesizer = new Synthesizer({
      clock: new FakeClock(),
      voice: 'Salem',
      dialect,
      prompts,
      openSpeech: async (request, { signal }) => {
        requests.push(request);
        const trouble = troubles.shift();
        if (trouble instanceof Error) throw trouble;
        return {
          sampleRate: RATE,
          async *[Symbol.asyncIterator]() {
            yield pcm.slice(0, RATE);
            if (signal?.aborted) throw new GatewayError('ERR_ABORTED', 'given up');
            if (trouble === 'short') return;
            if (trouble === 'torn') throw new GatewayError('ERR_TTS_TORN', 'broke off');
            yield pcm.slice(RATE);
          },
        };
      },
    });
    const hear: Started['hear'] = async (text, speak = {}) => {
      const samples: number[] = [];
      for await (const item of synthesizer.speak(text, { sampleRate: RATE, ...speak })) {
        if (item === SENTENCE_END) continue;
        samples.push(...item);
        // The listener owns what he is given.
        item.fill(1);
      }
      await prompts.close();
      return samples;
    };
    return { synthesizer, prompts, hear };
  };
  Object.assign(world, { folder, requests, troubles, errors, start });
});
test.after.each(({ folder }) => rm(folder, { recursive: true, force: true }));

test('a text that is said for the third time costs nothing and sounds the same', async ({
  start,
  requests,
  folder,
}) => {
  const { hear, prompts } = start();
  await hear('Hello there.');
  assert.equal(await readdir(folder), [], 'a reply that is said once fills no disk');
  for (let time = 2; time <= 4; time++) assertSamples(await hear('Hello there.'), pcm);
  assert.is(requests.length, 2);
  const { hits, misses, memoryBytes, diskBytes } = prompts.statistics;
  assert.equal([hits, misses, memoryBytes], [2, 2, pcm.byteLength]);
  assert.is(diskBytes, pcm.byteLength + 44);
});

test('it is kept over a restart', async ({ start, requests }) => {
  const { hear } = start();
  await hear('Hello there.');
  await hear('Hello there.');
  const again = start();
  assertSamples(await again.hear('Hello there.'), pcm);
  assertSamples(await again.hear('Hello there.'), pcm);
  assert.is(requests.length, 2);
  assert.is(again.prompts.statistics.hits, 2);
});

test('has the marks of its sentences', async ({ start, requests }) => {
  const { hear, synthesizer } = start();
  const text = 'One is here. Two is here.';
  await hear(text);
  await hear(text);
  let marks = 0;
  for await (const item of synthesizer.speak(text, { sampleRate: 8000 })) if (item === SENTENCE_END) marks++;
  assert.equal([marks, requests.length], [2, 2]);
});

test('whatever changes the sound is another prompt', async ({ start, requests }) => {
  const { hear } = start();
  await hear('Hello.');
  await hear('Hello.');
  await hear('Hello!');
  await hear('Hello.', { voice: 'Lana' });
  await start({}, 'irq').hear('Hello.');
  await start({ speaker: 'https://two' }).hear('Hello.');
  assert.is(requests.length, 6);
});

test('neither torn nor short nor aborted speech is kept', async ({ start, requests, troubles }) => {
  const { hear, synthesizer, prompts } = start();
  await hear('Hello there.');
  troubles.push('torn');
  await rejection(hear('Hello there.'));
  const long = 'A sentence that no voice can say in one second, as long as it is. '.repeat(2).trim();
  await hear(long);
  troubles.push('short');
  assert.is(((await rejection(hear(long))) as GatewayError).code, 'ERR_TTS_SHORT');
  const items = synthesizer.speak('Hello there.', { sampleRate: RATE });
  await items.next();
  await items.return(undefined);
  assert.equal([prompts.statistics.memoryBytes, prompts.statistics.diskBytes], [0, 0]);
  const before = requests.length;
  assertSamples(await hear('Hello there.'), pcm);
  assert.is(requests.length, before + 1);
});

test('a damaged file is asked for again and replaced', async ({ start, requests, folder }) => {
  const first = start();
  await first.hear('Hello.');
  await first.hear('Hello.');
  const path = join(folder, (await readdir(folder))[0]!);
  const whole = await readFile(path);
  for (const damage of [() => truncate(path, 5000), () => truncate(path, 0), () => writeFile(path, 'what is this')]) {
    await damage();
    const { hear } = start();
    const before = requests.length;
    assertSamples(await hear('Hello.'), pcm);
    assert.is(requests.length, before + 1);
    await hear('Hello.');
    assert.equal(await readFile(path), whole);
  }
});

test('memory and disk stay inside their bounds', async ({ start, folder }) => {
  const { hear, prompts } = start({ maxMemoryBytes: 2 * pcm.byteLength, maxDiskBytes: 3.5 * pcm.byteLength });
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    await hear(`Text ${name}.`);
    await hear(`Text ${name}.`);
  }
  assert.is(prompts.statistics.memoryBytes, 2 * pcm.byteLength);
  assert.is((await readdir(folder)).length, 3);
  assert.ok(prompts.statistics.diskBytes <= 3.5 * pcm.byteLength);
});

test('a folder that can not be written is told, and prompts are kept in memory', async (world) => {
  const { start, requests, errors, folder } = world;
  await writeFile(join(folder, 'file'), '');
  const { hear } = start({ folder: join(folder, 'file') });
  for (let time = 0; time < 4; time++) assertSamples(await hear('Hello.'), pcm);
  assert.is(requests.length, 2);
  assert.is((errors[0] as GatewayError).code, 'ERR_STORE');
});

test('a text that was preloaded is spoken while the platform is away, after a restart too', async (world) => {
  const { start, requests, troubles } = world;
  const { synthesizer, hear } = start();
  const text = 'We are sorry. Please call again later.';
  await synthesizer.preload(text);
  assert.is(requests.length, 1);
  await synthesizer.preload(text);
  assert.is(requests.length, 1);
  for (let i = 0; i < 10; i++) troubles.push(new PlatformError('ERR_PLATFORM_UNAVAILABLE', 'down'));
  assertSamples(await hear(text), pcm);
  const again = start();
  await again.synthesizer.preload(text);
  assertSamples(await again.hear(text), pcm);
  assert.is(requests.length, 1);
});

test('what was preloaded gives way to nothing', async ({ start, requests }) => {
  const { synthesizer, hear } = start({ maxMemoryBytes: 1.5 * pcm.byteLength, maxDiskBytes: 1.5 * pcm.byteLength });
  await synthesizer.preload('Please call again later.');
  for (const name of ['a', 'b', 'c']) {
    await hear(`Text ${name}.`);
    await hear(`Text ${name}.`);
  }
  const before = requests.length;
  assertSamples(await hear('Please call again later.'), pcm);
  assert.is(requests.length, before);
});

test('a preload that fails says so, and works later', async ({ start, requests, troubles }) => {
  const { synthesizer } = start();
  troubles.push(new PlatformError('ERR_PLATFORM_AUTH', 'no'));
  assert.is(((await rejection(synthesizer.preload('Later.'))) as GatewayError).code, 'ERR_PLATFORM_AUTH');
  await synthesizer.preload('Later.');
  assert.is(requests.length, 2);
});

test('an abort ends a prompt from the cache', async ({ start }) => {
  const { hear, synthesizer } = start();
  await hear('Hello.');
  await hear('Hello.');
  const controller = new AbortController();
  const items = synthesizer.speak('Hello.', { sampleRate: RATE, signal: controller.signal });
  await items.next();
  controller.abort();
  assert.is(((await rejection(items.next())) as GatewayError).code, 'ERR_ABORTED');
});

test.run();
