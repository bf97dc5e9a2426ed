import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../src/core/errors.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import type { TranscriptPart } from '../../src/speech/transcriber.ts';
import { rejection, until } from '../support/until.ts';
import { FakeConnection, makeWorld, rate, unavailable } from './transcriber-world.ts';

const partOf = (id: string): TranscriptPart => ({ id, startMs: 0, endMs: 1_000 });

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return ((await rejection(promise)) as GatewayError).code;
}

const test = suite('transcriber');

test('opens a connection with the first utterance and reuses it', async () => {
  const { submit, settle, connections, transcriber } = makeWorld();
  assert.is(connections.length, 0);
  const first = submit('a');
  await settle();
  assert.equal(connections[0]?.frames, ['a@8000']);
  connections[0]?.answer('one');
  assert.is((await first).text, 'one');
  const second = submit('b');
  await settle();
  connections[0]?.answer('two');
  assert.is((await second).text, 'two');
  assert.is(connections.length, 1);
  assert.is(transcriber.statistics.requests, 2);
});

test('measures the wait for the wire and the wait for the transcript', async () => {
  const { submit, settle, connections, clock } = makeWorld({ maxSockets: 1 });
  const first = submit('a');
  const second = submit('b');
  await settle();
  clock.advance(300);
  connections[0]?.answer('one');
  await settle();
  clock.advance(500);
  connections[0]?.answer('two');
  assert.equal(await first, { text: 'one', parts: [partOf('a')], sttQueueMs: 0, sttMs: 300 });
  assert.equal(await second, { text: 'two', parts: [partOf('b')], sttQueueMs: 300, sttMs: 500 });
});

test('opens a second connection only when an utterance waits, and never a third', async () => {
  const { submit, settle, connections, transcriber } = makeWorld();
  const results = ['a', 'b', 'c', 'd'].map((text) => submit(text, `call-${text}`));
  await settle();
  assert.is(connections.length, 2);
  assert.equal(transcriber.statistics, {
    requests: 2,
    retries: 0,
    reconnects: 0,
    refused: 0,
    merged: 0,
    skipped: 0,
    failed: 0,
    deferred: 0,
    hedged: 0,
    hedgesWon: 0,
    inFlight: 2,
    queued: 2,
    sockets: 2,
  });
  // First in, first out over all calls.
  connections[1]?.answer('B');
  await settle();
  assert.equal(connections[1]?.frames, ['b@8000', 'c@8000']);
  connections[0]?.answer('A');
  await settle();
  assert.equal(connections[0]?.frames, ['a@8000', 'd@8000']);
  connections[0]?.answer('D');
  connections[1]?.answer('C');
  assert.equal(
    (await Promise.all(results)).map(({ text }) => text),
    ['A', 'B', 'C', 'D'],
  );
});

test('results of one call come in its order, those of another do not wait', async () => {
  const { submit, settle, connections } = makeWorld({ maxSockets: 3 });
  const order: string[] = [];
  void submit('a', 'one').then(() => order.push('a'));
  void submit('b', 'one').then(() => order.push('b'));
  void submit('c', 'two').then(() => order.push('c'));
  await settle();
  connections[1]?.answer('B');
  connections[2]?.answer('C');
  await settle();
  assert.equal(order, ['c']);
  connections[0]?.answer('A');
  await settle();
  assert.equal(order, ['c', 'a', 'b']);
});

test('an utterance whose connection is lost goes once more over a new one, ahead of the others', async () => {
  const { submit, settle, connections, transcriber, clock } = makeWorld({ maxSockets: 1 });
  const first = submit('a');
  const second = submit('b');
  await settle();
  clock.advance(200);
  connections[0]?.lose(unavailable);
  await settle();
  clock.advance(1_000);
  await settle();
  assert.equal(connections[1]?.frames, ['a@8000']);
  connections[1]?.answer('A');
  // The lost attempt is the platform's time.
  assert.equal(await first, { text: 'A', parts: [partOf('a')], sttQueueMs: 0, sttMs: 1_200 });
  await settle();
  connections[1]?.answer('B');
  assert.is((await second).text, 'B');
  assert.is(transcriber.statistics.retries, 1);
  assert.is(transcriber.statistics.reconnects, 1);
});

test('two utterances in flight that are lost together are sent again in their order', async () => {
  const { submit, settle, connections, clock } = makeWorld();
  const results = [submit('a'), submit('b', 'other')];
  await settle();
  connections[1]?.lose(unavailable);
  connections[0]?.lose(unavailable);
  await settle();
  clock.advance(1_000);
  await settle();
  assert.equal(connections[2]?.frames, ['a@8000']);
  connections[2]?.answer('A');
  await settle();
  for (const connection of connections.slice(2)) if (connection.frames.at(-1) === 'b@8000') connection.answer('B');
  assert.equal(
    (await Promise.all(results)).map(({ text }) => text),
    ['A', 'B'],
  );
});

