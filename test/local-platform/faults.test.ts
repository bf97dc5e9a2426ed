import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiError } from '../../src/local-platform/api-error.ts';
import { FaultQueue, readFaults } from '../../src/local-platform/faults.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { KEY, type TestPlatform, until, withPlatform } from './platform.ts';
import { SocketClient } from './socket-client.ts';
import { SENTENCES, wav16 } from './sound.ts';

const test = suite('faults');
const { text, pcm } = SENTENCES[4]!;
const PCM_BYTES = Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength);
const STT = { audioBase64: wav16(pcm) };

/** Whether `answer` ends as announced, and what came of it until then. */
async function bodyOf(answer: Response): Promise<{ bytes: Buffer; whole: boolean }> {
  const chunks: Uint8Array[] = [];
  const reader = answer.body!.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { bytes: Buffer.concat(chunks), whole: true };
      chunks.push(value);
    }
  } catch {
    return { bytes: Buffer.concat(chunks), whole: false };
  }
}

async function spokenOver(client: SocketClient): Promise<Buffer> {
  client.send({ type: 'tts', payload: { text } });
  assert.is((await client.nextFrame()).type, 'ack');
  const chunks: Buffer[] = [];
  for (let message = await client.next(); typeof message !== 'string'; message = await client.next())
    chunks.push(message);
  return Buffer.concat(chunks);
}

const stream = (platform: TestPlatform): Promise<Response> => platform.post('/v1/realtime/tts-stream', { text });

test('plays each fault at its own kind of request, as often as asked, then no more', () => {
  const queue = new FaultQueue();
  queue.add(
    readFaults({
      faults: [
        { fault: 'delay', at: 'stt', ms: 1 },
        { fault: 'hang-up', at: 'tts', times: 2 },
        { fault: 'never-answer', at: 'stt' },
      ],
    }),
  );
  const played = (['tts', 'stt', 'http-stt', 'stt', 'stt', 'tts', 'tts'] as const).map((at) => queue.take(at)?.fault);
  assert.equal(played, ['hang-up', 'delay', undefined, 'never-answer', undefined, 'hang-up', undefined]);
  assert.equal(queue.waiting, []);
});

test('holds no more than a thousand faults', () => {
  const queue = new FaultQueue();
  const many = readFaults({ faults: Array.from({ length: 600 }, () => ({ fault: 'hang-up', at: 'stt' })) });
  queue.add(many);
  assert.throws(
    () => queue.add(many),
    (error: unknown) => error instanceof ApiError && error.status === 400,
  );
  assert.is(queue.waiting.length, 600);
});

test('refuses faults that do not exist, that can not happen there, or that lack something', () => {
  for (const fault of [
    {},
    { fault: 'meteor', at: 'stt' },
    { fault: 'close', at: 'http-stt', code: 1000 },
    { fault: 'close', at: 'stt', code: 1006 },
    { fault: 'torn', at: 'stt', bytes: 3 },
    { fault: 'delay', at: 'stt' },
    { fault: 'delay', at: 'stt', ms: 1, extra: 1 },
    { fault: 'answer', at: 'http-stt', status: 200, headers: { 'X-A': 'a\r\nb' } },
  ]) {
    assert.throws(
      () => readFaults({ faults: [fault] }),
      (error: unknown) => error instanceof ApiError,
    );
  }
});

test('is controlled over HTTP with the key', () =>
  withPlatform(async ({ url, post, fault }) => {
    const control = (method: string, headers: Record<string, string>): Promise<Response> =>
      fetch(`${url}/__control/faults`, { method, headers });
    const waiting = async (answer: Response): Promise<unknown> =>
      ((await answer.json()) as { data: { waiting: unknown } }).data.waiting;
    assert.is((await control('POST', {})).status, 401);
    assert.is((await control('GET', {})).status, 401);
    assert.is((await post('/__control/faults', { faults: [{ fault: 'x' }] })).status, 400);
    await fault({ fault: 'cut', at: 'tts' });
    assert.equal(await waiting(await control('GET', { 'x-api-key': KEY })), [
      { fault: 'cut', at: 'tts', times: 1, bytes: 640 },
    ]);
    assert.equal(await waiting(await control('DELETE', { 'x-api-key': KEY })), []);
  }));

