import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { PlatformError } from '../../../src/platform/platform-errors.ts';
import type { Job } from '../../../src/platform/rest/groups/jobs.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { rejection } from '../../support/until.ts';
import { data, ScriptedApi } from './scripted-api.ts';

interface World {
  api: ScriptedApi;
  clock: FakeClock;
}

const test = suite<World>('jobs');
test.before.each(async (world) => {
  world.api = await ScriptedApi.start();
  world.clock = new FakeClock();
});
test.after.each(({ api }) => api.close());

/** Lets time pass, one poll at a time, until the `count`-th request has come. */
async function poll({ api, clock }: World, count: number): Promise<void> {
  while (api.seen.length < count) {
    clock.advance(100);
    await new Promise(setImmediate);
  }
}

test('waits for a job, tells how it goes, and asks less and less often', async (world) => {
  const { api, clock } = world;
  const states = ['PENDING', 'PROCESSING', 'PROCESSING', 'COMPLETED'];
  api.script = states.map((status, i) => data({ id: 'j1', status, progress: i * 25, jobResponse: { text: 'hi' } }));
  const told: Job[] = [];
  const atMs: number[] = [];
  const waiting = api.client({ clock, cache: { ttlMs: 60_000 } }).jobs.waitFor('j1', {
    onProgress: (job) => {
      told.push(job);
      atMs.push(clock.nowMs());
    },
  });
  await poll(world, 4);
  const job = await waiting;
  assert.equal(job.jobResponse, { text: 'hi' });
  assert.equal(
    told.map(({ status }) => status),
    states,
  );
  assert.ok(atMs[1]! - atMs[0]! >= 1000 && atMs[3]! - atMs[2]! >= 2000, String(atMs));
  assert.is(clock.timers, 0);
});

test('a job that failed is an error that holds the job', async ({ api }) => {
  for (const status of ['FAILED', 'error', 'Cancelled', 'CANCELED']) {
    api.script = [data({ id: 'j1', status, reason: 'no audio' })];
    const error = (await rejection(api.client().jobs.waitFor('j1'))) as PlatformError;
    assert.is(error.code, 'ERR_PLATFORM_JOB', status);
    assert.is((error.details as Job)['reason'], 'no audio');
  }
});

test('gives up after its timeout, and when it is told to', async (world) => {
  const { api, clock } = world;
  api.script = [data({ id: 'j1', status: 'PENDING' })];
  const client = api.client({ clock });
  const late = rejection(client.jobs.waitFor('j1', { timeoutMs: 5_000 }));
  await poll(world, 3);
  clock.advance(5_000);
  assert.is((await late).name, 'TimeoutError');
  const controller = new AbortController();
  const aborted = rejection(client.jobs.waitFor('j1', { signal: controller.signal }));
  await api.requests(api.seen.length + 1);
  controller.abort();
  assert.is((await aborted).name, 'AbortedError');
  assert.is(clock.timers, 0);
});

test.run();