test('an utterance lost twice is an error that keeps its cause', async () => {
  const { submit, settle, connections, clock, transcriber } = makeWorld();
  const failure = rejection(submit('a'));
  await settle();
  connections[0]?.lose(unavailable);
  await settle();
  clock.advance(1_000);
  await settle();
  const timeout = new PlatformError('ERR_PLATFORM_TIMEOUT', 'no transcript came');
  connections[1]?.lose(timeout);
  const error = (await failure) as GatewayError;
  assert.is(error.code, 'ERR_STT_FAILED');
  assert.is(error.cause, timeout);
  assert.is(transcriber.statistics.failed, 1);
});

test('a request that the platform refuses for what it is fails at once', async () => {
  const { submit, settle, connections, transcriber } = makeWorld();
  const failure = rejection(submit('a'));
  await settle();
  connections[0]?.refuse(new PlatformError('ERR_PLATFORM_REQUEST', 'Only WAV files are supported'));
  assert.is(((await failure) as GatewayError).code, 'ERR_STT_FAILED');
  assert.equal([transcriber.statistics.refused, transcriber.statistics.retries], [1, 0]);
});

test('an utterance that can not be encoded fails alone', async () => {
  const { submit, settle, connections } = makeWorld({
    encode: (pcm) => {
      if (pcm[0] === 'x'.charCodeAt(0)) throw new RangeError('no such rate');
      return Buffer.from('fine');
    },
  });
  const failure = codeOf(submit('x'));
  const fine = submit('y');
  assert.is(await failure, 'ERR_STT_FAILED');
  await settle();
  connections[0]?.answer('why');
  assert.is((await fine).text, 'why');
});

test('attempts to connect that fail come one at a time with full jitter', async () => {
  const { submit, settle, refusals, attempts, clock, connections, transcriber } = makeWorld();
  refusals.push(unavailable, unavailable, unavailable);
  const result = submit('a');
  void submit('b');
  await settle();
  assert.is(attempts(), 1);
  assert.ok(transcriber.degraded);
  // Half of 500, 1000 and 2000 ms.
  for (const [waitMs, expected] of [
    [249, 1],
    [1, 2],
    [499, 2],
    [1, 3],
    [999, 3],
    [1, 5],
  ] as const) {
    clock.advance(waitMs);
    await settle();
    assert.is(attempts(), expected);
  }
  assert.is(connections.length, 2);
  connections[0]?.answer('A');
  assert.is((await result).text, 'A');
  assert.not(transcriber.degraded);
});

test('an outage ends in an error after the deadline, not before', async () => {
  const { submit, settle, refusals, clock, transcriber } = makeWorld();
  for (let i = 0; i < 100; i++) refusals.push(unavailable);
  let settled = false;
  const failure = rejection(submit('a')).finally(() => {
    settled = true;
  });
  for (let second = 0; second < 119; second++) {
    clock.advance(1_000);
    await settle();
  }
  assert.not(settled);
  clock.advance(1_000);
  const error = (await failure) as GatewayError;
  assert.is(error.code, 'ERR_STT_FAILED');
  assert.is(error.cause, unavailable);
  assert.is(transcriber.statistics.queued, 0);
});

test('an empty wallet rejects all that wait with the one error, and what follows', async () => {
  const { submit, settle, connections, guard } = makeWorld({ maxSockets: 1 });
  const results = [submit('a'), submit('b'), submit('c', 'other')].map(codeOf);
  await settle();
  connections[0]?.refuse(new PlatformError('ERR_PLATFORM_WALLET', 'Insufficient funds'));
  assert.equal(await Promise.all(results), Array(3).fill('ERR_PLATFORM_WALLET'));
  assert.is(await codeOf(submit('d')), 'ERR_PLATFORM_WALLET');
  assert.equal(connections[0]?.frames, ['a@8000']);
  assert.ok(guard.state.walletEmpty);
});

test('a key refused while connecting rejects all that wait, and nothing connects again by itself', async () => {
  const { submit, settle, refusals, guard, attempts, clock, transcriber } = makeWorld();
  transcriber.warm();
  await settle();
  const before = attempts();
  refusals.push(new PlatformError('ERR_PLATFORM_AUTH', 'the platform answered 401'));
  const results = [submit('a'), submit('b', 'other'), submit('c', 'third')].map(codeOf);
  await settle();
  assert.is(await results[1], 'ERR_PLATFORM_AUTH');
  assert.is(await results[2], 'ERR_PLATFORM_AUTH');
  assert.ok(guard.state.keyRefused);
  clock.advance(59_000);
  await settle();
  assert.is(attempts(), before + 1);
  transcriber.close();
  assert.is(await results[0], 'ERR_SHUTTING_DOWN');
});

