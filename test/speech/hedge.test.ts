import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { QuotaGovernor, type QuotaUsage } from '../../src/platform/quota-governor.ts';
import { QuotaScheduler } from '../../src/speech/quota-scheduler.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeWorld, unavailable, type World } from './transcriber-world.ts';

/** Learns that answers take up to 99 ms, then has one utterance under way that takes longer. */
async function withLateAnswer(world: World, use: (text: Promise<string>) => Promise<void>): Promise<void> {
  const { submit, settle, clock, connections, transcriber } = world;
  transcriber.warm();
  for (let socket = 0; socket < 3; socket++) await settle();
  assert.is(connections.length, 2, 'a second connection is there ahead of need');
  for (let number = 99; number > 0; number--) {
    const result = submit('x', `call-${number}`);
    await settle();
    clock.advance(number);
    connections.find(({ usable }) => !usable)!.answer('x');
    await result;
    await settle();
  }
  const result = submit('a').then(({ text }) => text);
  await settle();
  assert.is(connections[0]!.frames.at(-1), 'a@8000');
  await use(result);
}

const test = suite('hedge');

test('an answer later than 99 of 100 is asked for again, the first one counts, and the other reaches nobody', async () => {
  const world = makeWorld({ hedge: true, maxSockets: 2 });
  await withLateAnswer(world, async (result) => {
    const { clock, settle, connections, transcriber, submit } = world;
    clock.advance(98);
    await settle();
    assert.is(transcriber.statistics.hedged, 0);
    clock.advance(1);
    await settle();
    assert.is(connections[1]!.frames.at(-1), 'a@8000');
    connections[1]!.answer('second');
    assert.is(await result, 'second');
    assert.equal([transcriber.statistics.hedged, transcriber.statistics.hedgesWon], [1, 1]);
    // The connection with the late answer is busy until that has come: it must not be taken for the next one's.
    const next = submit('b');
    await settle();
    assert.is(connections[1]!.frames.at(-1), 'b@8000');
    connections[0]!.answer('late');
    connections[1]!.answer('B');
    assert.is((await next).text, 'B');
    await settle();
    assert.is(transcriber.statistics.inFlight, 0);
    const last = submit('c');
    await settle();
    connections.find(({ usable }) => !usable)!.answer('C');
    assert.is((await last).text, 'C');
  });
});

test('the first connection may still be first', async () => {
  const world = makeWorld({ hedge: true, maxSockets: 2 });
  await withLateAnswer(world, async (result) => {
    const { clock, settle, connections, transcriber } = world;
    clock.advance(99);
    await settle();
    connections[0]!.answer('first');
    assert.is(await result, 'first');
    connections[1]!.answer('second');
    await settle();
    assert.equal([transcriber.statistics.hedged, transcriber.statistics.hedgesWon], [1, 0]);
  });
});

test('an utterance fails only when both connections have', async () => {
  const world = makeWorld({ hedge: true, maxSockets: 2 });
  await withLateAnswer(world, async (result) => {
    const { clock, settle, connections, transcriber } = world;
    clock.advance(99);
    await settle();
    connections[0]!.lose(unavailable);
    await settle();
    assert.is(transcriber.statistics.retries, 0);
    connections[1]!.answer('second');
    assert.is(await result, 'second');
  });
});

/** Half of whose quota is in use, if asked when it is. */
class HalfUsed extends QuotaScheduler {
  isHalfUsed = false;

  override get usage(): QuotaUsage {
    return { ...super.usage, limit: 100, used: this.isHalfUsed ? 50 : 0 };
  }
}

test('nothing is asked twice where the quota is not plentiful', async () => {
  const clock = new FakeClock();
  const scheduler = new HalfUsed({ clock, quota: new QuotaGovernor({ limit: Number.POSITIVE_INFINITY }) });
  const world = makeWorld({ hedge: true, maxSockets: 2, clock, scheduler });
  await withLateAnswer({ ...world, clock }, async (result) => {
    scheduler.isHalfUsed = true;
    clock.advance(5_000);
    await world.settle();
    assert.is(world.transcriber.statistics.hedged, 0);
    world.connections[0]!.answer('first');
    assert.is(await result, 'first');
  });
});

test.run();
