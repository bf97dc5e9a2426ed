import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Resampler } from '../../src/audio/resampler.ts';
import { parseWav, wavToPcm } from '../../src/audio/wav.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { KEY, type TestPlatform, until, withPlatform } from './platform.ts';
import { noise, SENTENCES, ulawOf, ulawWav, wav16, wav8 } from './sound.ts';

const test = suite('realtime REST');
const { text, pcm } = SENTENCES[0]!;
const PCM_BYTES = Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength);

interface Failure {
  readonly success: boolean;
  readonly error: { readonly code: string; readonly message: string; readonly details: unknown };
}

async function failureOf(answer: Response, status: number): Promise<Failure['error']> {
  assert.is(answer.status, status);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  const body = (await answer.json()) as Failure;
  assert.is(body.success, false);
  assert.type(body.error.message, 'string');
  assert.type(body.error.details, 'object');
  return body.error;
}

/** The HTTP chunks of a stream as they were framed, each with the time since the request. */
async function chunksOf(platform: TestPlatform, body: object): Promise<{ atMs: number; bytes: Buffer }[]> {
  const startMs = performance.now();
  const request = httpRequest(`${platform.url}/v1/realtime/tts-stream`, {
    method: 'POST',
    headers: { authorization: `Token ${KEY}`, 'content-type': 'application/json' },
  });
  request.end(JSON.stringify(body));
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
  assert.is(response.statusCode, 200);
  assert.is(response.headers['content-type'], 'audio/wav');
  assert.is(response.headers['transfer-encoding'], 'chunked');
  const chunks: { atMs: number; bytes: Buffer }[] = [];
  for await (const bytes of response) chunks.push({ atMs: performance.now() - startMs, bytes: bytes as Buffer });
  return chunks;
}

test('speaks a whole WAV file, in each format', () =>
  withPlatform(async ({ post }) => {
    const speak = async (fields: object): Promise<ReturnType<typeof parseWav>> => {
      const answer = await post('/v1/realtime/tts', { text, voiceId: 'voice_1', speed: 1.2, ...fields });
      assert.is(answer.status, 200);
      assert.is(answer.headers.get('content-type'), 'audio/wav');
      const bytes = new Uint8Array(await answer.arrayBuffer());
      assert.is(answer.headers.get('content-length'), String(bytes.length));
      return parseWav(bytes);
    };
    const wide = await speak({});
    assert.is(wide.sampleRate, 16_000);
    assert.equal(wavToPcm(wide), pcm);
    const narrow = await speak({ sampleRate: '8k' });
    assert.is(narrow.sampleRate, 8000);
    assert.equal(wavToPcm(narrow), Resampler.resample(pcm, 16_000, 8000));
    const ulaw = await speak({ mulaw: true, sampleRate: '16k' });
    assert.is(ulaw.format, 'mulaw');
    assert.is(ulaw.sampleRate, 8000);
    assert.ok(Buffer.from(ulaw.data).equals(ulawOf(pcm)));
  }));

test('streams bare samples, in each format', () =>
  withPlatform(async (platform) => {
    const [wide, narrow, ulaw] = await Promise.all(
      [{}, { sampleRate: '8k' }, { mulaw: true }].map((fields) =>
        chunksOf(platform, { text, speaker: 'Amjad', ...fields }),
      ),
    );
    const bytesOf = (chunks: typeof wide): Buffer => Buffer.concat(chunks!.map(({ bytes }) => bytes));
    const samples8k = Resampler.resample(pcm, 16_000, 8000);
    assert.ok(bytesOf(wide).equals(PCM_BYTES));
    assert.ok(bytesOf(narrow).equals(Buffer.from(samples8k.buffer)));
    assert.ok(bytesOf(ulaw).equals(ulawOf(pcm)));
    assert.ok(wide!.some(({ bytes }) => bytes.length % 2 === 1));
  }));

test('streams a burst first and the rest 1.7 times as fast as it is played', () =>
  withPlatform(async (platform) => {
    const chunks = await chunksOf(platform, { text });
    const burstMs =
      chunks.filter(({ atMs }) => atMs - chunks[0]!.atMs < 50).reduce((sum, { bytes }) => sum + bytes.length, 0) / 32;
    assert.ok(burstMs >= 300, `the burst held ${burstMs} ms`);
    const tookMs = chunks.at(-1)!.atMs - chunks[0]!.atMs;
    const leastMs = (pcm.length / 16 - 400) / 1.7 - 150;
    assert.ok(tookMs >= leastMs, `${tookMs} ms for ${pcm.length / 16} ms of audio`);
  }));

