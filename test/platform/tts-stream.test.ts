import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711 } from '../../src/audio/g711.ts';
import { wavHeader } from '../../src/audio/wav.ts';
import type { GatewayError } from '../../src/core/errors.ts';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import type { PlatformError } from '../../src/platform/platform-errors.ts';
import type { SpeechRequest, SpeechStream } from '../../src/platform/speech-stream.ts';
import { TtsStreamClient } from '../../src/platform/tts-stream.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { assertSamples } from '../support/samples.ts';
import { ScriptedPlatform } from '../support/scripted-platform.ts';
import { rejection, until } from '../support/until.ts';

const KEY = 'sk_live_fedcba9876543210';
const REQUEST: SpeechRequest = { text: 'مرحبا', voice: 'Salem', sampleRate: 16_000 };
const pcm = Int16Array.from({ length: 8000 }, (_, i) => 9000 * Math.sin(i / 9));
const bytes = Buffer.from(pcm.buffer);

interface World {
  platform: ScriptedPlatform;
  clock: FakeClock;
  guard: AccountGuard;
  client: TtsStreamClient;
}

const test = suite<World>('tts stream');

test.before.each(async (world) => {
  world.platform = await ScriptedPlatform.start();
  world.clock = new FakeClock();
  world.guard = new AccountGuard();
  const { clock, guard } = world;
  world.client = new TtsStreamClient({
    baseUrl: world.platform.baseUrl,
    apiKey: KEY,
    authScheme: 'Token',
    guard,
    clock,
  });
});

test.after.each(async ({ client, platform }) => {
  await client.close();
  await platform.close();
});

/** All that can be heard of `stream`, and the error it ends with. */
async function hear(stream: SpeechStream): Promise<{ samples: number[]; error: GatewayError | undefined }> {
  const samples: number[] = [];
  try {
    for await (const chunk of stream) samples.push(...chunk);
  } catch (error) {
    return { samples, error: error as GatewayError };
  }
  return { samples, error: undefined };
}

test('asks with the key in Authorization and plays what comes', async ({ platform, client }) => {
  platform.onTts = ({ response }) => {
    response.writeHead(200, { 'content-type': 'audio/wav' });
    response.write(bytes.subarray(0, 1001));
    response.end(bytes.subarray(1001));
  };
  const stream = await client.openSpeech(REQUEST);
  assert.is(stream.sampleRate, 16_000);
  const { samples, error } = await hear(stream);
  assert.is(error, undefined);
  assertSamples(samples, pcm);
  const [call] = platform.ttsCalls;
  assert.is(call?.headers.authorization, `Token ${KEY}`);
  assert.equal(call?.payload, { text: 'مرحبا', speaker: 'Salem', sampleRate: '16k' });
});

test('names a voice as voiceId or speaker, and the rate or mulaw', async ({ platform, client }) => {
  platform.onTts = ({ response }) => response.end(bytes);
  const id = '0a1B2c3D-0000-4000-8000-00000000000f';
  await hear(await client.openSpeech({ text: 'a', voice: id, dialect: 'irq', sampleRate: 8000 }));
  await hear(await client.openSpeech({ text: 'a', voice: 'voice_abc', sampleRate: 8000, mulaw: true }));
  assert.equal(platform.ttsCalls[0]?.payload, { text: 'a', voiceId: id, dialect: 'irq', sampleRate: '8k' });
  assert.equal(platform.ttsCalls[1]?.payload, { text: 'a', voiceId: 'voice_abc', mulaw: true });
});

test('mulaw arrives decoded', async ({ platform, client }) => {
  const codes = new Uint8Array(pcm.length);
  G711.encodeUlaw(pcm, codes);
  platform.onTts = ({ response }) => response.end(codes);
  const stream = await client.openSpeech({ ...REQUEST, mulaw: true });
  assert.is(stream.sampleRate, 8000);
  const expected = new Int16Array(codes.length);
  G711.decodeUlaw(codes, expected);
  assertSamples((await hear(stream)).samples, expected);
});

test('a RIFF header is taken off and decides the rate', async ({ platform, client }) => {
  platform.onTts = ({ response }) => {
    response.write(wavHeader({ format: 'linear16', sampleRate: 8000, dataBytes: 0, streaming: true }));
    response.end(bytes);
  };
  const stream = await client.openSpeech(REQUEST);
  assert.is(stream.sampleRate, 8000);
  assertSamples((await hear(stream)).samples, pcm);
});

test('reuses one connection for one reply after the other', async ({ platform, client }) => {
  const ports = new Set<number | undefined>();
  platform.onTts = ({ response }) => {
    ports.add(response.socket?.remotePort);
    response.end(bytes);
  };
  for (let reply = 0; reply < 3; reply++) await hear(await client.openSpeech(REQUEST));
  assert.is(ports.size, 1);
});

test('a body that is cut plays what came and is then torn', async ({ platform, client }) => {
  platform.onTts = ({ response }) => {
    response.write(bytes.subarray(0, 5000), () => response.destroy());
  };
  const { samples, error } = await hear(await client.openSpeech(REQUEST));
  assertSamples(samples, pcm.subarray(0, 2500));
  assert.is(error?.code, 'ERR_TTS_TORN');
  assert.is((error!.cause as GatewayError).code, 'ERR_PLATFORM_UNAVAILABLE');
});

