import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../src/core/errors.ts';
import { EmbeddedStore } from '../../src/store/embedded-store.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { makeRandom, pickSeed } from '../audio/prng.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { rejection } from '../support/until.ts';

interface Bounded extends Store {
  readonly size: number;
  readonly evicted: number;
}

interface World {
  folder: string;
  clock: FakeClock;
}

const test = suite<World>('stores');

test.before.each(async (world) => {
  world.folder = await mkdtemp(join(tmpdir(), 'store-'));
  world.clock = new FakeClock();
});
test.after.each(({ folder }) => rm(folder, { recursive: true }));

const kinds: Record<string, (world: World, maxEntries?: number) => Promise<Bounded>> = {
  memory: async ({ clock }, maxEntries = 1000) => new MemoryStore({ clock, maxEntries }),
  embedded: ({ folder, clock }, maxEntries = 1000) => EmbeddedStore.open(join(folder, 'db'), { clock, maxEntries }),
};

for (const [kind, open] of Object.entries(kinds)) {
  test(`${kind}: keeps a text for its time and not longer`, async (world) => {
    const store = await open(world);
    await store.put('a:b', 'مرحبا\n:0', 1000);
    world.clock.advance(999);
    assert.is(await store.get('a:b'), 'مرحبا\n:0');
    world.clock.advance(1);
    assert.is(await store.get('a:b'), undefined);
    await store.close();
  });

  test(`${kind}: replaces, and counts an entry once`, async (world) => {
    const store = await open(world);
    await store.put('k', 'old', 1000);
    await Promise.all([store.put('k', 'new', 5000), store.put('k', 'newer', 6000)]);
    world.clock.advance(5500);
    assert.is(await store.get('k'), 'newer');
    assert.is(store.size, 1);
    await store.delete('k');
    await store.delete('k');
    assert.is(await store.get('k'), undefined);
    assert.is(store.size, 0);
    await store.close();
  });

  test(`${kind}: never holds more than its bound, and counts what gives way`, async (world) => {
    const store = await open(world, 3);
    for (let i = 0; i < 5; i++) await store.put(`k${i}`, String(i), 1000 + i);
    assert.is(store.size, 3);
    assert.is(store.evicted, 2);
    const left = await Promise.all(['k0', 'k1', 'k2', 'k3', 'k4'].map((key) => store.get(key)));
    assert.equal(left, [undefined, undefined, '2', '3', '4']);
    await store.close();
  });

  test(`${kind}: what is expired gives way first and is not counted as lost`, async (world) => {
    const store = await open(world, 3);
    for (let i = 0; i < 3; i++) await store.put(`old${i}`, 'x', 10);
    world.clock.advance(10);
    for (let i = 0; i < 3; i++) await store.put(`new${i}`, 'y', 10);
    assert.is(store.evicted, 0);
    assert.is(store.size, 3);
    await store.close();
  });

  test(`${kind}: refuses what it can not keep`, async (world) => {
    const store = await open(world);
    for (const [key, value, ttlMs] of [
      ['', 'x', 1],
      ['k'.repeat(1025), 'x', 1],
      ['k', 'x'.repeat(17 * 1_048_576), 1],
      ['k', 'x', 0],
      ['k', 'x', Number.NaN],
    ] as const) {
      assert.instance(await rejection(store.put(key, value, ttlMs)), RangeError);
    }
    assert.is(store.size, 0);
    await store.close();
  });

  test(`${kind}: agrees with a plain map over random operations`, async (world) => {
    const seed = pickSeed();
    const random = makeRandom(seed);
    const store = await open(world);
    const model = new Map<string, { value: string; expiresAtMs: number }>();
    for (let step = 0; step < 400; step++) {
      const key = `k${Math.floor(random() * 12)}`;
      const action = random();
      if (action < 0.45) {
        const ttlMs = 1 + Math.floor(random() * 50);
        model.set(key, { value: `v${step}`, expiresAtMs: world.clock.nowMs() + ttlMs });
        await store.put(key, `v${step}`, ttlMs);
      } else if (action < 0.6) {
        model.delete(key);
        await store.delete(key);
      } else if (action < 0.8) {
        world.clock.advance(Math.floor(random() * 20));
      }
      const held = model.get(key);
      const expected = held && held.expiresAtMs > world.clock.nowMs() ? held.value : undefined;
      assert.is(await store.get(key), expected, `seed ${seed}, step ${step}`);
      assert.ok(store.size <= 12, `seed ${seed}, step ${step}: ${store.size} entries`);
    }
    await store.close();
  });
}

test('embedded: a text survives a restart, and its time runs on meanwhile', async ({ folder, clock }) => {
  const first = await EmbeddedStore.open(folder, { clock });
  await first.put('short', 'a', 1000);
  await first.put('long', 'b', 5000);
  await first.close();
  clock.advance(2000);
  const second = await EmbeddedStore.open(folder, { clock });
  assert.is(second.size, 2);
  assert.is(await second.get('short'), undefined);
  assert.is(await second.get('long'), 'b');
  await second.put('other', 'c', 1000);
  assert.is(second.size, 2, 'a write clears away what is expired');
  await second.close();
});

test('embedded: says who holds a folder that is open already', async ({ folder, clock }) => {
  const store = await EmbeddedStore.open(folder, { clock });
  const error = (await rejection(EmbeddedStore.open(folder, { clock }))) as GatewayError;
  assert.is(error.code, 'ERR_STORE');
  assert.match(error.message, 'another process has it open');
  await store.close();
});

test('embedded: a folder that can not be one, and a closed store, are errors of the store', async ({
  folder,
  clock,
}) => {
  await writeFile(join(folder, 'file'), '');
  const unusable = EmbeddedStore.open(join(folder, 'file'), { clock });
  assert.is(((await rejection(unusable)) as GatewayError).code, 'ERR_STORE');
  const store = await EmbeddedStore.open(join(folder, 'db'), { clock });
  await store.close();
  await store.close();
  assert.is(((await rejection(store.get('k'))) as GatewayError).code, 'ERR_STORE');
  assert.is(((await rejection(store.put('k', 'v', 1))) as GatewayError).code, 'ERR_STORE');
});

test('memory: is bounded in characters too', async ({ clock }) => {
  const store = new MemoryStore({ clock, maxCharacters: 100 });
  for (let i = 0; i < 10; i++) await store.put(`k${i}`, 'x'.repeat(28), 1000);
  assert.is(store.size, 3);
  assert.is(await store.get('k7'), 'x'.repeat(28));
  await store.put('k10', 'x'.repeat(28), 1000);
  assert.ok(await store.get('k7'), 'what was used last stays');
  assert.is(await store.get('k8'), undefined);
  await store.close();
});

test.run();