test('closes the socket with a code: when it opens, or in place of an answer', () =>
  withPlatform(async ({ url, fault }) => {
    await fault(
      { fault: 'close', at: 'connect', code: 4500, reason: 'internal' },
      { fault: 'close', at: 'stt', code: 1000 },
      { fault: 'close', at: 'tts', code: 4003 },
    );
    assert.equal(await (await SocketClient.connect(url)).closed, { code: 4500, reason: 'internal' });
    const hearing = await SocketClient.greeted(url);
    hearing.send({ type: 'stt', payload: STT });
    assert.is((await hearing.closed).code, 1000);
    const speaking = await SocketClient.greeted(url);
    speaking.send({ type: 'tts', payload: { text } });
    assert.is((await speaking.closed).code, 4003);
    assert.is(hearing.pending + speaking.pending, 0);
  }));

test('answers texts in place of a transcript: a marker, texts that parse as JSON, errors', () =>
  withPlatform(async ({ url, fault }) => {
    const error = '{"type":"error","payload":{"message":"Insufficient funds"}}';
    const texts = ['[THINKING]', '123', 'true', 'null', '{"data":{"text":"x"}}', error];
    await fault(...texts.map((each) => ({ fault: 'text', at: 'stt', text: each })));
    const client = await SocketClient.greeted(url);
    for (const each of texts) assert.is(await client.transcribe(STT), each);
    assert.is(await client.transcribe(STT), text);
    await client.close();
  }));

test('never answers a request, then answers the next', () =>
  withPlatform(async (platform) => {
    await platform.fault({ fault: 'never-answer', at: 'stt' }, { fault: 'never-answer', at: 'http-stt' });
    const client = await SocketClient.greeted(platform.url);
    client.send({ type: 'stt', payload: { audioList: [0] } });
    assert.is(await client.transcribe(STT), text);
    assert.is(client.pending, 0);
    const signal = AbortSignal.timeout(300);
    const failed = await platform.post('/v1/realtime/stt', STT, { signal }).then(
      () => undefined,
      (thrown: unknown) => (thrown as Error).name,
    );
    assert.is(failed, 'TimeoutError');
    await client.close();
  }));

test('delays an answer', async () => {
  const clock = new FakeClock();
  await withPlatform(
    async ({ url, fault }) => {
      await fault({ fault: 'delay', at: 'stt', ms: 5000 });
      const client = await SocketClient.greeted(url);
      const timersBefore = clock.timers;
      client.send({ type: 'stt', payload: STT });
      await until('the delay has begun', () => clock.timers > timersBefore);
      clock.advance(4999);
      assert.is(client.pending, 0);
      clock.advance(1);
      assert.is(await client.next(), text);
      await client.close();
    },
    { clock },
  );
});

test('hangs up without an answer', () =>
  withPlatform(async (platform) => {
    await platform.fault(
      { fault: 'hang-up', at: 'connect' },
      { fault: 'hang-up', at: 'stt' },
      { fault: 'hang-up', at: 'http-tts-stream' },
    );
    const failed = await SocketClient.connect(platform.url).then(
      () => undefined,
      (thrown: unknown) => (thrown as NodeJS.ErrnoException).code,
    );
    assert.is(failed, 'ECONNRESET');
    const client = await SocketClient.greeted(platform.url);
    client.send({ type: 'stt', payload: STT });
    assert.is((await client.closed).code, 1006);
    assert.is(
      await stream(platform).then(
        ({ status }) => status,
        () => 'failed',
      ),
      'failed',
    );
    assert.is((await stream(platform)).status, 200);
  }));

test('answers HTTP requests and handshakes with any status, headers and body', () =>
  withPlatform(async (platform) => {
    const answers = [
      { status: 401, body: '{"success":false,"error":{"code":10403,"message":"Invalid API key"}}' },
      { status: 402, body: '{"code":"402","message":"Insufficient funds"}' },
      { status: 429, headers: { 'Retry-After': '7' }, body: '{"message":"usage limit reached"}' },
      { status: 500, body: '<html>oops</html>', headers: { 'Content-Type': 'text/html' } },
      { status: 503 },
      { status: 200, body: 'not json' },
    ];
    await platform.fault(...answers.map((answer) => ({ fault: 'answer', at: 'http-stt', ...answer })));
    for (const { status, body = '', headers = {} } of answers) {
      const answer = await platform.post('/v1/realtime/stt', STT);
      assert.is(answer.status, status);
      assert.is(await answer.text(), body);
      for (const [name, value] of Object.entries(headers)) assert.is(answer.headers.get(name), value);
    }
    await platform.fault({ fault: 'answer', at: 'connect', status: 401, body: 'no', headers: { 'X-Test': 'yes' } });
    const refused = await SocketClient.refused(platform.url);
    assert.is(refused.status, 401);
    assert.is(refused.body, 'no');
    assert.is(refused.headers['x-test'], 'yes');
  }));

