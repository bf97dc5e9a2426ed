import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/core/clock.ts';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import { RealtimeAuth } from '../../src/platform/realtime-auth.ts';
import { RealtimeConnection, RealtimeCounters } from '../../src/platform/realtime-connection.ts';
import { TtsStreamClient } from '../../src/platform/tts-stream.ts';
import { type GuideServer, startGuideServer } from '../guide-server/server.ts';
import { rejection } from '../support/until.ts';

const KEY = 'sk_live_key_of_the_guide';
const TEXT = 'Hello, how can I help you today?';

interface World {
  server: GuideServer;
  connect: (apiKey?: string) => Promise<RealtimeConnection>;
  counters: RealtimeCounters;
}

const test = suite<World>('speech, by a server that was made from the guide alone');
test.before.each(async (world) => {
  world.server = await startGuideServer({ apiKey: KEY });
  world.counters = new RealtimeCounters();
  const auth = new RealtimeAuth(KEY);
  world.connect = (apiKey = KEY) =>
    RealtimeConnection.open({
      url: `${world.server.url.replace('http', 'ws')}/v1/realtime/ws`,
      auth: apiKey === KEY ? auth : new RealtimeAuth(apiKey),
      clock: systemClock,
      counters: world.counters,
    });
});
test.after.each(({ server }) => server.close());

function sttFrame(payload: object): Buffer {
  return Buffer.from(JSON.stringify({ type: 'stt', payload: { audioBase64: 'UklGRg==', ...payload } }));
}

async function failureOf(promise: Promise<unknown>): Promise<PlatformError> {
  const error = await rejection(promise);
  if (error instanceof PlatformError) return error;
  throw new Error(`${error.name} is no PlatformError`, { cause: error });
}

test('utterances are transcribed, one after the other, on a socket that greets nobody', async ({
  connect,
  server,
  counters,
}) => {
  const connection = await connect();
  assert.is(
    await connection.transcribe(sttFrame({ language: 'ar', isEosEnabled: true, eosThreshold: 0.3 })),
    'مرحبا، كيف يمكنني مساعدتك اليوم؟',
  );
  assert.is(await connection.transcribe(sttFrame({ language: 'en', isEosEnabled: false })), TEXT);
  connection.close();
  // The guide knows the key in the query only; in a header it is refused first.
  const handshakes = server.requests.filter(({ method }) => method === 'GET');
  assert.equal(
    handshakes.map(({ query }) => query['api_key']),
    [undefined, KEY],
  );
  const second = await connect();
  assert.is(await second.transcribe(sttFrame({ language: 'en' })), TEXT);
  second.close();
  assert.is(counters.attempts, 3, 'what works is remembered');
});

test('a wrong key is refused at the handshake, both ways', async ({ connect, counters }) => {
  const error = await failureOf(connect('sk_live_wrong_key_0123'));
  assert.is(error.code, 'ERR_PLATFORM_AUTH');
  assert.is(counters.attempts, 2);
  assert.not.match(error.message, 'sk_live_wrong_key_0123');
});

for (const [status, code] of [
  [429, 'ERR_PLATFORM_RATE'],
  [500, 'ERR_PLATFORM_UNAVAILABLE'],
  [503, 'ERR_PLATFORM_UNAVAILABLE'],
] as const) {
  test(`a handshake that is refused with ${status} is ${code}`, async ({ connect, server }) => {
    server.failNext(status);
    const error = await failureOf(connect());
    assert.equal([error.code, error.status, error.retryable], [code, status, true]);
    assert.is(error.retryAfterMs, status === 429 ? 1_000 : undefined);
  });
}

test('what the socket refuses is the request’s fault, and not asked again', async ({ connect }) => {
  for (const payload of [
    { audioBase64: 'no base64!' },
    { audioBase64: '' },
    { language: 7 },
    { isEosEnabled: 'yes' },
    { eosThreshold: 2 },
  ]) {
    const connection = await connect();
    const error = await failureOf(connection.transcribe(sttFrame(payload)));
    assert.equal([error.code, error.retryable], ['ERR_PLATFORM_REQUEST', false], JSON.stringify(payload));
    connection.close();
  }
});

test('speech over the socket, of which the guide does not speak, is refused with an error', async ({ connect }) => {
  const connection = await connect();
  const frame = JSON.stringify({ type: 'tts', payload: { text: TEXT, speaker: 'Salem' } });
  const error = await failureOf(
    (async () => {
      for await (const _ of connection.speak(frame)) assert.unreachable('audio');
    })(),
  );
  assert.is(error.code, 'ERR_PLATFORM_REQUEST');
  connection.close();
});

test('tts-stream is played whole, behind a header without a length', async ({ server }) => {
  const client = new TtsStreamClient({
    baseUrl: server.url,
    apiKey: KEY,
    authScheme: 'Token',
    guard: new AccountGuard(),
    clock: systemClock,
  });
  try {
    const stream = await client.openSpeech({ text: TEXT, voice: 'voice_abc123', sampleRate: 16_000 });
    assert.is(stream.sampleRate, 16_000);
    const samples: number[] = [];
    for await (const chunk of stream) samples.push(...chunk);
    assert.is(samples.length, Math.round((TEXT.length / 15) * 16_000));
    const expected = (index: number): number => Math.round(Math.sin((2 * Math.PI * 220 * index) / 16_000) * 8_000);
    assert.ok(samples.every((sample, index) => sample === expected(index)));

    const unvoiced = await failureOf(client.openSpeech({ text: TEXT, voice: 'Salem', sampleRate: 16_000 }));
    assert.equal([unvoiced.code, unvoiced.status, unvoiced.joinedCode], ['ERR_PLATFORM_REQUEST', 400, 10_400]);
    for (const [status, code] of [
      [401, 'ERR_PLATFORM_AUTH'],
      [429, 'ERR_PLATFORM_RATE'],
      [503, 'ERR_PLATFORM_UNAVAILABLE'],
    ] as const) {
      server.failNext(status);
      const open = new TtsStreamClient({
        baseUrl: server.url,
        apiKey: KEY,
        authScheme: 'Token',
        guard: new AccountGuard(),
        clock: systemClock,
      });
      const error = await failureOf(open.openSpeech({ text: TEXT, voice: 'voice_abc123', sampleRate: 16_000 }));
      await open.close();
      assert.equal([error.code, error.status], [code, status]);
    }
  } finally {
    await client.close();
  }
});

test.run();
