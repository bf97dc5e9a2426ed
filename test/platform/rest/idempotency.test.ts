import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { IdempotentOperations } from '../../../src/platform/rest/idempotency.ts';
import { EmbeddedStore } from '../../../src/store/embedded-store.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { rejection } from '../../support/until.ts';
import { ScriptedApi } from './scripted-api.ts';

const test = suite('idempotency');
const HOUR_MS = 3_600_000;

test('an operation is run once in 24 hours, and its result is given again', async () => {
  const clock = new FakeClock();
  const operations = new IdempotentOperations(new MemoryStore({ clock }));
  let runs = 0;
  const run = async (): Promise<{ n: number }> => ({ n: ++runs });
  assert.equal(await operations.operation('a', run), { n: 1 });
  clock.advance(24 * HOUR_MS - 1);
  assert.equal(await operations.operation('a', run), { n: 1 });
  assert.equal(await operations.operation('b', run), { n: 2 });
  clock.advance(1);
  assert.equal(await operations.operation('a', run), { n: 3 });
});

test('callers at the same time share one run, and its failure, which is not kept', async () => {
  const operations = new IdempotentOperations(new MemoryStore({ clock: new FakeClock() }));
  let runs = 0;
  const run = async (): Promise<number> => {
    runs++;
    if (runs === 1) throw new Error('no');
    return runs;
  };
  const failures = [1, 2, 3].map(() => rejection(operations.operation('a', run)));
  for (const failure of failures) assert.is((await failure).message, 'no');
  assert.is(runs, 1);
  const results = await Promise.all([1, 2, 3].map(() => operations.operation('a', run)));
  assert.equal(results, [2, 2, 2]);
});

test('nothing is a result too', async () => {
  const operations = new IdempotentOperations(new MemoryStore({ clock: new FakeClock() }));
  let runs = 0;
  const run = async (): Promise<void> => void runs++;
  await operations.operation('a', run);
  assert.is(await operations.operation('a', run), undefined);
  assert.is(runs, 1);
});

test('what a store can not keep is done and counted; what it can not tell is not done', async () => {
  const store = new MemoryStore({ clock: new FakeClock() });
  const operations = new IdempotentOperations({
    get: (key) => store.get(key),
    put: () => Promise.reject(new Error('disk full')),
    delete: (key) => store.delete(key),
    close: () => store.close(),
  });
  assert.is(await operations.operation('a', async () => 1), 1);
  assert.is(operations.notKept, 1);
  let runs = 0;
  const blind = new IdempotentOperations({
    get: () => Promise.reject(new Error('disk gone')),
    put: (key, value, ttlMs) => store.put(key, value, ttlMs),
    delete: (key) => store.delete(key),
    close: () => store.close(),
  });
  assert.is((await rejection(blind.operation('a', async () => ++runs))).message, 'disk gone');
  assert.is(runs, 0);
});

test('a client creates an agent once, even across a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'idempotency-'));
  const api = await ScriptedApi.start();
  const clock = new FakeClock();
  for (let start = 0; start < 2; start++) {
    const store = await EmbeddedStore.open(folder, { clock });
    const client = api.client({ store });
    const create = (): Promise<{ readonly id: string }> =>
      client.idempotentOperation('create-agent-s1', () => client.voiceAgents.create({ name: 'A' }));
    const agents = await Promise.all([create(), create()]);
    assert.equal(
      agents.map(({ id }) => id),
      ['x1', 'x1'],
    );
    await store.close();
  }
  assert.is(api.seen.length, 1);
  await api.close();
  await rm(folder, { recursive: true });
});

test.run();
