import { once } from 'node:events';
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { encodeWav } from '../../src/audio/wav.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { KEY, until, withPlatform } from './platform.ts';
import { SocketClient } from './socket-client.ts';
import { base64Of, noise, recordingOf, SENTENCES, ulawOf, ulawWav, wav16, wav8 } from './sound.ts';

const test = suite('realtime socket');
const GREETING = { type: 'info', payload: { message: 'Connected to realtime WebSocket server' } };

test('greets whoever shows the key, in each way there is', () =>
  withPlatform(async ({ url }) => {
    for (const carrier of [
      { headers: { 'X-Api-Key': KEY } },
      { headers: { Authorization: `Token ${KEY}` } },
      { headers: { Authorization: `Bearer ${KEY}` } },
      { headers: {}, query: `?api_key=${KEY}` },
    ]) {
      const client = await SocketClient.connect(url, carrier);
      assert.equal(await client.nextFrame(), GREETING);
      await client.close();
    }
  }));

test('accepts the connection and closes it with 4001 when the key is wrong or missing', () =>
  withPlatform(async ({ url }) => {
    for (const carrier of [
      { headers: {} },
      { headers: { 'X-Api-Key': `${KEY}x` } },
      { headers: {}, query: '?api_key=' },
    ]) {
      const client = await SocketClient.connect(url, carrier);
      assert.is((await client.closed).code, 4001);
      assert.is(client.pending, 0);
    }
  }));

test('survives a client without the key that breaks the protocol', () =>
  withPlatform(async ({ url, lines }) => {
    const { hostname, port } = new URL(url);
    const stranger = connect(Number(port), hostname);
    stranger.on('error', () => {});
    const handshake = [
      'GET /v1/realtime/ws HTTP/1.1',
      'Host: x',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ];
    const unmaskedFrame = '\x01\x00';
    stranger.write(`${handshake.join('\r\n')}\r\n\r\n${unmaskedFrame}`, 'latin1');
    await until('it is noticed', () => lines.some((line) => line.includes('a realtime socket failed')));
    stranger.destroy();
    await (await SocketClient.greeted(url)).close();
  }));

test('does not compress', () =>
  withPlatform(async ({ url }) => {
    const client = await SocketClient.connect(url);
    assert.is(client.socket.extensions, '');
    await client.close();
  }));

test('answers an utterance with its text, in each format', () =>
  withPlatform(async ({ url }) => {
    const client = await SocketClient.greeted(url);
    const { text, pcm } = SENTENCES[2]!;
    const list = Array.from(pcm, (sample) => sample / 32768);
    assert.is(await client.transcribe({ audioBase64: wav16(pcm), language: 'en', isEosEnabled: false }), text);
    assert.is(await client.transcribe({ audioBase64: wav8(pcm), model: 's3' }), text);
    assert.is(await client.transcribe({ audioBase64: ulawWav(pcm) }), text);
    assert.is(await client.transcribe({ audioList: list }), text);
    assert.is(await client.transcribe({ audioBase64: wav16(pcm), isEosEnabled: true, eosThreshold: 0.3 }), text);
    await client.close();
  }));

test('answers an utterance that it does not recognise with an empty text', () =>
  withPlatform(async ({ url }) => {
    const client = await SocketClient.greeted(url);
    const source = noise(11);
    const hiss = new Int16Array(32_000).map(() => 3000 * source.next().value);
    assert.is(await client.transcribe({ audioBase64: wav16(hiss) }), '');
    assert.is(await client.transcribe({ audioList: [] }), '');
    await client.close();
  }));

test('answers in the order of the requests, whatever they are', () =>
  withPlatform(async ({ url }) => {
    const client = await SocketClient.greeted(url);
    client.send({ type: 'stt', payload: { audioBase64: wav16(recordingOf(7)) } });
    client.socket.send('{');
    client.send({ type: 'stt', payload: { audioBase64: wav8(recordingOf(0)) } });
    client.send({ type: 'stt', payload: {} });
    client.send({ type: 'stt', payload: { audioList: [0] } });
    assert.is(await client.next(), SENTENCES[7]!.text);
    assert.is((await client.nextFrame()).payload.message, 'Invalid message format');
    assert.is(await client.next(), SENTENCES[0]!.text);
    assert.is((await client.nextFrame()).payload.message, 'Invalid payload');
    assert.is(await client.next(), '');
    await client.close();
  }));

