import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../src/core/errors.ts';
import { FileCache } from '../../src/store/file-cache.ts';
import { rejection } from '../support/until.ts';

interface World {
  root: string;
  folder: string;
}

const test = suite<World>('file cache');

test.before.each(async (world) => {
  world.root = await mkdtemp(join(tmpdir(), 'file-cache-'));
  world.folder = join(world.root, 'prompts');
});
test.after.each(({ root }) => rm(root, { recursive: true }));

const bytes = (length: number, value = 7): Uint8Array => new Uint8Array(length).fill(value);

test('keeps files over a restart, readable by nobody else', async ({ folder }) => {
  const cache = new FileCache(folder, { maxBytes: 1000 });
  assert.is(await cache.get('a.wav'), undefined);
  await cache.put('a.wav', bytes(100));
  assert.equal(await readdir(folder), ['a.wav']);
  assert.is((await stat(join(folder, 'a.wav'))).mode & 0o777, 0o600);
  const again = new FileCache(folder, { maxBytes: 1000 });
  assert.equal(new Uint8Array((await again.get('a.wav'))!), bytes(100));
  assert.is(again.bytes, 100);
});

test('what was used longest ago gives way past the bound, after a restart too', async ({ folder }) => {
  const cache = new FileCache(folder, { maxBytes: 250 });
  for (const name of ['a', 'b']) await cache.put(name, bytes(100));
  await cache.get('a');
  await cache.put('c', bytes(100));
  assert.equal((await readdir(folder)).sort(), ['a', 'c']);
  assert.is(cache.bytes, 200);
  const old = new Date(Date.now() - 60_000);
  await utimes(join(folder, 'c'), old, old);
  const again = new FileCache(folder, { maxBytes: 250 });
  await again.put('d', bytes(100));
  assert.equal((await readdir(folder)).sort(), ['a', 'd']);
});

test('what is pinned does not give way, and a file beyond the bound is not kept', async ({ folder }) => {
  const cache = new FileCache(folder, { maxBytes: 250 });
  cache.pin('a');
  for (const name of ['a', 'b', 'c', 'd']) await cache.put(name, bytes(100));
  await cache.put('huge', bytes(251));
  assert.equal((await readdir(folder)).sort(), ['a', 'd']);
  cache.unpin('a');
  await cache.put('e', bytes(100));
  assert.equal((await readdir(folder)).sort(), ['d', 'e']);
});

test('a file in the place of another counts once', async ({ folder }) => {
  const cache = new FileCache(folder, { maxBytes: 1000 });
  await Promise.all([cache.put('a', bytes(100)), cache.put('a', bytes(300, 8)), cache.put('b', bytes(10))]);
  assert.is(cache.bytes, 310);
  assert.equal(new Uint8Array((await cache.get('a'))!), bytes(300, 8));
  await cache.delete('a');
  assert.equal([cache.bytes, await cache.get('a')], [10, undefined]);
});

test('a file that somebody deleted is not there', async ({ folder }) => {
  const cache = new FileCache(folder, { maxBytes: 1000 });
  await cache.put('a', bytes(100));
  await rm(join(folder, 'a'));
  assert.equal([await cache.get('a'), cache.bytes], [undefined, 0]);
});

test('parts that a dead process left are cleared away, fresh ones are somebody else’s', async ({ folder }) => {
  const first = new FileCache(folder, { maxBytes: 1000 });
  await first.put('a', bytes(100));
  await writeFile(join(folder, 'b.1-0.part'), bytes(50));
  await writeFile(join(folder, 'c.1-1.part'), bytes(50));
  const old = new Date(Date.now() - 7_200_000);
  await utimes(join(folder, 'b.1-0.part'), old, old);
  const cache = new FileCache(folder, { maxBytes: 1000 });
  assert.ok(await cache.get('a'));
  assert.equal((await readdir(folder)).sort(), ['a', 'c.1-1.part']);
  assert.is(cache.bytes, 100);
});

test('a folder that can not be written is an error, and leaves nothing', async ({ root }) => {
  await writeFile(join(root, 'file'), 'no folder');
  const cache = new FileCache(join(root, 'file', 'below'), { maxBytes: 1000 });
  const error = (await rejection(cache.put('a', bytes(10)))) as GatewayError;
  assert.is(error.code, 'ERR_STORE');
  assert.match(error.message, 'GATEWAY_DATA');
  assert.equal([cache.bytes, await cache.get('a')], [0, undefined]);
});

test('a name that leads elsewhere is refused', async ({ folder }) => {
  const cache = new FileCache(folder, { maxBytes: 1000 });
  for (const name of ['../a', 'a/b', '', '.hidden', 'x'.repeat(200)]) {
    assert.instance(await rejection(cache.put(name, bytes(1))), TypeError);
  }
});

test.run();
