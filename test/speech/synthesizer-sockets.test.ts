import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../src/core/errors.ts';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import { QuotaGovernor } from '../../src/platform/quota-governor.ts';
import { RealtimeAuth } from '../../src/platform/realtime-auth.ts';
import { RealtimeConnection, RealtimeCounters } from '../../src/platform/realtime-connection.ts';
import type { SpeechRequest, SpeechStream } from '../../src/platform/speech-stream.ts';
import { QuotaScheduler } from '../../src/speech/quota-scheduler.ts';
import { SpeechSockets } from '../../src/speech/speech-sockets.ts';
import { Synthesizer } from '../../src/speech/synthesizer.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { assertSamples } from '../support/samples.ts';
import { type ScriptedConnection, ScriptedPlatform } from '../support/scripted-platform.ts';
import { rejection, until } from '../support/until.ts';

const KEY = 'sk_live_fedcba9876543210';
const REQUEST: SpeechRequest = { text: 'مرحبا', voice: 'Salem', language: 'ar', sampleRate: 16_000 };
const LONG = 'A text that takes a voice rather long to say, half a minute in fact. '.repeat(7);
const pcm = Int16Array.from({ length: 16_000 }, (_, i) => 9000 * Math.sin(i / 9));
const bytes = Buffer.from(pcm.buffer);

interface World {
  platform: ScriptedPlatform;
  clock: FakeClock;
  guard: AccountGuard;
  scheduler: QuotaScheduler;
  sockets: SpeechSockets;
  open: (text?: string, signal?: AbortSignal) => Promise<SpeechStream>;
}

const test = suite<World>('speech over the realtime socket');

test.before.each(async (world) => {
  world.platform = await ScriptedPlatform.start();
  world.clock = new FakeClock();
  world.guard = new AccountGuard();
  const { platform, clock, guard } = world;
  const auth = new RealtimeAuth(KEY);
  // What a connection costs at its beginning is tested elsewhere; here no clock moves by itself.
  auth.accepted('header');
  world.scheduler = new QuotaScheduler({ clock, quota: new QuotaGovernor({ limit: 100 }) });
  world.sockets = new SpeechSockets({
    clock,
    guard,
    scheduler: world.scheduler,
    maxSockets: 2,
    connect: (onClosed, onHeaders) =>
      RealtimeConnection.open({
        url: platform.realtimeUrl,
        auth,
        clock,
        counters: new RealtimeCounters(),
        onClosed,
        onHeaders,
      }),
  });
  world.open = (text = REQUEST.text, signal) => world.sockets.openSpeech({ ...REQUEST, text }, { signal });
});

test.after.each(async ({ sockets, platform }) => {
  sockets.close();
  await platform.close();
});

function answer(connection: ScriptedConnection, body: Uint8Array = bytes): void {
  connection.sendFrame('ack');
  for (let at = 0; at < body.length; at += 4095) connection.sendAudio(body.subarray(at, at + 4095));
  connection.sendFrame('end');
}

async function hear(stream: SpeechStream): Promise<{ samples: number[]; error: GatewayError | undefined }> {
  const samples: number[] = [];
  try {
    for await (const chunk of stream) samples.push(...chunk);
  } catch (error) {
    return { samples, error: error as GatewayError };
  }
  return { samples, error: undefined };
}

test('asks with voice, dialect, rate and language, and plays what comes', async ({ platform, sockets }) => {
  platform.onSocketTts = (_, connection) => answer(connection);
  const stream = await sockets.openSpeech({ ...REQUEST, dialect: 'irq' }, {});
  assert.is(stream.sampleRate, 16_000);
  assertSamples((await hear(stream)).samples, pcm);
  assert.equal(platform.connections[0]?.texts, [
    { text: 'مرحبا', speaker: 'Salem', dialect: 'irq', sampleRate: '16k', languageId: 'ar' },
  ]);
  assert.equal(platform.handshakes, [{ carrier: 'header', key: KEY }]);
});

test('one socket carries one reply after the other', async ({ platform, open, scheduler }) => {
  platform.onSocketTts = (_, connection) => answer(connection);
  for (let reply = 0; reply < 3; reply++) assert.is((await hear(await open())).samples.length, pcm.length);
  assert.is(platform.connections.length, 1);
  assert.is(scheduler.usage.used, 4, 'one connection and three requests');
});

