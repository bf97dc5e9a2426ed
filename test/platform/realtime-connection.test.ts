import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../src/core/errors.ts';
import type { PlatformError } from '../../src/platform/platform-errors.ts';
import { RealtimeAuth } from '../../src/platform/realtime-auth.ts';
import { RealtimeConnection, RealtimeCounters } from '../../src/platform/realtime-connection.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { ScriptedPlatform } from '../support/scripted-platform.ts';
import { rejection, until } from '../support/until.ts';

const KEY = 'sk_live_abcdef0123456789';
const FRAME = Buffer.from('{"type":"stt","payload":{"audioBase64":"UklGRg=="}}');

interface World {
  platform: ScriptedPlatform;
  clock: FakeClock;
  auth: RealtimeAuth;
  counters: RealtimeCounters;
  closed: (GatewayError | undefined)[];
  open: () => Promise<RealtimeConnection>;
}

const test = suite<World>('realtime connection');

test.before.each(async (world) => {
  world.platform = await ScriptedPlatform.start();
  world.clock = new FakeClock();
  world.auth = new RealtimeAuth(KEY);
  world.counters = new RealtimeCounters();
  const closed: (GatewayError | undefined)[] = [];
  world.closed = closed;
  world.open = () =>
    RealtimeConnection.open({
      url: world.platform.realtimeUrl,
      auth: world.auth,
      clock: world.clock,
      counters: world.counters,
      onClosed: (error) => closed.push(error),
    });
});

test.after.each((world) => world.platform.close());

test('sends the frame as it is and resolves with the text that comes back', async ({ platform, open }) => {
  platform.onStt = (payload, connection) => connection.send(`heard ${payload.audioBase64}`);
  const connection = await open();
  assert.is(await connection.transcribe(FRAME), 'heard UklGRg==');
  assert.is(await connection.transcribe(FRAME), 'heard UklGRg==');
  assert.is(platform.connections.length, 1);
});

test('takes 123, true, null, [], "x" and the empty text as transcripts', async ({ platform, open }) => {
  const texts = ['123', 'true', 'null', '[]', '"x"', ''];
  platform.onStt = (_payload, connection) => connection.send(texts[connection.requests.length - 1]!);
  const connection = await open();
  for (const text of texts) assert.is(await connection.transcribe(FRAME), text);
});

test('passes over frames, binary audio and [THINKING] until the transcript comes', async ({
  platform,
  open,
  counters,
}) => {
  platform.onStt = (_payload, connection) => {
    connection.send('{"type":"ack"}');
    connection.socket.send(Buffer.from([1, 2, 3]));
    connection.send('[THINKING]');
    connection.send('{"type":"response","payload":{}}');
    connection.send('done');
  };
  const connection = await open();
  assert.is(await connection.transcribe(FRAME), 'done');
  assert.is(counters.markers, 1);
  assert.is(counters.ignoredMessages, 3);
});

test('[THINKING] and then nothing is a timeout, and ends the connection', async ({
  platform,
  open,
  clock,
  counters,
  closed,
}) => {
  platform.onStt = (_payload, connection) => connection.send('[THINKING]');
  const connection = await open();
  const transcript = connection.transcribe(FRAME, { timeoutMs: 30_000 });
  await until(() => counters.markers === 1, 'the marker');
  clock.advance(29_999);
  assert.not(connection.usable);
  clock.advance(1);
  assert.is(((await rejection(transcript)) as GatewayError).code, 'ERR_PLATFORM_TIMEOUT');
  assert.not(connection.usable);
  await until(() => closed.length === 1, 'the close');
  assert.is(closed[0]?.code, 'ERR_PLATFORM_TIMEOUT');
});

test('an answer that comes after its timeout reaches nobody', async ({ platform, open, clock }) => {
  const connection = await open();
  const first = connection.transcribe(FRAME, { timeoutMs: 1_000 });
  const server = await platform.connection(1);
  await server.request(1);
  clock.advance(1_000);
  server.send('late');
  await rejection(first);
  const error = await rejection(connection.transcribe(FRAME));
  assert.is((error as GatewayError).code, 'ERR_PLATFORM_UNAVAILABLE');
});