test('refuses what is no frame', () =>
  withPlatform(async ({ url }) => {
    const client = await SocketClient.greeted(url);
    const json = JSON.stringify({ type: 'stt', payload: { audioBase64: wav16(recordingOf(0)) } });
    for (const message of ['', 'hello', 'null', '[]', '{}', '{"type":1}', '{"type":"sst"}', Buffer.from(json)]) {
      assert.is(await client.errorFor(message), 'Invalid message format', String(message));
    }
    await client.close();
  }));

test('refuses a payload without audio, with two kinds of it, and with fields of another type', () =>
  withPlatform(async ({ url }) => {
    const client = await SocketClient.greeted(url);
    const audioBase64 = wav16(recordingOf(0));
    const payloads: unknown[] = [
      undefined,
      null,
      'x',
      {},
      { audioBase64, audioList: [0] },
      { audioBase64: 1 },
      { audioList: ['0'] },
      { audioBase64, isEosEnabled: 'yes' },
    ];
    for (const payload of payloads) {
      assert.is(await client.errorFor(JSON.stringify({ type: 'stt', payload })), 'Invalid payload');
    }
    await client.close();
  }));

test('refuses audio that is no WAV, and WAV that is no speech format', () =>
  withPlatform(async ({ url }) => {
    const client = await SocketClient.greeted(url);
    const errorFor = (audio: Uint8Array): Promise<string> =>
      client.errorFor(JSON.stringify({ type: 'stt', payload: { audioBase64: base64Of(audio) } }));
    const pcm = recordingOf(0);
    const bare = new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
    assert.is(await errorFor(bare), 'Only WAV files are supported');
    assert.is(await errorFor(ulawOf(pcm)), 'Only WAV files are supported');
    assert.is(await errorFor(new Uint8Array(0)), 'Only WAV files are supported');
    assert.match(await errorFor(encodeWav(pcm, 44_100)), /^Error generating transcription: linear16 at 44100 Hz/);
    const stereo = encodeWav(pcm, 16_000);
    stereo[22] = 2;
    stereo[32] = 4;
    assert.match(await errorFor(stereo), /^Error generating transcription: .* with 2 channels/);
    const alaw = Buffer.from(ulawWav(pcm), 'base64');
    alaw[20] = 6;
    assert.match(await errorFor(alaw), /^Error generating transcription: alaw at 8000 Hz/);
    const minute = encodeWav(new Int16Array(60 * 8000 + 1), 8000);
    assert.match(await errorFor(minute), /^Error generating transcription: .* longer than 60 s/);
    await client.close();
  }));

test('speaks as ack, audio and end', () =>
  withPlatform(async ({ url }) => {
    const { text, pcm } = SENTENCES[3]!;
    const speak = async (payload: object): Promise<Buffer> => {
      const client = await SocketClient.greeted(url);
      client.send({ type: 'tts', payload: { text, speaker: 'Salem', dialect: 'msa', languageId: 'en', ...payload } });
      assert.is((await client.nextFrame()).type, 'ack');
      const chunks: Buffer[] = [];
      let message = await client.next();
      for (; typeof message !== 'string'; message = await client.next()) chunks.push(message);
      assert.is((JSON.parse(message) as { type: string }).type, 'end');
      assert.ok(chunks.some((chunk) => chunk.length % 2 === 1));
      await client.close();
      return Buffer.concat(chunks);
    };
    const [wide, narrow, ulaw] = await Promise.all([speak({}), speak({ sampleRate: '8k' }), speak({ mulaw: true })]);
    assert.ok(wide!.equals(Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength)));
    assert.is(narrow!.length, Math.round(pcm.length / 2) * 2);
    assert.ok(ulaw!.equals(ulawOf(pcm)));
  }));

test('refuses texts that are too long, missing, or that the voice does not know', () =>
  withPlatform(async ({ url }) => {
    const client = await SocketClient.greeted(url);
    for (const payload of [
      {},
      { text: ' ' },
      { text: 'a'.repeat(2001) },
      { text: 'a', mulaw: 1 },
      { text: 'a', sampleRate: '44k' },
    ]) {
      assert.is(await client.errorFor(JSON.stringify({ type: 'tts', payload })), 'Invalid payload');
    }
    client.send({ type: 'tts', payload: { text: 'good morning' } });
    assert.is((await client.nextFrame()).type, 'ack');
    assert.match((await client.nextFrame()).payload.message, /knows only the sentences/);
    await client.close();
  }));

