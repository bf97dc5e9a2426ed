import { createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AccountGuard } from '../../../src/platform/account-guard.ts';
import type { PlatformError } from '../../../src/platform/platform-errors.ts';
import type { QuotaTicket } from '../../../src/platform/rest/caller.ts';
import type { HamsaClient } from '../../../src/platform/rest/hamsa-client.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { rejection, until } from '../../support/until.ts';
import { data, type Handler, reply, ScriptedApi } from './scripted-api.ts';

interface World {
  api: ScriptedApi;
  clock: FakeClock;
}

const test = suite<World>('resilience');
test.before.each(async (world) => {
  world.api = await ScriptedApi.start();
  world.clock = new FakeClock();
});
test.after.each(({ api }) => api.close());

const down = reply(503, { message: 'down' });
const broken: Handler = ({ response }) => response.destroy();
const AGENT = { name: 'A' };

/** Lets `client` wait for its `count`-th repetition in vain until just before `afterMs`, then lets it go. */
async function passWait(world: World, client: HamsaClient, count: number, fromMs: number, toMs: number): Promise<void> {
  await until(() => client.counters.repeated === count, `repetition ${count}`);
  world.clock.advance(fromMs);
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  assert.is(world.api.seen.length, count, 'nothing is sent before its time');
  world.clock.advance(toMs - fromMs);
}

test('a read is repeated after 500, 503 and a broken connection, with jitter below 1 s and 2 s', async (world) => {
  const { api, clock } = world;
  for (const failure of [reply(500, 'oops'), down, broken]) {
    api.seen.length = 0;
    const client = api.client({ clock });
    api.script = [failure, failure, data({ id: 'a' })];
    const agent = client.voiceAgents.get('a');
    await passWait(world, client, 1, 0, 1000);
    await passWait(world, client, 2, 0, 2000);
    assert.is((await agent).id, 'a');
    assert.is(api.seen.length, 3);
  }
});

test('waits differ from one another: they are jittered in full', async ({ api }) => {
  const waits: number[] = [];
  class Recorder extends FakeClock {
    override after(delayMs: number, run: () => void): ReturnType<FakeClock['after']> {
      if (delayMs < 1000) waits.push(delayMs);
      return super.after(delayMs, run);
    }
  }
  const clock = new Recorder();
  const client = api.client({ clock, maxAttempts: 2, breaker: { failures: 1000 } });
  api.script = [down];
  for (let call = 1; call <= 12; call++) {
    const failed = rejection(client.voiceAgents.get('a'));
    await until(() => client.counters.repeated === call, 'a repetition');
    clock.advance(1000);
    await failed;
  }
  assert.is(waits.length, 12);
  assert.ok(new Set(waits).size > 6, String(waits));
  assert.ok(Math.min(...waits) < 400 && Math.max(...waits) > 600, String(waits));
});

test('after 429 nothing is sent before Retry-After, not even what creates', async (world) => {
  const { api, clock } = world;
  const client = api.client({ clock });
  api.script = [reply(429, { message: 'Too many requests' }, { 'retry-after': '7' }), data({ id: 'a' })];
  const agent = client.voiceAgents.create(AGENT);
  await passWait(world, client, 1, 6_999, 8_000);
  assert.is((await agent).id, 'a');
});

test('a Retry-After beyond the time left is told at once', async ({ api, clock }) => {
  const client = api.client({ clock, timeoutMs: 10_000 });
  api.script = [reply(429, { message: 'Too many requests' }, { 'retry-after': '60' })];
  const error = (await rejection(client.voiceAgents.get('a'))) as PlatformError;
  assert.is(error.name, 'RateLimitError');
  assert.is(error.retryAfterMs, 60_000);
  assert.is(api.seen.length, 1);
});