test('replies at once have a socket each, up to the bound; who waits is served in order', async (world) => {
  const { platform, open } = world;
  const streams = ['one', 'two', 'three', 'four'].map((text) => open(text));
  const texts = (): unknown[] => platform.connections.flatMap((connection) => connection.texts.map(({ text }) => text));
  await until(() => texts().length === 2, 'two requests');
  assert.equal(texts(), ['one', 'two']);
  answer(platform.connections[1]!);
  await hear(await streams[1]!);
  await until(() => texts().length === 3, 'the third request');
  assert.equal(platform.connections[1]?.texts[1]?.['text'], 'three');
  answer(platform.connections[0]!);
  await until(() => texts().length === 4, 'the fourth request');
  for (const connection of platform.connections) answer(connection);
  for (const stream of streams) if (stream !== streams[1]) await hear(await stream);
  assert.is(platform.connections.length, 2);
});

test('an end after 20 ms is an empty reply, and the synthesizer asks again', async ({ platform, sockets, clock }) => {
  const synthesizer = new Synthesizer({
    openSpeech: (request, options) => sockets.openSpeech(request, options),
    clock,
    voice: 'Salem',
  });
  const cuts = [640, 640];
  platform.onSocketTts = (_, connection) => answer(connection, bytes.subarray(0, cuts.shift() ?? bytes.length));
  let samples = 0;
  const hearing = (async () => {
    for await (const item of synthesizer.speak('مرحبا بكم', { sampleRate: 16_000 })) {
      samples += typeof item === 'symbol' ? 0 : item.length;
    }
  })();
  for (let request = 1; request <= 2; request++) {
    await until(() => (platform.connections[0]?.texts.length ?? 0) >= request && clock.timers > 1, 'the pause');
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(200);
  }
  await hearing;
  assert.is(samples, pcm.length);
  assert.equal(synthesizer.statistics, { requests: 3, retries: 2, short: 2, failed: 0 });
  assert.is(platform.connections.length, 1);
});

test('an error in prose is an error, and the socket is good for the next', async ({ platform, open }) => {
  platform.onSocketTts = (_, connection) => connection.sendError('Invalid payload');
  assert.is(((await rejection(open())) as GatewayError).code, 'ERR_PLATFORM_REQUEST');
  platform.onSocketTts = (_, connection) => connection.sendError('Rate limit exceeded');
  assert.is(((await rejection(open())) as GatewayError).code, 'ERR_PLATFORM_RATE');
  assert.is(platform.connections.length, 1);
});

test('an error in the middle plays what came and is then torn', async ({ platform, open }) => {
  platform.onSocketTts = (_, connection) => {
    connection.sendFrame('ack');
    connection.sendAudio(bytes.subarray(0, 9000));
    connection.sendError('Internal error');
  };
  const { samples, error } = await hear(await open());
  assert.is(samples.length, 4500);
  assert.is(error?.code, 'ERR_TTS_TORN');
});

test('a socket that closes before the end is torn, even in good order, and another one follows', async (world) => {
  const { platform, open, clock } = world;
  for (const close of [
    (connection: ScriptedConnection) => connection.close(1000),
    (connection: ScriptedConnection) => connection.close(1001),
    (connection: ScriptedConnection) => connection.cut(),
  ]) {
    platform.onSocketTts = (_, connection) => {
      connection.sendAudio(bytes.subarray(0, 9000));
      connection.socket.send('{"type":"info","payload":{}}', () => close(connection));
    };
    const { samples, error } = await hear(await open());
    assert.is(samples.length, 4500);
    assert.is(error?.code, 'ERR_TTS_TORN');
    clock.advance(60_000);
  }
  platform.onSocketTts = (_, connection) => answer(connection);
  assert.is((await hear(await open())).samples.length, pcm.length);
});

test('a socket that closes after each end costs a new one, and nothing is lost', async ({ platform, open, clock }) => {
  platform.onSocketTts = (_, connection) => {
    answer(connection);
    connection.close(1000);
  };
  for (let reply = 1; reply <= 3; reply++) {
    const stream = await open();
    assert.is((await hear(stream)).samples.length, pcm.length);
    await until(() => platform.connections[reply - 1]!.socket.readyState === 3, 'the end of the socket');
    clock.advance(1_000);
  }
  assert.is(platform.connections.length, 3);
});

test('an interrupted reply that ends soon is let pass, and the socket is used again', async ({ platform, open }) => {
  platform.onSocketTts = (_, connection) => connection.sendAudio(bytes.subarray(0, 20_000));
  const controller = new AbortController();
  const heard = hear(await open('hello you', controller.signal));
  controller.abort();
  assert.is((await heard).error?.code, 'ERR_ABORTED');
  const [connection] = platform.connections;
  platform.onSocketTts = (_, next) => answer(next);
  const second = open('next');
  await until(() => platform.connections.length === 2, 'a second socket for who does not wait');
  assert.is((await hear(await second)).samples.length, pcm.length);
  // Loud, and heard by nobody.
  connection!.sendAudio(Buffer.alloc(9000, 0x7f));
  connection!.sendFrame('end');
  const [third, fourth] = [open('three'), open('four')];
  for (const stream of [third, fourth]) assertSamples((await hear(await stream)).samples, pcm);
  assert.is(platform.connections.length, 2);
  assert.is(connection!.texts.length, 2);
});

