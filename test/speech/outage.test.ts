import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../src/core/errors.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import { rejection } from '../support/until.ts';
import { makeWorld, unavailable } from './transcriber-world.ts';

/** A world in which callers' utterances are kept; what was, and what was told of outages. */
function makeKeepingWorld() {
  const kept: string[] = [];
  const told: boolean[] = [];
  const world = makeWorld({
    maxSockets: 4,
    keep: ({ id }, { code }) => {
      kept.push(`${id} ${code}`);
      return true;
    },
    onOutage: (isAway) => told.push(isAway),
  });
  return { ...world, kept, told };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return ((await rejection(promise)) as GatewayError).code;
}

const test = suite('outages');

test('after five attempts in a row that brought nothing utterances are kept at once instead of waiting', async () => {
  const { submit, settle, refusals, clock, kept, told, transcriber } = makeKeepingWorld();
  refusals.push(...Array<Error>(5).fill(unavailable));
  const waiting = codeOf(submit('a'));
  await settle();
  for (let attempt = 1; attempt < 5; attempt++) {
    assert.not(transcriber.isAway);
    clock.advance(250 * 2 ** (attempt - 1));
    await settle();
  }
  assert.ok(transcriber.isAway);
  assert.is(await waiting, 'ERR_STT_DEFERRED');
  assert.is(await codeOf(submit('b', 'other')), 'ERR_STT_DEFERRED');
  assert.equal(kept, ['a ERR_PLATFORM_CIRCUIT', 'b ERR_PLATFORM_CIRCUIT']);
  assert.equal(told, [true]);
  assert.equal([transcriber.statistics.deferred, transcriber.statistics.failed], [2, 0]);
});

test('once a connection is up one utterance tries, and its answer ends the outage', async () => {
  const { submit, settle, refusals, clock, connections, told, transcriber } = makeKeepingWorld();
  transcriber.warm();
  refusals.push(...Array<Error>(5).fill(unavailable));
  for (let second = 0; second < 20; second++) {
    await settle();
    clock.advance(1_000);
  }
  await settle();
  assert.is(connections.length, 1);
  assert.ok(transcriber.isAway);
  const probe = submit('a');
  assert.is(await codeOf(submit('b', 'other')), 'ERR_STT_DEFERRED');
  await settle();
  connections[0]?.answer('A');
  assert.is((await probe).text, 'A');
  assert.not(transcriber.isAway);
  assert.equal(told, [true, false]);
  const next = submit('c', 'third');
  await settle();
  connections[0]?.answer('C');
  assert.is((await next).text, 'C');
});

test('a platform that accepts connections and does nothing is tried by one request at a time, with waits', async () => {
  const { submit, settle, clock, connections, transcriber } = makeWorld();
  const failures: string[] = [];
  for (const text of 'abcdefgh') void submit(text, text).catch(({ code }: GatewayError) => failures.push(code));
  const broken = new PlatformError('ERR_PLATFORM_UNAVAILABLE', 'Error generating transcription');
  let requests = 0;
  const refuseAll = async (): Promise<void> => {
    await settle();
    for (const connection of connections) {
      if (connection.usable) continue;
      requests++;
      connection.refuse(broken);
      clock.advance(1);
      await settle();
    }
  };
  while (!transcriber.isAway) await refuseAll();
  const before = requests;
  failures.length = 0;
  for (let tick = 0; tick < 600; tick++) {
    clock.advance(100);
    await refuseAll();
  }
  // Half of 1, 2, 4, 8, 16, 30 s apart.
  assert.ok(requests - before >= 3 && requests - before <= 8, `${requests - before} requests in a minute`);
  assert.equal(failures, [], 'they wait until their deadline');
});

test('requests that are lost together are one failure: a restart is no outage', async () => {
  const { submit, settle, connections, clock, kept, transcriber } = makeKeepingWorld();
  const results = ['a', 'b', 'c', 'd'].map((text) => submit(text, text));
  for (let socket = 0; socket < 4; socket++) await settle();
  assert.is(connections.length, 4);
  clock.advance(100);
  for (const connection of connections.slice(0, 4)) connection.lose(unavailable);
  assert.not(transcriber.isAway);
  for (let tick = 0; tick < 60; tick++) {
    await settle();
    for (const connection of connections) if (!connection.usable && !connection.isClosed) connection.answer('again');
    clock.advance(100);
  }
  assert.equal(
    (await Promise.all(results)).map(({ text }) => text),
    Array(4).fill('again'),
  );
  assert.equal(kept, []);
});

test('what was lost with a platform that can not be reached is sent again more than once', async () => {
  const { submit, settle, connections, refusals, clock } = makeWorld({ maxSockets: 1 });
  const result = submit('a');
  for (let kill = 0; kill < 2; kill++) {
    await settle();
    refusals.push(unavailable);
    connections[kill]?.lose(unavailable);
    await settle();
    clock.advance(5_000);
    await settle();
    clock.advance(5_000);
  }
  await settle();
  connections[2]?.answer('A');
  assert.is((await result).text, 'A');
});

test('what is lost twice while the platform is there is kept with what was lost', async () => {
  const { submit, settle, connections, kept, clock } = makeKeepingWorld();
  const failure = rejection(submit('a'));
  await settle();
  connections[0]?.lose(unavailable);
  await settle();
  clock.advance(1_000);
  await settle();
  connections[1]?.lose(unavailable);
  const { code, cause } = (await failure) as GatewayError;
  assert.equal([code, kept], ['ERR_STT_DEFERRED', ['a ERR_STT_FAILED']]);
  assert.is(((cause as GatewayError).cause as GatewayError).code, 'ERR_PLATFORM_UNAVAILABLE');
});

test('what waits when the transcriber closes is kept', async () => {
  const { submit, settle, kept, transcriber, clock } = makeKeepingWorld();
  const results = [submit('a'), submit('b')].map(codeOf);
  await settle();
  const drained = transcriber.drain(1_000);
  assert.is(await codeOf(submit('c')), 'ERR_STT_DEFERRED');
  clock.advance(1_000);
  await drained;
  assert.equal(await Promise.all(results), ['ERR_STT_DEFERRED', 'ERR_STT_DEFERRED']);
  assert.equal(
    kept.map((line) => line.split(' ')[1]),
    Array(3).fill('ERR_SHUTTING_DOWN'),
  );
});

test('an account that is refused is no outage', async () => {
  const { submit, settle, refusals, transcriber, clock } = makeKeepingWorld();
  refusals.push(...Array<Error>(6).fill(new PlatformError('ERR_PLATFORM_WALLET', 'Insufficient funds')));
  for (let minute = 0; minute < 6; minute++) {
    await rejection(submit('a'));
    await settle();
    clock.advance(60_000);
  }
  assert.not(transcriber.isAway);
});

test.run();