test('what creates is repeated only if nothing was done', async (world) => {
  const { api, clock } = world;
  for (const failure of [reply(500, ''), down, broken]) {
    api.seen.length = 0;
    api.script = [failure];
    await rejection(api.client({ clock }).voiceAgents.create(AGENT));
    assert.is(api.seen.length, 1);
  }
  api.seen.length = 0;
  api.script = [reply(503, '', { 'retry-after': '1' }), data({ id: 'a' })];
  const client = api.client({ clock });
  const agent = client.voiceAgents.create(AGENT);
  await passWait(world, client, 1, 999, 2000);
  assert.is((await agent).id, 'a');
});

test('what changes the same thing to the same state is repeated', async (world) => {
  const { api, clock } = world;
  const calls: ((client: HamsaClient) => Promise<unknown>)[] = [
    (client) => client.voiceAgents.update('a', { name: 'B' }),
    (client) => client.phoneNumbers.delete('n'),
    (client) => client.campaigns.pause('c'),
    (client) => client.campaigns.retry('c'),
    (client) => client.conversations.list(),
    (client) => client.realtime.stt({ audio: Buffer.from('x'), language: 'ar' }),
  ];
  for (const call of calls) {
    api.seen.length = 0;
    api.script = [broken, data([{ id: 'x', text: 'y' }])];
    const client = api.client({ clock });
    const result = call(client);
    await passWait(world, client, 1, 0, 1000);
    await result;
    assert.is(api.seen.length, 2);
  }
});

test('what a repeat can not mend is not repeated', async ({ api, clock }) => {
  for (const status of [400, 401, 403, 404, 409, 422, 501, 502, 504, 302]) {
    api.seen.length = 0;
    api.script = [reply(status, { message: 'no' })];
    await rejection(api.client({ clock }).voiceAgents.get('a'));
    assert.is(api.seen.length, 1, String(status));
  }
  api.seen.length = 0;
  api.script = [reply(429, { message: 'Usage limit exceeded' }, { 'retry-after': '1' })];
  assert.is((await rejection(api.client({ clock }).voiceAgents.get('a'))).name, 'WalletError');
  assert.is(api.seen.length, 1);
});

test('a connection that is refused is tried again even for what creates', async ({ clock, api }) => {
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
  const { port } = free.address() as { port: number };
  await new Promise((resolve) => free.close(resolve));
  const client = api.client({ clock, baseUrl: `http://127.0.0.1:${port}`, maxAttempts: 2 });
  const failed = rejection(client.voiceAgents.create(AGENT));
  await until(() => client.counters.repeated === 1, 'a repetition');
  clock.advance(1000);
  const error = (await failed) as PlatformError;
  assert.is(error.name, 'NetworkError');
  assert.ok(error.nothingDone);
  assert.is(client.counters.requests, 2);
});

test('an answer that does not come is a timeout of its attempt; all attempts share another', async (world) => {
  const { api, clock } = world;
  api.script = [() => {}];
  const client = api.client({ clock, attemptTimeoutMs: 5_000, timeoutMs: 100_000 });
  const failed = rejection(client.voiceAgents.get('a'));
  for (let attempt = 1; attempt <= 3; attempt++) {
    await api.requests(attempt);
    clock.advance(5_000);
    if (attempt < 3) await until(() => client.counters.repeated === attempt, 'a repetition');
    clock.advance(2_000);
  }
  const error = (await failed) as PlatformError;
  assert.is(error.name, 'TimeoutError');
  assert.match(error.message, /within 5000 ms/);
  const short = rejection(client.voiceAgents.get('b', { timeoutMs: 1_000 }));
  await api.requests(4);
  clock.advance(1_000);
  assert.match((await short).message, /within 1000 ms/);
});

test('a body that comes drop by drop does not outlive its attempt', async ({ api, clock }) => {
  api.script = [({ response }) => void response.writeHead(200, { 'content-type': 'application/json' }).write('{"id":')];
  const client = api.client({ clock, attemptTimeoutMs: 5_000, maxAttempts: 1 });
  const failed = rejection(client.voiceAgents.get('a'));
  await api.requests(1);
  clock.advance(4_999);
  api.seen[0]!.response.write('"');
  clock.advance(1);
  assert.is((await failed).name, 'TimeoutError');
});