test('one whose rest would take long loses its socket, and so does one that does not end in time', async (world) => {
  const { platform, open, clock } = world;
  platform.onSocketTts = (_, connection) => connection.sendAudio(bytes.subarray(0, 20_000));
  const long = new AbortController();
  const heardLong = hear(await open(LONG, long.signal));
  long.abort();
  await heardLong;
  await until(() => platform.connections[0]!.socket.readyState === 3, 'the end of the first socket');
  const short = new AbortController();
  const heardShort = hear(await open('hello you', short.signal));
  short.abort();
  await heardShort;
  clock.advance(2_999);
  assert.is(platform.connections[1]!.socket.readyState, 1);
  clock.advance(1);
  await until(() => platform.connections[1]!.socket.readyState === 3, 'the end of the second socket');
});

test('a reply that never comes or stalls is given up, and its socket with it', async ({ platform, open, clock }) => {
  platform.onSocketTts = (_, connection) => connection.sendFrame('ack');
  const opening = rejection(open());
  await until(() => platform.connections[0]?.texts.length === 1, 'the request');
  clock.advance(15_000);
  assert.is(((await opening) as GatewayError).code, 'ERR_PLATFORM_TIMEOUT');
  await until(() => platform.connections[0]!.socket.readyState === 3, 'the end of the first socket');
  platform.onSocketTts = (_, connection) => connection.sendAudio(bytes.subarray(0, 9000));
  const stream = await open();
  const chunks = stream[Symbol.asyncIterator]();
  const first = await chunks.next();
  assert.is(first.done, false);
  const failure = rejection(Promise.resolve(chunks.next()));
  await until(() => clock.timers === 2, 'the wait for more');
  clock.advance(5_000);
  assert.is(((await failure) as GatewayError).code, 'ERR_TTS_TORN');
});

test('audio or a transcript that belongs to no request ends the socket', async ({ platform, open }) => {
  platform.onSocketTts = (_, connection) => {
    answer(connection);
    connection.sendAudio(bytes.subarray(0, 640));
  };
  await hear(await open());
  await until(() => platform.connections[0]!.socket.readyState === 3, 'the end of the socket');
  platform.onSocketTts = (_, connection) => connection.send('somebody else’s words');
  assert.is(((await rejection(open())) as GatewayError).code, 'ERR_PLATFORM_PROTOCOL');
});

test('a reader who is slow holds up the socket, not the memory', async ({ platform, open }) => {
  let sent = 0;
  platform.onSocketTts = (_, connection) => {
    const chunk = Buffer.alloc(65_536, 1);
    const send = (): void => {
      if (sent < 200) connection.socket.send(chunk, { binary: true }, () => setImmediate(send));
      else connection.sendFrame('end');
      sent++;
    };
    send();
  };
  const stream = await open();
  const chunks = stream[Symbol.asyncIterator]();
  let samples = (await chunks.next()).value!.length as number;
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(sent < 150, `${sent} of 200 chunks were taken`);
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) samples += next.value.length;
  assert.is(samples, (200 * 65_536) / 2);
});

test('a handshake that is refused is told to who waits, and a refused key closes the gate', async (world) => {
  const { platform, open, guard } = world;
  platform.onUpgrade = () => ({ status: 503 });
  assert.is(((await rejection(open())) as GatewayError).code, 'ERR_PLATFORM_UNAVAILABLE');
  platform.onUpgrade = () => ({ status: 401, body: '{"message":"Invalid API key"}' });
  world.clock.advance(60_000);
  assert.is(((await rejection(open())) as GatewayError).code, 'ERR_PLATFORM_AUTH');
  assert.ok(guard.state.keyRefused);
});

test('whoever waits in vain for a socket is told so', async ({ platform, open, clock }) => {
  const streams = [open('one'), open('two')].map((stream) => rejection(stream));
  await until(() => platform.connections.length === 2, 'two sockets');
  const failure = rejection(open('three'));
  clock.advance(30_000);
  assert.is(((await failure) as GatewayError).code, 'ERR_QUOTA_WAIT');
  for (const stream of streams) await stream;
});

test.run();