test('a connection refused for what it is fails all that wait at once', async () => {
  const { submit, refusals } = makeWorld();
  const notFound = new PlatformError('ERR_PLATFORM_REQUEST', 'the platform answered 404');
  refusals.push(notFound);
  const results = [submit('a'), submit('b', 'other')].map(rejection);
  for (const error of await Promise.all(results)) {
    assert.is((error as GatewayError).code, 'ERR_STT_FAILED');
    assert.is(error.cause, notFound);
  }
});

test('a probe that is refused while connecting gets the refusal, and the gate stays closed', async () => {
  const { submit, settle, refusals, clock, guard } = makeWorld();
  const key = new PlatformError('ERR_PLATFORM_AUTH', 'the platform answered 401');
  refusals.push(key, key);
  assert.is(await rejection(submit('a')), key);
  clock.advance(60_000);
  const probe = rejection(submit('b'));
  await settle();
  assert.is(await probe, key);
  assert.is(await rejection(submit('c')), key);
  assert.ok(guard.state.keyRefused);
});

test('after 60 s one utterance probes the account, and its success opens the gate', async () => {
  const { submit, settle, connections, clock, guard } = makeWorld();
  const refused = codeOf(submit('a'));
  await settle();
  connections[0]?.refuse(new PlatformError('ERR_PLATFORM_WALLET', 'Insufficient funds'));
  assert.is(await refused, 'ERR_PLATFORM_WALLET');
  clock.advance(60_000);
  const probe = submit('b');
  assert.is(await codeOf(submit('c', 'other')), 'ERR_PLATFORM_WALLET');
  await settle();
  connections[0]?.answer('mended');
  assert.is((await probe).text, 'mended');
  assert.not(guard.state.walletEmpty);
  void submit('d');
  await settle();
  assert.equal(connections[0]?.frames, ['a@8000', 'b@8000', 'd@8000']);
});

test('a rate refusal waits as long as it says and is no failure', async () => {
  const { submit, settle, connections, clock, transcriber } = makeWorld();
  const result = submit('a');
  const next = submit('b');
  await settle();
  connections[0]?.refuse(rate(12_000));
  await settle();
  connections[1]?.answer('B');
  clock.advance(11_999);
  await settle();
  assert.is(transcriber.statistics.requests, 2);
  clock.advance(1);
  await settle();
  assert.is(transcriber.statistics.requests, 3);
  assert.is(connections.length, 2);
  for (const connection of connections) if (!connection.usable) connection.answer('A');
  // The wait for the rate is the queue's, and the transcript came at once.
  assert.equal(await result, { text: 'A', parts: [partOf('a')], sttQueueMs: 12_000, sttMs: 0 });
  assert.is((await next).text, 'B');
  assert.equal([transcriber.statistics.refused, transcriber.statistics.retries], [1, 0]);
});

test('rate refusals without a word about the wait back off, up to the deadline', async () => {
  const { submit, settle, connections, clock, transcriber } = makeWorld();
  const failure = rejection(submit('a'));
  let settled = false;
  void failure.then(() => {
    settled = true;
  });
  for (let second = 0; second < 300 && !settled; second++) {
    await settle();
    const [connection] = connections;
    if (connection && !connection.usable) connection.refuse(rate());
    await settle();
    clock.advance(1_000);
  }
  const error = (await failure) as GatewayError;
  assert.is(error.code, 'ERR_STT_FAILED');
  assert.is((error.cause as GatewayError).code, 'ERR_PLATFORM_RATE');
  assert.ok(clock.nowMs() <= 122_000);
  // 0.5, 1, 2, 4, 8, 15, 15 … s apart.
  assert.ok(transcriber.statistics.requests <= 12, `${transcriber.statistics.requests} requests`);
});

test('a connection refused for the rate pauses as well', async () => {
  const { submit, settle, refusals, attempts, clock } = makeWorld();
  refusals.push(rate(5_000));
  void submit('a');
  await settle();
  clock.advance(4_999);
  await settle();
  assert.is(attempts(), 1);
  clock.advance(1);
  await settle();
  assert.is(attempts(), 2);
});

test('beyond 16 waiting utterances the oldest of the call is given up', async () => {
  const { submit, settle, transcriber } = makeWorld({ maxSockets: 1 });
  const flying = codeOf(submit('0'));
  await settle();
  const waiting = Array.from({ length: 17 }, (_, index) => codeOf(submit(String.fromCharCode(97 + index))));
  const other = codeOf(submit('z', 'other'));
  assert.is(transcriber.statistics.queued, 17);
  transcriber.close();
  assert.is(await flying, 'ERR_SHUTTING_DOWN');
  assert.equal(await Promise.all(waiting), ['ERR_STT_BACKLOG', ...Array<string>(16).fill('ERR_SHUTTING_DOWN')]);
  assert.is(await other, 'ERR_SHUTTING_DOWN');
});