test('a body shorter than its Content-Length is torn', async ({ platform, client }) => {
  platform.onTts = ({ response }) => {
    response.writeHead(200, { 'content-length': String(bytes.length) });
    response.write(bytes.subarray(0, 5000), () => response.destroy());
  };
  const { samples, error } = await hear(await client.openSpeech(REQUEST));
  assert.is(samples.length, 2500);
  assert.is(error?.code, 'ERR_TTS_TORN');
});

test('a body that stalls for 5 s is torn', async ({ platform, client, clock }) => {
  platform.onTts = ({ response }) => response.write(bytes.subarray(0, 5000));
  const stream = await client.openSpeech(REQUEST);
  const heard = hear(stream);
  await until(() => clock.timers === 1, 'the wait for more');
  clock.advance(4_999);
  assert.is(clock.timers, 1);
  clock.advance(1);
  const { samples, error } = await heard;
  assert.is(samples.length, 2500);
  assert.is(error?.code, 'ERR_TTS_TORN');
  assert.is((error!.cause as GatewayError).code, 'ERR_PLATFORM_TIMEOUT');
});

test('a listener who takes long between two chunks is no stall', async ({ platform, client, clock }) => {
  platform.onTts = ({ response }) => response.write(bytes.subarray(0, 5000));
  const chunks = (await client.openSpeech(REQUEST))[Symbol.asyncIterator]();
  let samples = (await chunks.next()).value!.length;
  clock.advance(60_000);
  platform.ttsCalls[0]?.response.end(bytes.subarray(5000));
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) samples += next.value.length;
  assert.is(samples, pcm.length);
});

test('a body cut before any audio is unavailable, and one cut within 20 ms is torn', async ({ platform, client }) => {
  platform.onTts = ({ response }) => {
    response.writeHead(200).flushHeaders();
    setImmediate(() => response.destroy());
  };
  assert.is(((await rejection(client.openSpeech(REQUEST))) as GatewayError).code, 'ERR_PLATFORM_UNAVAILABLE');
  platform.onTts = ({ response }) => response.write(bytes.subarray(0, 600), () => response.destroy());
  assert.is(((await rejection(client.openSpeech(REQUEST))) as GatewayError).code, 'ERR_TTS_TORN');
});

test('no audio, and exactly 640 bytes of it, is an empty reply', async ({ platform, client }) => {
  for (const length of [0, 640]) {
    platform.onTts = ({ response }) => response.end(bytes.subarray(0, length));
    assert.is(((await rejection(client.openSpeech(REQUEST))) as GatewayError).code, 'ERR_TTS_EMPTY');
  }
});

test('a platform that never answers is given up after 15 s', async ({ platform, client, clock }) => {
  platform.onTts = () => {};
  const opening = rejection(client.openSpeech(REQUEST));
  await platform.ttsCall(1);
  clock.advance(15_000);
  assert.is(((await opening) as GatewayError).code, 'ERR_PLATFORM_TIMEOUT');
});

test('a platform that answers with headers and then nothing is given up, too', async ({ platform, client, clock }) => {
  platform.onTts = ({ response }) => response.writeHead(200).flushHeaders();
  const opening = rejection(client.openSpeech(REQUEST));
  await platform.ttsCall(1);
  clock.advance(15_000);
  assert.is(((await opening) as GatewayError).code, 'ERR_PLATFORM_TIMEOUT');
});

test('refusals are classified, with the wait they ask for', async ({ platform, client }) => {
  platform.onTts = ({ response }) => {
    response.writeHead(429, { 'retry-after': '3', 'content-type': 'application/json' });
    response.end('{"success":false,"error":{"code":"10429","message":"Too many requests"}}');
  };
  const rate = (await rejection(client.openSpeech(REQUEST))) as PlatformError;
  assert.is(rate.code, 'ERR_PLATFORM_RATE');
  assert.is(rate.retryAfterMs, 3_000);
  platform.onTts = ({ response }) => response.writeHead(503).end('down');
  assert.is(((await rejection(client.openSpeech(REQUEST))) as GatewayError).code, 'ERR_PLATFORM_UNAVAILABLE');
  platform.onTts = ({ response }) => response.writeHead(400).end('{"message":"text is too long"}');
  assert.is(((await rejection(client.openSpeech(REQUEST))) as GatewayError).code, 'ERR_PLATFORM_REQUEST');
});

test('a redirect is not followed', async ({ platform, client }) => {
  platform.onTts = ({ response }) => response.writeHead(307, { location: '/v1/realtime/tts-stream' }).end();
  assert.is(((await rejection(client.openSpeech(REQUEST))) as GatewayError).code, 'ERR_PLATFORM_PROTOCOL');
  assert.is(platform.ttsCalls.length, 1);
});