test('wraps a transcript in the other shapes that were seen', () =>
  withPlatform(async ({ post, fault }) => {
    await fault({ fault: 'shape', at: 'http-stt', shape: 'list' }, { fault: 'shape', at: 'http-stt', shape: 'bare' });
    assert.equal(await (await post('/v1/realtime/stt', STT)).json(), { success: true, data: [{ text }] });
    assert.equal(await (await post('/v1/realtime/stt', STT)).json(), { text });
  }));

test('cuts speech to 640 bytes and ends it normally', () =>
  withPlatform(async (platform) => {
    await platform.fault(
      { fault: 'cut', at: 'http-tts-stream' },
      { fault: 'cut', at: 'http-tts', bytes: 100 },
      { fault: 'cut', at: 'tts' },
    );
    const { bytes, whole } = await bodyOf(await stream(platform));
    assert.ok(whole);
    assert.ok(bytes.equals(PCM_BYTES.subarray(0, 640)));
    const wav = await bodyOf(await platform.post('/v1/realtime/tts', { text }));
    assert.ok(wav.whole);
    assert.is(wav.bytes.length, 44 + 100);
    const client = await SocketClient.greeted(platform.url);
    assert.ok((await spokenOver(client)).equals(PCM_BYTES.subarray(0, 640)));
    await client.close();
  }));

test('tears a body after the status line', () =>
  withPlatform(async (platform) => {
    await platform.fault(
      { fault: 'torn', at: 'http-tts-stream', bytes: 4001 },
      { fault: 'torn', at: 'http-tts', bytes: 4001 },
      { fault: 'torn', at: 'tts', bytes: 4001 },
    );
    for (const path of ['/v1/realtime/tts-stream', '/v1/realtime/tts']) {
      const answer = await platform.post(path, { text });
      assert.is(answer.status, 200);
      const { bytes, whole } = await bodyOf(answer);
      assert.is(whole, false);
      assert.ok(bytes.length <= 4001, `${bytes.length} bytes`);
    }
    const client = await SocketClient.greeted(platform.url);
    client.send({ type: 'tts', payload: { text } });
    assert.is((await client.closed).code, 1006);
  }));

test('leads a stream with a RIFF header that does not know its length', () =>
  withPlatform(async (platform) => {
    await platform.fault({ fault: 'riff-header', at: 'http-tts-stream' });
    const { bytes } = await bodyOf(await stream(platform));
    assert.is(bytes.toString('latin1', 0, 4), 'RIFF');
    assert.is(bytes.readUInt32LE(4), 0xffffffff);
    assert.is(bytes.readUInt32LE(40), 0xffffffff);
    assert.ok(bytes.subarray(44).equals(PCM_BYTES));
  }));

test('stalls in the middle of a body', async () => {
  const clock = new FakeClock();
  await withPlatform(
    async (platform) => {
      await platform.fault({ fault: 'stall', at: 'http-tts', bytes: 10_000, ms: 30_000 });
      const answer = await platform.post('/v1/realtime/tts', { text });
      let received = 0;
      const reading = (async () => {
        for await (const chunk of answer.body!) received += (chunk as Uint8Array).length;
      })();
      // A whole body comes without pacing, so that the one timer is the stall.
      const pings = 1;
      await until('it stalls', () => clock.timers > pings && received > 0);
      assert.ok(received <= 10_000, `${received} bytes`);
      clock.advance(30_000);
      await reading;
      assert.is(received, 44 + PCM_BYTES.length);
    },
    { clock },
  );
});

test('cuts a stream into the chunks that are asked for', () =>
  withPlatform(async ({ url, fault }) => {
    await fault({ fault: 'chunks', at: 'tts', sizes: [1, 3, 5000] });
    const client = await SocketClient.greeted(url);
    client.send({ type: 'tts', payload: { text } });
    await client.next();
    const sizes = [await client.next(), await client.next(), await client.next(), await client.next()];
    assert.equal(
      sizes.map((chunk) => chunk.length),
      [1, 3, 5000, 1],
    );
    await client.close();
  }));

test.run();