test('closes with 1009 when a message is longer than 8 MiB', () =>
  withPlatform(async ({ url }) => {
    const client = await SocketClient.greeted(url);
    client.socket.send('x'.repeat((8 << 20) + 1));
    assert.is((await client.closed).code, 1009);
  }));

test('refuses the seventeenth request that waits on a connection', () =>
  withPlatform(async (platform) => {
    await platform.fault({ fault: 'delay', at: 'stt', ms: 60_000 });
    const client = await SocketClient.greeted(platform.url);
    for (let i = 0; i < 16; i++) client.send({ type: 'stt', payload: { audioList: [0] } });
    assert.is(await client.errorFor('{}'), 'Too many requests wait on this connection');
    await client.close();
  }));

test('pings every 30 s', async () => {
  const clock = new FakeClock();
  await withPlatform(
    async ({ url }) => {
      const client = await SocketClient.greeted(url);
      let pings = 0;
      client.socket.on('ping', () => pings++);
      clock.advance(29_999);
      const pinged = once(client.socket, 'ping');
      clock.advance(1);
      await pinged;
      assert.is(pings, 1);
      await client.close();
    },
    { clock },
  );
});

test('closes with 1000 after 60 minutes without a message', async () => {
  const clock = new FakeClock();
  await withPlatform(
    async ({ url }) => {
      const client = await SocketClient.greeted(url);
      // Ping by ping, because ws gives up on a peer that sends a hundred of them at once.
      const passMinutes = async (minutes: number): Promise<void> => {
        for (let halves = 0; halves < 2 * minutes; halves++) {
          const pinged = once(client.socket, 'ping');
          clock.advance(30_000);
          await pinged;
        }
      };
      await passMinutes(59);
      assert.is(await client.transcribe({ audioList: [0] }), '');
      await passMinutes(59);
      clock.advance(29_999);
      assert.is(await client.errorFor('x'), 'Invalid message format');
      await passMinutes(59);
      clock.advance(60_000);
      assert.is((await client.closed).code, 1000);
    },
    { clock },
  );
});

test('closes with 1001 when the platform stops, also in the middle of a reply', () =>
  withPlatform(async (platform) => {
    const idle = await SocketClient.greeted(platform.url);
    const busy = await SocketClient.greeted(platform.url);
    busy.send({ type: 'tts', payload: { text: SENTENCES[1]!.text } });
    await busy.next();
    await platform.close();
    assert.is((await idle.closed).code, 1001);
    assert.is((await busy.closed).code, 1001);
  }));

test('answers 404 to an upgrade elsewhere, without the query', () =>
  withPlatform(async ({ url }) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/other?api_key=${KEY}`);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, import('node:http').IncomingMessage];
    let body = '';
    for await (const chunk of response) body += String(chunk);
    assert.is(response.statusCode, 404);
    assert.not.match(body, KEY);
    assert.is((JSON.parse(body) as { error: { code: string } }).error.code, '10404');
  }));

test('says in the log which engine answered, how long the audio was, and never the key or a text', () =>
  withPlatform(async ({ url, lines }) => {
    const { text, pcm } = SENTENCES[6]!;
    const client = await SocketClient.connect(url, { headers: {}, query: `?api_key=${KEY}` });
    await client.next();
    assert.is(await client.transcribe({ audioBase64: wav16(pcm) }), text);
    const refused = await SocketClient.connect(url, { headers: {}, query: `?api_key=${KEY}wrong` });
    await refused.closed;
    await client.close();
    const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const started = records.find(({ msg }) => msg === 'the local platform is up');
    assert.is(started?.['ears'], 'built-in');
    assert.is(started?.['voice'], 'built-in');
    const heard = records.find(({ msg }) => msg === 'heard');
    assert.is(heard?.['engine'], 'built-in');
    assert.is(heard?.['audioMs'], Math.round(pcm.length / 16));
    assert.not.match(lines.join(''), KEY);
    assert.not.match(lines.join(''), 'api_key');
    assert.not.match(lines.join(''), text);
  }));

test.run();