test('a greeting in plain text is dropped and does no harm', async ({ platform, open, counters }) => {
  platform.greets = false;
  platform.onConnection = (connection) => connection.send('Welcome!');
  platform.onStt = (_payload, connection) => connection.send('yes');
  const connection = await open();
  assert.is(counters.strayTranscripts, 1);
  assert.is(await connection.transcribe(FRAME), 'yes');
});

test('a second answer to one request ends the connection before it can reach the next', async (world) => {
  world.platform.onStt = (_payload, connection) => {
    connection.send('one');
    connection.send('two');
  };
  const connection = await world.open();
  assert.is(await connection.transcribe(FRAME), 'one');
  await until(() => world.closed.length === 1, 'the close');
  assert.is(world.counters.strayTranscripts, 1);
  assert.is(world.closed[0]?.code, 'ERR_PLATFORM_PROTOCOL');
  assert.not(connection.usable);
});

test('a close with 1000 and no transcript is an empty transcript', async ({ platform, open, closed }) => {
  platform.onStt = (_payload, connection) => connection.close(1000);
  const connection = await open();
  assert.is(await connection.transcribe(FRAME), '');
  await until(() => closed.length === 1, 'the close');
  assert.is(closed[0], undefined);
});

for (const [code, expected] of [
  [1001, 'ERR_PLATFORM_UNAVAILABLE'],
  [1011, 'ERR_PLATFORM_UNAVAILABLE'],
  [4001, 'ERR_PLATFORM_AUTH'],
  [4003, 'ERR_PLATFORM_WALLET'],
  [4500, 'ERR_PLATFORM_UNAVAILABLE'],
] as const) {
  test(`a close with ${code} and a request in flight is ${expected}`, async ({ platform, open, auth, closed }) => {
    auth.accepted('header');
    platform.onStt = (_payload, connection) => connection.close(code);
    const connection = await open();
    assert.is(((await rejection(connection.transcribe(FRAME))) as GatewayError).code, expected);
    await until(() => closed.length === 1, 'the close');
    assert.is(closed[0]?.code, expected);
  });
}

test('a connection that is cut with a request in flight is unavailable', async ({ platform, open }) => {
  platform.onStt = (_payload, connection) => connection.cut();
  const connection = await open();
  assert.is(((await rejection(connection.transcribe(FRAME))) as GatewayError).code, 'ERR_PLATFORM_UNAVAILABLE');
});

test('an error frame refuses its request and leaves the connection usable', async ({ platform, open }) => {
  platform.onStt = (_payload, connection) => {
    if (connection.requests.length === 1) connection.sendError('Rate limit exceeded');
    else connection.send('better');
  };
  const connection = await open();
  assert.is(((await rejection(connection.transcribe(FRAME))) as GatewayError).code, 'ERR_PLATFORM_RATE');
  assert.ok(connection.usable);
  assert.is(await connection.transcribe(FRAME), 'better');
});

test('an error that nobody asked for ends the connection with what it says', async ({ platform, open, closed }) => {
  await open();
  (await platform.connection(1)).sendError('Insufficient funds');
  await until(() => closed.length === 1, 'the close');
  assert.is(closed[0]?.code, 'ERR_PLATFORM_WALLET');
});

test('a message beyond the bound is a broken protocol', async ({ platform, open }) => {
  platform.onStt = (_payload, connection) => connection.send('x'.repeat(1_048_577));
  const connection = await open();
  assert.is(((await rejection(connection.transcribe(FRAME))) as GatewayError).code, 'ERR_PLATFORM_PROTOCOL');
});

test('text that is not UTF-8 is a broken protocol', async ({ platform, open }) => {
  platform.onStt = (_payload, connection) => connection.socket.send(Buffer.from([0xff, 0xfe]), { binary: false });
  const connection = await open();
  assert.is(((await rejection(connection.transcribe(FRAME))) as GatewayError).code, 'ERR_PLATFORM_PROTOCOL');
});

