import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../../src/core/errors.ts';
import { RequestQueue } from '../../../src/platform/rest/request-queue.ts';
import { rejection } from '../../support/until.ts';

const test = suite('request queue');

/** Work that ends when it is told to. */
class Work {
  readonly started: string[] = [];
  readonly #ends = new Map<string, () => void>();

  run(name: string): () => Promise<string> {
    return () => {
      this.started.push(name);
      return new Promise((resolve) => this.#ends.set(name, () => resolve(name)));
    };
  }

  async end(name: string): Promise<void> {
    await setImmediate();
    this.#ends.get(name)?.();
    await setImmediate();
  }
}

test('runs some at a time, first in, first out', async () => {
  const queue = new RequestQueue({ maxConcurrent: 2 });
  const work = new Work();
  const results = ['a', 'b', 'c', 'd'].map((name) => queue.add(work.run(name)));
  assert.equal([queue.running, queue.waiting], [2, 2]);
  await work.end('b');
  assert.equal(work.started, ['a', 'b', 'c']);
  for (const name of ['a', 'c', 'd']) await work.end(name);
  assert.equal(await Promise.all(results), ['a', 'b', 'c', 'd']);
  assert.equal([queue.running, queue.waiting], [0, 0]);
});

test('goes on after a failure and after one that was aborted while it waited', async () => {
  const queue = new RequestQueue({ maxConcurrent: 1 });
  const work = new Work();
  const controller = new AbortController();
  const first = queue.add(work.run('a'));
  const failing = rejection(queue.add(() => Promise.reject(new Error('no'))));
  const aborted = rejection(queue.add(work.run('c'), controller.signal));
  const last = queue.add(work.run('d'));
  controller.abort(new Error('given up'));
  assert.is((await aborted).message, 'given up');
  assert.is(queue.waiting, 2);
  await work.end('a');
  await first;
  assert.is((await failing).message, 'no');
  await work.end('d');
  assert.is(await last, 'd');
  assert.equal(work.started, ['a', 'd']);
});

test('refuses and counts what is too much', async () => {
  const queue = new RequestQueue({ maxConcurrent: 1, maxWaiting: 1 });
  const work = new Work();
  const running = queue.add(work.run('a'));
  const waiting = rejection(queue.add(work.run('b')));
  const error = (await rejection(queue.add(work.run('c')))) as GatewayError;
  assert.is(error.code, 'ERR_PLATFORM_BACKLOG');
  assert.is(queue.refused, 1);
  queue.close();
  assert.is(((await waiting) as GatewayError).code, 'ERR_ABORTED');
  assert.is(((await rejection(queue.add(work.run('d')))) as GatewayError).code, 'ERR_ABORTED');
  await work.end('a');
  assert.is(await running, 'a');
});

test.run();