test('a full queue refuses a call that has nothing in it to give up', async () => {
  const { submit, settle, transcriber } = makeWorld({ maxSockets: 1, maxQueued: 2 });
  const flying = codeOf(submit('a', 'a'));
  await settle();
  const [second, third] = [codeOf(submit('b', 'b')), codeOf(submit('c', 'c'))];
  assert.is(await codeOf(submit('d', 'd')), 'ERR_STT_BACKLOG');
  const newer = codeOf(submit('C', 'c'));
  assert.is(await third, 'ERR_STT_BACKLOG');
  transcriber.close();
  assert.equal(await Promise.all([flying, second, newer]), Array(3).fill('ERR_SHUTTING_DOWN'));
});

test('an abandoned call gets errors at once, and its answer under way reaches nobody', async () => {
  const { submit, settle, connections, transcriber } = makeWorld({ maxSockets: 1 });
  const gone = [submit('a', 'gone'), submit('b', 'gone')].map(codeOf);
  const stays = submit('c', 'stays');
  await settle();
  transcriber.abandon('gone');
  assert.equal(await Promise.all(gone), ['ERR_ABORTED', 'ERR_ABORTED']);
  connections[0]?.answer('of the call that is gone');
  await settle();
  assert.equal(connections[0]?.frames, ['a@8000', 'c@8000']);
  connections[0]?.answer('C');
  assert.is((await stays).text, 'C');
});

test('warm opens a connection ahead of need and again when it is lost, as long as it is held', async () => {
  const { transcriber, settle, connections, submit, clock } = makeWorld();
  const release = transcriber.warm();
  const second = transcriber.warm();
  await settle();
  assert.is(connections.length, 1);
  const result = submit('a');
  await settle();
  connections[0]?.answer('A');
  await result;
  connections[0]?.lose();
  await settle();
  assert.is(connections.length, 2);
  release();
  release();
  connections[1]?.lose();
  await settle();
  clock.advance(1_000);
  await settle();
  assert.is(connections.length, 3);
  second();
  connections[2]?.lose();
  await settle();
  clock.advance(60_000);
  await settle();
  assert.is(connections.length, 3);
});

test('a server that closes each warm connection at once is not stormed', async () => {
  const { transcriber, settle, connections, clock } = makeWorld();
  transcriber.warm();
  for (let tick = 0; tick < 600; tick++) {
    await settle();
    for (const connection of connections) if (!connection.isClosed) connection.lose();
    clock.advance(100);
  }
  // Half of 0.5, 1, 2, 4, 8, 16, 30, 30 … s apart: nine in a minute.
  assert.ok(connections.length <= 10, `${connections.length} connections in a minute`);
});

test('draining takes nothing new, waits for what is under way, and closes', async () => {
  const { submit, settle, connections, transcriber } = makeWorld({ maxSockets: 1 });
  const results = [submit('a'), submit('b')];
  await settle();
  let drained = false;
  const drain = transcriber.drain(10_000).then(() => {
    drained = true;
  });
  assert.is(await codeOf(submit('c')), 'ERR_SHUTTING_DOWN');
  connections[0]?.answer('A');
  await settle();
  assert.not(drained);
  connections[0]?.answer('B');
  await drain;
  assert.equal(
    (await Promise.all(results)).map(({ text }) => text),
    ['A', 'B'],
  );
  assert.ok(connections[0]?.isClosed);
});

test('draining gives up at its deadline', async () => {
  const { submit, settle, transcriber, clock } = makeWorld();
  const failure = codeOf(submit('a'));
  await settle();
  const drain = transcriber.drain(10_000);
  clock.advance(10_000);
  await drain;
  assert.is(await failure, 'ERR_SHUTTING_DOWN');
});

test('draining with nothing under way is done at once and leaves no timer', async () => {
  const { transcriber, clock, submit, settle, connections } = makeWorld();
  const result = submit('a');
  await settle();
  connections[0]?.answer('A');
  await result;
  await transcriber.drain(10_000);
  assert.is(clock.timers, 0);
});

test('a connection that opens after the close is closed', async () => {
  let open: (() => void) | undefined;
  const connection = new FakeConnection(() => {});
  const { transcriber, submit, settle } = makeWorld({
    connect: () =>
      new Promise((resolve) => {
        open = () => resolve(connection);
      }),
  });
  const failure = codeOf(submit('a'));
  await settle();
  transcriber.close();
  assert.is(await failure, 'ERR_SHUTTING_DOWN');
  open?.();
  await until(() => connection.isClosed, 'the close of the late connection');
});

test.run();