test('a signal gives up a request, a wait, a place in the queue and a quota', async ({ api, clock }) => {
  const never = { acquire: () => new Promise<never>(() => {}) };
  const situations: [string, HamsaClient, Handler, (client: HamsaClient) => boolean][] = [
    ['on the wire', api.client({ clock }), () => {}, () => api.seen.length > 0],
    ['waiting to repeat', api.client({ clock }), down, ({ counters }) => counters.repeated > 0],
    ['for the quota', api.client({ clock, quota: never }), () => {}, ({ counters }) => counters.running > 0],
    [
      'in the queue',
      api.client({ clock, queue: { maxConcurrent: 1 } }),
      () => {},
      ({ counters }) => counters.waiting > 0,
    ],
  ];
  for (const [where, client, handler, isThere] of situations) {
    api.seen.length = 0;
    api.script = [handler];
    const controller = new AbortController();
    const other = where === 'in the queue' ? rejection(client.voiceAgents.get('first')) : undefined;
    const failed = rejection(client.voiceAgents.get('a', { signal: controller.signal }));
    await until(() => isThere(client), where);
    controller.abort();
    assert.is((await failed).name, 'AbortedError', where);
    assert.is(client.counters.waiting, 0, where);
    await client.close();
    await other;
  }
  const sent = api.seen.length;
  const aborted = api.client({ clock }).voiceAgents.get('a', { signal: AbortSignal.abort() });
  assert.is((await rejection(aborted)).name, 'AbortedError');
  assert.is(api.seen.length, sent);
  assert.is(clock.timers, 0, 'no timer is left behind');
});

test('close gives up everything and lets nothing in afterwards', async ({ api, clock }) => {
  api.script = [() => {}];
  const client = api.client({ clock, queue: { maxConcurrent: 1 } });
  const failures = ['a', 'b'].map((id) => rejection(client.voiceAgents.get(id)));
  await api.requests(1);
  await client.close();
  for (const failure of failures) assert.is((await failure).name, 'AbortedError');
  assert.is((await rejection(client.voiceAgents.get('c'))).name, 'AbortedError');
  assert.is(clock.timers, 0);
});

test('the quota is asked before each request, of its own kind, and told how it went', async ({ api, clock }) => {
  const events: string[] = [];
  const quota = (name: string): { acquire: () => Promise<QuotaTicket> } => ({
    acquire: async () => {
      events.push(`${name} acquired`);
      return {
        answered: (status, headers) => events.push(`${name} ${status} ${String(headers['x-ratelimit-remaining'])}`),
        lost: () => events.push(`${name} lost`),
      };
    },
  });
  const client = api.client({ clock, quota: quota('api'), realtimeQuota: quota('realtime') });
  api.script = [broken, reply(200, { id: 'a', text: 't' }, { 'x-ratelimit-remaining': '95' })];
  const agent = client.voiceAgents.get('a');
  await until(() => client.counters.repeated === 1, 'a repetition');
  clock.advance(1000);
  await agent;
  await client.realtime.stt({ audio: Buffer.from('x'), language: 'ar' });
  assert.equal(events, [
    'api acquired',
    'api lost',
    'api acquired',
    'api 200 95',
    'realtime acquired',
    'realtime 200 95',
  ]);
});

