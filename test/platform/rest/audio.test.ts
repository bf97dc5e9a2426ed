import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../../src/core/errors.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { rejection, until } from '../../support/until.ts';
import { data, type Handler, reply, ScriptedApi } from './scripted-api.ts';

interface World {
  api: ScriptedApi;
  clock: FakeClock;
}

const test = suite<World>('audio over REST');
test.before.each(async (world) => {
  world.api = await ScriptedApi.start();
  world.clock = new FakeClock();
});
test.after.each(({ api }) => api.close());

const SPEECH = { text: 'hello', voiceId: 'v' };
const audio =
  (...chunks: Buffer[]): Handler =>
  ({ response }) => {
    response.writeHead(200, { 'content-type': 'audio/wav', 'x-request-id': 'r-9' });
    for (const chunk of chunks) response.write(chunk);
    response.end();
  };
/** Answers `chunks` and then neither more nor an end. */
const unfinished =
  (...chunks: Buffer[]): Handler =>
  ({ response }) => {
    response.writeHead(200, { 'content-type': 'audio/wav' });
    for (const chunk of chunks) response.write(chunk);
  };

const pcm = Buffer.from(Array.from({ length: 6400 }, (_, i) => i % 251));

test('tts gives all of the audio as it came', async ({ api }) => {
  api.script = [audio(pcm.subarray(0, 999), pcm.subarray(999))];
  const speech = await api.client().realtime.tts(SPEECH);
  assert.equal(Buffer.from(speech.audio), pcm);
  assert.is(speech.contentType, 'audio/wav');
});

test('tts-stream gives audio before the platform has finished', async ({ api }) => {
  api.script = [unfinished(pcm.subarray(0, 640))];
  const stream = await api.client().realtime.ttsStream(SPEECH);
  const heard: Buffer[] = [];
  for await (const chunk of stream) {
    heard.push(Buffer.from(chunk));
    if (heard.length === 1) api.seen[0]!.response.end(pcm.subarray(640));
  }
  assert.equal(Buffer.concat(heard), pcm);
});

test('audio that breaks off is an error after what came, and never a short utterance', async ({ api }) => {
  api.script = [unfinished(pcm)];
  const client = api.client();
  const stream = await client.realtime.ttsStream(SPEECH);
  let bytes = 0;
  const listening = rejection(
    (async () => {
      for await (const chunk of stream) {
        bytes += chunk.length;
        api.seen[0]!.response.destroy();
      }
    })(),
  );
  assert.is((await listening).name, 'NetworkError');
  assert.ok(bytes > 0);
});

test('a stream that stalls ends, unless nobody asks for more', async ({ api, clock }) => {
  api.script = [unfinished(pcm)];
  const stream = await api.client({ clock }).realtime.ttsStream(SPEECH);
  clock.advance(200_000);
  const reader = stream[Symbol.asyncIterator]();
  let bytes = 0;
  while (bytes < pcm.length) bytes += (await reader.next()).value!.length;
  const stalled = rejection(reader.next());
  await new Promise(setImmediate);
  clock.advance(15_000);
  assert.is((await stalled).name, 'TimeoutError');
  assert.is(clock.timers, 0);
});

test('leaving the loop, cancelling and the signal end the request', async ({ api, clock }) => {
  const client = api.client({ clock });
  const isClosed: boolean[] = [];
  api.script = [
    (seen) => {
      const index = api.seen.length - 1;
      seen.response.on('close', () => {
        isClosed[index] = true;
      });
      unfinished(pcm)(seen);
    },
  ];
  for await (const _ of await client.realtime.ttsStream(SPEECH)) break;
  await until(() => isClosed[0] === true, 'the first request to end');
  (await client.realtime.ttsStream(SPEECH)).cancel();
  await until(() => isClosed[1] === true, 'the second request to end');
  const controller = new AbortController();
  const stream = await client.realtime.ttsStream(SPEECH, { signal: controller.signal });
  const reader = stream[Symbol.asyncIterator]();
  await reader.next();
  const next = rejection(
    (async () => {
      for (;;) if ((await reader.next()).done) return;
    })(),
  );
  controller.abort();
  assert.is(((await next) as GatewayError).code, 'ERR_ABORTED');
  await until(() => isClosed[2] === true, 'the third request to end');
  assert.is(clock.timers, 0);
});

test('a stream is read once', async ({ api }) => {
  api.script = [audio(pcm)];
  const stream = await api.client().realtime.ttsStream(SPEECH);
  await stream.bytes();
  assert.instance(await rejection(stream.bytes()), TypeError);
});

test('no audio, a text, and a refusal in the place of audio are errors', async ({ api }) => {
  const client = api.client({ maxAttempts: 1 });
  const refusal = '{"success":false,"error":{"code":10404,"message":"no such voice"}}';
  api.script = [audio()];
  assert.is(((await rejection(client.realtime.tts(SPEECH))) as GatewayError).code, 'ERR_TTS_EMPTY');
  api.script = [data({ url: 'https://x' })];
  assert.is((await rejection(client.realtime.tts(SPEECH))).name, 'ProtocolError');
  for (const handler of [reply(404, ''), reply(200, refusal), audio(Buffer.from(refusal))]) {
    api.script = [handler];
    assert.is((await rejection(client.realtime.tts(SPEECH))).name, 'NotFoundError');
    assert.is((await rejection(client.realtime.ttsStream(SPEECH))).name, 'NotFoundError');
  }
});

test('an endless stream is cut off at its bound', async ({ api }) => {
  let isClosed = false;
  api.script = [
    ({ response }) => {
      response.writeHead(200, { 'content-type': 'audio/wav' });
      const chunk = Buffer.alloc(1_048_576, 1);
      response.on('close', () => {
        isClosed = true;
      });
      const write = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', write);
      write();
    },
  ];
  const stream = await api.client().realtime.ttsStream(SPEECH);
  let bytes = 0;
  const listening = async (): Promise<void> => {
    for await (const chunk of stream) bytes += chunk.length;
  };
  assert.is(((await rejection(listening())) as GatewayError).code, 'ERR_PLATFORM_OVERSIZE');
  assert.ok(bytes <= 64 * 1_048_576, `${bytes} bytes were given`);
  await until(() => isClosed, 'the connection to be closed');
});

test('joining a call gives what a listener hears, or what the platform says of it', async ({ api }) => {
  const client = api.client();
  api.script = [audio(pcm)];
  const joined = await client.conversations.joinCall('v1');
  assert.equal(Buffer.from(await joined.audio!.bytes()), pcm);
  assert.is(joined.audio!.requestId, 'r-9');
  api.script = [data({ token: 'media-token' })];
  assert.equal(await client.conversations.joinCall('v1'), { audio: undefined, details: { token: 'media-token' } });
});

test('a stream that is being heard holds no place in the queue', async ({ api }) => {
  const client = api.client({ queue: { maxConcurrent: 1 } });
  api.script = [unfinished(pcm), data({ id: 'a' })];
  const stream = await client.realtime.ttsStream(SPEECH);
  assert.is((await client.voiceAgents.get('a')).id, 'a');
  stream.cancel();
});

test.run();