test('an error under status 200 is an error, labelled as JSON or as audio', async ({ platform, client }) => {
  for (const label of ['application/json; charset=utf-8', 'audio/wav']) {
    platform.onTts = ({ response }) => {
      response.writeHead(200, { 'content-type': label });
      response.end('{"success":false,"error":{"code":10404,"message":"no such voice"}}');
    };
    const error = (await rejection(client.openSpeech(REQUEST))) as GatewayError;
    assert.is(error.code, 'ERR_PLATFORM_NOT_FOUND', label);
    assert.match(error.message, 'no such voice');
  }
});

test('a page under status 200 and audio of another kind are a broken protocol', async ({ platform, client }) => {
  platform.onTts = ({ response }) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<html>please log in</html>');
  };
  assert.is(((await rejection(client.openSpeech(REQUEST))) as GatewayError).code, 'ERR_PLATFORM_PROTOCOL');
  platform.onTts = ({ response }) => {
    const header = wavHeader({ format: 'linear16', sampleRate: 16_000, dataBytes: 4000 });
    header[20] = 3;
    response.end(Buffer.concat([header, bytes]));
  };
  assert.is(((await rejection(client.openSpeech(REQUEST))) as GatewayError).code, 'ERR_PLATFORM_PROTOCOL');
});

test('compressed audio is refused, not played as noise', async ({ platform, client }) => {
  platform.onTts = ({ response }) => response.writeHead(200, { 'content-type': 'audio/mpeg' }).end(bytes);
  const error = (await rejection(client.openSpeech(REQUEST))) as GatewayError;
  assert.is(error.code, 'ERR_PLATFORM_PROTOCOL');
  assert.match(error.message, 'audio/mpeg');
});

test('a body without end is torn at the bound', async ({ platform, client }) => {
  const chunk = Buffer.alloc(1_048_576, 1);
  platform.onTts = ({ response }) => {
    const write = (): void => {
      if (!response.destroyed) response.write(chunk, () => setImmediate(write));
    };
    write();
  };
  const stream = await client.openSpeech(REQUEST);
  let samples = 0;
  let error: GatewayError | undefined;
  try {
    for await (const piece of stream) samples += piece.length;
  } catch (thrown) {
    error = thrown as GatewayError;
  }
  assert.is(error?.code, 'ERR_TTS_TORN');
  assert.ok(samples <= 9_600_000);
  await until(() => platform.ttsCalls[0]!.response.destroyed, 'the end of the connection');
});

test('an abort ends the request at the platform, before and during the audio', async ({ platform, client }) => {
  platform.onTts = () => {};
  const before = new AbortController();
  const opening = rejection(client.openSpeech(REQUEST, { signal: before.signal }));
  const first = await platform.ttsCall(1);
  before.abort();
  assert.is(((await opening) as GatewayError).code, 'ERR_ABORTED');
  await until(() => first.response.destroyed, 'the end of the first connection');

  platform.onTts = ({ response }) => response.write(bytes);
  const during = new AbortController();
  const heard = hear(await client.openSpeech(REQUEST, { signal: during.signal }));
  const second = await platform.ttsCall(2);
  during.abort();
  assert.is((await heard).error?.code, 'ERR_ABORTED');
  await until(() => second.response.destroyed, 'the end of the second connection');
});

test('a signal that is aborted already asks for nothing', async ({ platform, client }) => {
  const error = await rejection(client.openSpeech(REQUEST, { signal: AbortSignal.abort() }));
  assert.is((error as GatewayError).code, 'ERR_ABORTED');
  assert.is(platform.ttsCalls.length, 0);
});

test('leaving the loop ends the request', async ({ platform, client }) => {
  platform.onTts = ({ response }) => response.write(bytes);
  for await (const chunk of await client.openSpeech(REQUEST)) {
    assert.ok(chunk.length > 0);
    break;
  }
  await until(() => platform.ttsCalls[0]!.response.destroyed, 'the end of the connection');
});

test('a refused key closes the gate for what follows, and a probe after 60 s opens it', async (world) => {
  const { platform, client, clock, guard } = world;
  platform.onTts = ({ response }) => response.writeHead(401).end(`{"message":"Invalid API key ${KEY}"}`);
  const refused = await rejection(client.openSpeech(REQUEST));
  assert.is((refused as GatewayError).code, 'ERR_PLATFORM_AUTH');
  assert.not.match(`${refused.message} ${refused.stack}`, KEY);
  assert.is(await rejection(client.openSpeech(REQUEST)), refused);
  assert.is(platform.ttsCalls.length, 1);
  assert.ok(guard.state.keyRefused);
  clock.advance(60_000);
  platform.onTts = ({ response }) => response.end(bytes);
  await hear(await client.openSpeech(REQUEST));
  assert.not(guard.state.keyRefused);
});

test('a server that is away is unavailable, without a word of the key', async (world) => {
  await world.platform.close();
  const error = await rejection(world.client.openSpeech(REQUEST));
  assert.is((error as GatewayError).code, 'ERR_PLATFORM_UNAVAILABLE');
  assert.not.match(`${error.message} ${error.stack}`, KEY);
  world.platform = await ScriptedPlatform.start();
});

test.run();