test('a failing group is left alone, tried again by one request, and others are not touched', async ({
  api,
  clock,
}) => {
  const client = api.client({ clock, maxAttempts: 1, breaker: { failures: 3, openMs: 100 } });
  api.script = [reply(500, '')];
  for (let i = 0; i < 3; i++) assert.is(((await rejection(client.campaigns.list())) as PlatformError).status, 500);
  const refused = (await rejection(client.campaigns.list())) as PlatformError;
  assert.is(refused.code, 'ERR_PLATFORM_CIRCUIT');
  assert.is(refused.retryAfterMs, 100);
  assert.is(api.seen.length, 3);
  api.script = [data([])];
  await client.voiceAgents.list();
  // The breaker's own clock is the machine's.
  let isOpen = true;
  while (isOpen)
    isOpen = await client.campaigns.list().then(
      () => false,
      () => true,
    );
  assert.is(api.seen.length, 5, 'nothing was sent while it was open');
});

test('refusals and timeouts of the caller do not open the breaker', async ({ api, clock }) => {
  const client = api.client({ clock, maxAttempts: 1, breaker: { failures: 2, openMs: 60_000 } });
  api.script = [reply(404, '')];
  for (let i = 0; i < 3; i++) assert.is((await rejection(client.campaigns.get('c'))).name, 'NotFoundError');
  api.script = [() => {}];
  for (let i = 1; i <= 3; i++) {
    const failed = rejection(client.campaigns.get('c', { timeoutMs: 1000 }));
    await api.requests(3 + i);
    clock.advance(1000);
    assert.is((await failed).name, 'TimeoutError');
  }
  api.script = [data({ id: 'c' })];
  assert.is((await client.campaigns.get('c')).id, 'c');
});

test('a guard that is closed by a refused key stops the client too', async ({ api, clock }) => {
  const guard = new AccountGuard();
  const client = api.client({ clock, guard });
  api.script = [reply(401, { code: 10403, message: 'Invalid API key' })];
  assert.is((await rejection(client.voiceAgents.list())).name, 'AuthenticationError');
  assert.ok(guard.state.keyRefused);
  assert.is((await rejection(client.voiceAgents.list())).name, 'AuthenticationError');
  assert.is(api.seen.length, 1);
});

test('the cache is off by default', async ({ api }) => {
  const client = api.client();
  await client.voiceAgents.get('a');
  await client.voiceAgents.get('a');
  assert.is(api.seen.length, 2);
});

test('reads are given again for a while; any write and a fresh call ask the platform', async ({ api, clock }) => {
  const client = api.client({ clock, cache: { ttlMs: 1000 } });
  const get = async (id = 'a', fresh = false): Promise<string> => {
    const agent = await client.voiceAgents.get(id, { fresh });
    return `${String(agent.name)} of ${api.seen.length}`;
  };
  api.script = [({ response }) => response.end(JSON.stringify({ id: 'a', name: `answer ${api.seen.length}` }))];
  assert.is(await get(), 'answer 1 of 1');
  assert.is(await get(), 'answer 1 of 1');
  assert.is(await get('b'), 'answer 2 of 2');
  assert.is(await get('a', true), 'answer 3 of 3');
  assert.is(await get(), 'answer 3 of 3');
  await client.campaigns.pause('c');
  assert.is(await get(), 'answer 5 of 5');
  clock.advance(1000);
  assert.is(await get(), 'answer 6 of 6');
  assert.is(client.counters.cacheHits, 2);
});

test('a read that a write overtakes is not kept', async ({ api, clock }) => {
  const client = api.client({ clock, cache: { ttlMs: 1000 } });
  api.script = [() => {}, data({}), data({ id: 'a', name: 'new' })];
  const early = client.voiceAgents.get('a');
  await api.requests(1);
  await client.voiceAgents.update('a', { name: 'new' });
  api.seen[0]!.response.end('{"id":"a","name":"old"}');
  assert.is((await early).name, 'old');
  assert.is((await client.voiceAgents.get('a')).name, 'new');
});

test('a refusal is not kept', async ({ api, clock }) => {
  const client = api.client({ clock, cache: { ttlMs: 1000 } });
  api.script = [reply(404, ''), data({ id: 'a' })];
  await rejection(client.voiceAgents.get('a'));
  assert.is((await client.voiceAgents.get('a')).id, 'a');
});

test.run();
