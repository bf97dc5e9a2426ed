import { setTimeout } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../src/core/errors.ts';
import { IdempotentOperations } from '../../src/platform/rest/idempotency.ts';
import { RedisStore } from '../../src/store/redis-store.ts';
import { makeRandom, pickSeed } from '../audio/prng.ts';
import { needs } from '../support/needs.ts';
import { RedisServer } from '../support/redis-server.ts';
import { rejection } from '../support/until.ts';

interface World {
  server: RedisServer;
  store: RedisStore;
}

const test = suite<World>('store in Redis');
const isThere = needs('a store in Redis', 'redis-server');

if (isThere) {
  test.before(async (world) => {
    world.server = await RedisServer.launch();
  });
  test.before.each(async (world) => {
    world.store = await RedisStore.open({ url: world.server.url, name: 'test' });
  });
  test.after.each(({ store }) => store.close());
  test.after(({ server }) => server.close());

  test('keeps a text for its time and not longer', async ({ store }) => {
    await store.put('a:b', 'مرحبا\n:0', 60_000);
    assert.is(await store.get('a:b'), 'مرحبا\n:0');
    await store.put('short', 'x', 30);
    const fromMs = performance.now();
    while ((await store.get('short')) !== undefined) {
      assert.ok(performance.now() - fromMs < 5_000);
      await setTimeout(5);
    }
    assert.ok(performance.now() - fromMs > 20);
    await store.put('fraction', 'x', 0.5);
  });

  test('refuses what it can not keep', async ({ store }) => {
    for (const [key, value, ttlMs] of [
      ['', 'x', 1],
      ['k'.repeat(1025), 'x', 1],
      ['k', 'x'.repeat(2 * 1_048_576), 1],
      ['k', 'x', 0],
      ['k', 'x', Number.NaN],
    ] as const) {
      assert.instance(await rejection(store.put(key, value, ttlMs)), RangeError);
    }
  });

  test('agrees with a plain map over random operations', async ({ store }) => {
    const seed = pickSeed();
    const random = makeRandom(seed);
    const model = new Map<string, string>();
    for (let step = 0; step < 400; step++) {
      const key = `k${Math.floor(random() * 12)}`;
      const action = random();
      if (action < 0.5) {
        model.set(key, `v${step}`);
        await store.put(key, `v${step}`, 60_000);
      } else if (action < 0.7) {
        model.delete(key);
        await store.delete(key);
      }
      assert.is(await store.get(key), model.get(key), `seed ${seed}, step ${step}`);
    }
  });

  test('processes share what is kept under one name, and nothing under another', async ({ store, server }) => {
    const same = await RedisStore.open({ url: server.url, name: 'test' });
    const other = await RedisStore.open({ url: server.url, name: 'other' });
    await store.put('shared', 'x', 60_000);
    assert.equal([await same.get('shared'), await other.get('shared')], ['x', undefined]);
    let runs = 0;
    const run = async (): Promise<number> => ++runs;
    assert.is(await new IdempotentOperations(store).operation('create', run), 1);
    assert.is(await new IdempotentOperations(same).operation('create', run), 1);
    assert.is(await new IdempotentOperations(other).operation('create', run), 2);
    await same.close();
    await other.close();
  });

  test('without Redis everything is an error of the store, which ends with its return', async ({ store, server }) => {
    await server.stop();
    for (const work of [store.get('k'), store.put('k', 'v', 1000), store.delete('k')]) {
      assert.is(((await rejection(work)) as GatewayError).code, 'ERR_STORE');
    }
    await server.start();
    for (;;) {
      const isBack = await store.put('k', 'v', 60_000).then(
        () => true,
        () => false,
      );
      if (isBack) break;
      await setTimeout(20);
    }
    assert.is(await store.get('k'), 'v');
  });

  test('a Redis that is not there is told as that, without its password', async () => {
    const unreachable = RedisStore.open({ url: 'redis://user:a-secret-password@127.0.0.1:1', name: 'test' });
    const error = (await rejection(unreachable)) as GatewayError;
    assert.is(error.code, 'ERR_STORE');
    assert.match(error.message, 'ECONNREFUSED');
    assert.not.match(error.message, 'a-secret-password');
  });
}

test.run();