test('takes one request at a time', async ({ platform, open }) => {
  const connection = await open();
  const first = connection.transcribe(FRAME);
  assert.is(((await rejection(connection.transcribe(FRAME))) as GatewayError).code, 'ERR_PLATFORM_UNAVAILABLE');
  const server = await platform.connection(1);
  await server.request(1);
  server.send('the first');
  assert.is(await first, 'the first');
});

test('shows the key in the header first, and stays there when it works', async ({ platform, open, auth }) => {
  platform.onStt = (_payload, connection) => connection.send('ok');
  await (await open()).transcribe(FRAME);
  await open();
  assert.equal(platform.handshakes, [
    { carrier: 'header', key: KEY },
    { carrier: 'header', key: KEY },
  ]);
  assert.ok(auth.proven);
});

test('a header refused with 401 leads to the query, which is remembered', async ({ platform, open, counters }) => {
  platform.onUpgrade = ({ carrier }) => (carrier === 'query' ? undefined : { status: 401 });
  platform.onStt = (_payload, connection) => connection.send('ok');
  assert.is(await (await open()).transcribe(FRAME), 'ok');
  await open();
  assert.equal(
    platform.handshakes.map(({ carrier }) => carrier),
    ['header', 'query', 'query'],
  );
  assert.is(platform.handshakes[1]?.key, KEY);
  assert.is(counters.attempts, 3);
});

test('a header refused with 4001 right after the opening leads to the query', async ({ platform, open }) => {
  platform.greets = false;
  platform.onConnection = (connection) => {
    if (connection.handshake.carrier === 'header') connection.close(4001);
    else connection.send('{"type":"info"}');
  };
  platform.onStt = (_payload, connection) => connection.send('ok');
  assert.is(await (await open()).transcribe(FRAME), 'ok');
});

test('a header refused only at the first request fails retryably, and the query is next', async ({
  platform,
  open,
}) => {
  platform.onStt = (_payload, connection) => {
    if (connection.handshake.carrier === 'header') connection.sendError('Invalid API key');
    else connection.send('ok');
  };
  const error = (await rejection((await open()).transcribe(FRAME))) as GatewayError;
  assert.is(error.code, 'ERR_PLATFORM_UNAVAILABLE');
  assert.ok(error.retryable);
  assert.is(await (await open()).transcribe(FRAME), 'ok');
});

test('a key refused in header and query is an authentication error that does not name it', async ({
  platform,
  open,
}) => {
  platform.onUpgrade = () => ({ status: 401, body: `{"message":"Invalid API key: ${KEY}"}` });
  const error = await rejection(open());
  assert.is((error as GatewayError).code, 'ERR_PLATFORM_AUTH');
  assert.not.match(`${error.message} ${error.stack} ${JSON.stringify(error)}`, KEY);
  assert.is(platform.handshakes.length, 2);
  await rejection(open());
  assert.is(platform.handshakes[2]?.carrier, 'header');
});

test('a key that worked and is refused later is not tried in the query', async ({ platform, open }) => {
  platform.onStt = (_payload, connection) => connection.send('ok');
  await (await open()).transcribe(FRAME);
  platform.onUpgrade = () => ({ status: 401 });
  assert.is(((await rejection(open())) as GatewayError).code, 'ERR_PLATFORM_AUTH');
  assert.is(platform.handshakes.length, 2);
});

