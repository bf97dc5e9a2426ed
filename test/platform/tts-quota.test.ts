import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../src/core/errors.ts';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import { QuotaGovernor } from '../../src/platform/quota-governor.ts';
import type { SpeechPriority } from '../../src/platform/speech-stream.ts';
import { TtsStreamClient } from '../../src/platform/tts-stream.ts';
import { QuotaScheduler } from '../../src/speech/quota-scheduler.ts';
import { Synthesizer } from '../../src/speech/synthesizer.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { ScriptedPlatform } from '../support/scripted-platform.ts';
import { rejection } from '../support/until.ts';

interface World {
  platform: ScriptedPlatform;
  clock: FakeClock;
  scheduler: QuotaScheduler;
  client: TtsStreamClient;
  asked: SpeechPriority[];
}

const test = suite<World>('speech under a quota');

test.before.each(async (world) => {
  const platform = await ScriptedPlatform.start();
  const clock = new FakeClock();
  const scheduler = new QuotaScheduler({ clock, quota: new QuotaGovernor({ limit: 100 }) });
  const asked: SpeechPriority[] = [];
  const client = new TtsStreamClient({
    baseUrl: platform.baseUrl,
    apiKey: 'sk_live_fedcba9876543210',
    authScheme: 'Token',
    guard: new AccountGuard(),
    clock,
    acquireSlot: (options) => {
      asked.push(options);
      const { priority = 'turn', signal } = options;
      return scheduler.acquire('tts', { priority, deadlineMs: 10_000, signal });
    },
  });
  Object.assign(world, { platform, clock, scheduler, client, asked });
});

test.after.each(async ({ client, platform }) => {
  await client.close();
  await platform.close();
});

const REQUEST = { text: 'a', voice: 'Salem', sampleRate: 16_000 } as const;

async function hear(speech: AsyncIterable<Int16Array | symbol>): Promise<number> {
  let samples = 0;
  for await (const chunk of speech) samples += typeof chunk === 'symbol' ? 0 : chunk.length;
  return samples;
}

test('each request takes a slot, and its answer tells what the server has left', async ({
  platform,
  client,
  scheduler,
}) => {
  platform.onTts = ({ response }) => {
    response.writeHead(200, { 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '50', 'x-ratelimit-reset': '9' });
    response.end(Buffer.alloc(3200, 1));
  };
  await hear(await client.openSpeech(REQUEST));
  assert.equal([scheduler.usage.used, scheduler.usage.limit], [1, 60]);
});

test('a refusal for the rate holds back what comes next as long as it says', async ({
  platform,
  client,
  scheduler,
}) => {
  platform.onTts = ({ response }) => response.writeHead(429, { 'retry-after': '7' }).end('{"message":"slow down"}');
  assert.is(((await rejection(client.openSpeech(REQUEST))) as GatewayError).code, 'ERR_PLATFORM_RATE');
  assert.equal([scheduler.usage.refusals, scheduler.usage.blockedMs], [1, 7_000]);
});

test('a request that waits for the quota in vain is never made', async ({ platform, client, clock, scheduler }) => {
  const refused = await scheduler.acquire('stt', { priority: 'turn', deadlineMs: 1_000 });
  platform.onTts = ({ response }) => response.writeHead(429, { 'retry-after': '30' }).end();
  await rejection(client.openSpeech(REQUEST));
  refused.cancelled();
  const failure = rejection(client.openSpeech(REQUEST));
  await setImmediate();
  clock.advance(10_000);
  assert.is(((await failure) as GatewayError).code, 'ERR_QUOTA_WAIT');
  assert.is(platform.ttsCalls.length, 1);
});

test('speech that is given up while it waits costs nothing', async ({ platform, client, scheduler }) => {
  platform.onTts = ({ response }) => response.writeHead(429, { 'retry-after': '30' }).end();
  await rejection(client.openSpeech(REQUEST));
  const controller = new AbortController();
  const failure = rejection(client.openSpeech(REQUEST, { signal: controller.signal }));
  controller.abort();
  assert.is(((await failure) as GatewayError).code, 'ERR_ABORTED');
  assert.equal([scheduler.usage.used, scheduler.pressure.waiting], [1, 0]);
});

test('a synthesizer asks with the priority of the text, and not again when the quota has no room', async (world) => {
  const { platform, client, clock, asked } = world;
  platform.onTts = ({ response }) => response.end(Buffer.alloc(3200, 1));
  const synthesizer = new Synthesizer({
    openSpeech: (request, options) => client.openSpeech(request, options),
    clock,
    voice: 'Salem',
  });
  await hear(synthesizer.speak('hello', { sampleRate: 16_000, priority: 'greeting' }));
  await hear(synthesizer.speak('hello', { sampleRate: 16_000 }));
  assert.equal(
    asked.map(({ priority }) => priority),
    ['greeting', undefined],
  );
  platform.onTts = ({ response }) => response.writeHead(429, { 'retry-after': '50' }).end();
  await rejection(hear(synthesizer.speak('hello', { sampleRate: 16_000 })));
  const before = asked.length;
  const failure = rejection(hear(synthesizer.speak('hello', { sampleRate: 16_000 })));
  await setImmediate();
  clock.advance(10_000);
  assert.is(((await failure) as GatewayError).code, 'ERR_QUOTA_WAIT');
  assert.is(asked.length, before + 1);
});

test.run();
