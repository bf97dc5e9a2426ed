import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GovernedQuota } from '../../../src/platform/rest/governed-quota.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { LIMITER_KINDS } from '../../support/limiters.ts';
import { rejection, until } from '../../support/until.ts';
import { data, reply, ScriptedApi } from './scripted-api.ts';

interface World {
  api: ScriptedApi;
  clock: FakeClock;
}

const test = suite<World>('REST requests under a quota');
test.before.each(async (world) => {
  world.api = await ScriptedApi.start();
  world.clock = new FakeClock();
});
test.after.each(({ api }) => api.close());

/** Lets `ms` pass, with everything that waits for the network in between. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 500) {
    clock.advance(500);
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  }
}

test('many calls are never refused, whatever is asked for at once, and all of the quota is used', async (world) => {
  const { api, clock } = world;
  const limiter = LIMITER_KINDS[2]!(20);
  let refused = 0;
  api.script = [
    (seen) => {
      const { allowed } = limiter.take(clock.nowMs());
      if (!allowed) refused++;
      (allowed ? data({ id: 'a' }) : reply(429, { message: 'Too many requests' }))(seen);
    },
  ];
  const quota = new GovernedQuota({ limit: 20, clock });
  const client = api.client({ clock, quota, timeoutMs: 600_000 });
  const failures: string[] = [];
  let answered = 0;
  for (let call = 0; call < 50; call++)
    client.voiceAgents.get('a').then(
      () => answered++,
      (error: Error) => failures.push(error.message),
    );
  await until(() => answered >= 8, 'those that may go at once');
  await pass(clock, 60_000);
  assert.ok(answered >= 19 && answered <= 30, `${answered} in the first minute`);
  await pass(clock, 100_000);
  assert.equal([answered, refused, failures], [50, 0, []]);
});

test('a refusal holds back all that follow for as long as it says, and headers lower the limit', async (world) => {
  const { api, clock } = world;
  const quota = new GovernedQuota({ limit: 100, clock });
  const client = api.client({ clock, quota });
  api.script = [
    reply(429, { message: 'Too many requests' }, { 'retry-after': '7', 'x-ratelimit-limit': '40' }),
    data({ id: 'a' }),
  ];
  const first = client.voiceAgents.get('a');
  await api.requests(1);
  await until(() => quota.usage.refusals === 1, 'the refusal');
  assert.is(quota.usage.limit, 40);
  const other = client.voiceAgents.get('b');
  await pass(clock, 6_500);
  assert.is(api.seen.length, 1);
  await pass(clock, 3_000);
  assert.is((await first).id, 'a');
  await other;
});

test('who gives up while waiting costs nothing, and the next one takes the turn', async ({ api, clock }) => {
  const quota = new GovernedQuota({ limit: 1, clock });
  const client = api.client({ clock, quota, timeoutMs: 600_000 });
  await client.voiceAgents.get('a');
  const given = new AbortController();
  const second = rejection(client.voiceAgents.get('b', { signal: given.signal }));
  const third = client.voiceAgents.get('c');
  await pass(clock, 1_000);
  given.abort();
  await second;
  await pass(clock, 130_000);
  await third;
  assert.equal(
    api.seen.map(({ url }) => url.split('/').at(-1)),
    ['a', 'c'],
  );
});

test.run();