test('a refused upgrade is classified by status, body and Retry-After', async ({ platform, open }) => {
  platform.onUpgrade = () => ({
    status: 429,
    headers: { 'Retry-After': '12' },
    body: '{"message":"Too many requests"}',
  });
  const rate = (await rejection(open())) as PlatformError;
  assert.is(rate.code, 'ERR_PLATFORM_RATE');
  assert.is(rate.retryAfterMs, 12_000);
  platform.onUpgrade = () => ({ status: 429, body: '{"message":"Usage limit reached"}' });
  assert.is(((await rejection(open())) as GatewayError).code, 'ERR_PLATFORM_WALLET');
  platform.onUpgrade = () => ({ status: 503, body: '<html>' });
  assert.is(((await rejection(open())) as GatewayError).code, 'ERR_PLATFORM_UNAVAILABLE');
  platform.onUpgrade = () => ({ status: 302, headers: { Location: 'http://127.0.0.1:1/' } });
  assert.is(((await rejection(open())) as GatewayError).code, 'ERR_PLATFORM_PROTOCOL');
});

test('a port where nobody listens is unavailable', async (world) => {
  const url = world.platform.realtimeUrl;
  await world.platform.close();
  const { auth, clock, counters } = world;
  auth.refused('header');
  const error = await rejection(RealtimeConnection.open({ url, auth, clock, counters }));
  assert.is((error as GatewayError).code, 'ERR_PLATFORM_UNAVAILABLE');
  assert.not.match(error.message, KEY);
  world.platform = await ScriptedPlatform.start();
});

test('a handshake that is never answered ends after 10 s', async ({ platform, open, clock }) => {
  platform.onUpgrade = () => 'ignore';
  const opening = rejection(open());
  await until(() => platform.handshakes.length === 1, 'the handshake');
  clock.advance(10_000);
  assert.is(((await opening) as GatewayError).code, 'ERR_PLATFORM_TIMEOUT');
});

test('a server that says nothing at first is waited for 250 ms, and not at all once the key is proven', async (world) => {
  const { platform, open, clock, auth } = world;
  platform.greets = false;
  let opened = false;
  const first = open().then((connection) => {
    opened = true;
    return connection;
  });
  await until(() => clock.timers === 2, 'the open socket');
  clock.advance(249);
  await new Promise(setImmediate);
  assert.not(opened);
  clock.advance(1);
  (await first).close();
  auth.accepted('header');
  assert.ok((await open()).usable);
});

test('a peer that falls silent is pinged after 35 s and given up after 75 s', async ({
  platform,
  open,
  clock,
  counters,
  closed,
}) => {
  const connection = await open();
  const server = await platform.connection(1);
  clock.advance(40_000);
  await until(() => server.pings === 1, 'a ping');
  // Not a word comes back, not even a pong.
  server.socket.pause();
  await until(() => clock.timers === 1, 'the liveness timer alone');
  clock.advance(40_000);
  await until(() => closed.length === 1, 'the close');
  assert.is(counters.deadPeers, 1);
  assert.is(closed[0]?.code, 'ERR_PLATFORM_UNAVAILABLE');
  assert.not(connection.usable);
});

test('pings of the platform are answered and keep the connection up', async ({ platform, open, clock, counters }) => {
  const connection = await open();
  const server = await platform.connection(1);
  for (let pings = 1; pings <= 4; pings++) {
    server.socket.ping();
    await until(() => server.pongs === pings, 'a pong');
    clock.advance(30_000);
  }
  assert.ok(connection.usable);
  assert.is(counters.deadPeers, 0);
  assert.is(server.pings, 0);
});

test('is not used again once idle so long that the platform is about to close it', async ({
  platform,
  open,
  clock,
}) => {
  const connection = await open();
  const server = await platform.connection(1);
  for (let minutes = 0; minutes < 55; minutes++) {
    assert.ok(connection.usable);
    server.socket.ping();
    await until(() => server.pongs === minutes + 1, 'a pong');
    clock.advance(60_000);
  }
  assert.not(connection.usable);
});

test('closing gives up the request in flight and tells of no error', async ({ platform, open, closed }) => {
  const connection = await open();
  const transcript = connection.transcribe(FRAME);
  await (await platform.connection(1)).request(1);
  connection.close();
  assert.is(((await rejection(transcript)) as GatewayError).code, 'ERR_ABORTED');
  await until(() => closed.length === 1, 'the close');
  assert.is(closed[0], undefined);
  connection.close();
});

test.run();