test('stops speaking when the client goes away', async () => {
  const clock = new FakeClock();
  await withPlatform(
    async ({ post }) => {
      const timersBefore = clock.timers;
      const gone = new AbortController();
      const answer = await post('/v1/realtime/tts-stream', { text }, { signal: gone.signal });
      const reader = answer.body!.getReader();
      await reader.read();
      await until('the burst is out', () => clock.timers > timersBefore);
      gone.abort();
      await until('the pacing has ended', () => clock.timers === timersBefore);
    },
    { clock },
  );
});

test('transcribes over HTTP, in each format', () =>
  withPlatform(async ({ post }) => {
    for (const audioBase64 of [wav16(pcm), wav8(pcm), ulawWav(pcm)]) {
      const answer = await post('/v1/realtime/stt', { audioBase64, language: 'en' });
      assert.is(answer.status, 200);
      assert.equal(await answer.json(), { success: true, data: { text } });
    }
    const source = noise(5);
    const hiss = new Int16Array(20_000).map(() => 2000 * source.next().value);
    const answer = await post('/v1/realtime/stt', { audioBase64: wav16(hiss) });
    assert.equal(await answer.json(), { success: true, data: { text: '' } });
  }));

test('refuses a bad request with 400 and 10400', () =>
  withPlatform(async ({ post }) => {
    for (const path of ['/v1/realtime/tts', '/v1/realtime/tts-stream']) {
      for (const body of [
        {},
        { text: '' },
        { text: 1 },
        { text: 'a'.repeat(2001) },
        { text, sampleRate: '11k' },
        [],
        'x',
      ]) {
        const { code, message } = await failureOf(await post(path, body), 400);
        assert.is(code, '10400');
        assert.is(message, 'Request validation failed');
      }
      const { message } = await failureOf(await post(path, { text: 'good morning' }), 400);
      assert.match(message, /knows only the sentences/);
    }
    const stt = (body: object): Promise<Failure['error']> =>
      post('/v1/realtime/stt', body).then((a) => failureOf(a, 400));
    assert.is((await stt({})).message, 'Invalid payload');
    assert.is((await stt({ audioBase64: 'AAAA' })).message, 'Only WAV files are supported');
  }));

test('names the fields that it refuses, without their values', () =>
  withPlatform(async ({ post }) => {
    const { details } = await failureOf(await post('/v1/realtime/tts', { text: 'secret'.repeat(1000) }), 400);
    assert.match(JSON.stringify(details), '"path":"text"');
    assert.not.match(JSON.stringify(details), 'secret');
  }));

test('takes an empty body for an empty object and refuses one that is no JSON or too large', () =>
  withPlatform(async ({ post }) => {
    const empty = await failureOf(await post('/v1/realtime/tts', {}, { body: '' }), 400);
    assert.is(empty.message, 'Request validation failed');
    assert.is((await failureOf(await post('/v1/realtime/tts', {}, { body: '{' }), 400)).code, '10400');
    const large = await failureOf(await post('/v1/realtime/tts', { text: 'x'.repeat(9 << 20) }), 413);
    assert.is(large.code, '10413');
  }));

test('answers 401 and 10403 without the right key, in each way it can be shown', () =>
  withPlatform(async ({ url }) => {
    const ask = (headers: Record<string, string>, query = ''): Promise<Response> =>
      fetch(`${url}/v1/realtime/stt${query}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ audioList: [0] }),
      });
    const wrong: Record<string, string>[] = [
      {},
      { authorization: KEY },
      { authorization: `Basic ${KEY}` },
      { authorization: `Token ${KEY.toUpperCase()}` },
      { 'x-api-key': '' },
    ];
    for (const headers of wrong) {
      const { code, message } = await failureOf(await ask(headers), 401);
      assert.is(code, '10403');
      assert.is(message, 'Invalid or missing API key');
    }
    assert.is((await ask({ authorization: `token ${KEY}` })).status, 200);
    assert.is((await ask({ authorization: `Bearer ${KEY}` })).status, 200);
    assert.is((await ask({ 'x-api-key': KEY })).status, 200);
    assert.is((await ask({}, `?api_key=${KEY}`)).status, 200);
  }));

test('answers 404 and 10404 to a route that it does not know, without the query', () =>
  withPlatform(async ({ url }) => {
    const { code, message } = await failureOf(await fetch(`${url}/v1/nothing?api_key=${KEY}`), 404);
    assert.is(code, '10404');
    assert.is(message, 'Cannot GET /v1/nothing');
    assert.is((await failureOf(await fetch(`${url}/v1/realtime/tts`), 404)).code, '10404');
  }));

test('refuses an address in use with ERR_LISTEN, and closes twice without harm', () =>
  withPlatform(async (platform) => {
    const port = Number(new URL(platform.url).port);
    const error = await withPlatform(async () => {}, { port }).then(
      () => undefined,
      (thrown: unknown) => thrown as { code: string; message: string },
    );
    assert.is(error?.code, 'ERR_LISTEN');
    assert.match(error?.message ?? '', String(port));
    await platform.close();
    await platform.close();
  }));

test.run();
