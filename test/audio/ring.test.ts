import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Ring } from '../../src/audio/ring.ts';
import { makeRandom, pickSeed, withSeed } from './prng.ts';
import { mismatches, sequence } from './ring-sequence.ts';

const test = suite('Ring');

test('a new ring is empty', () => {
  const ring = new Ring({ capacitySamples: 10 });
  assert.equal([ring.headSample, ring.tailSample, ring.overrunSamples, ring.capacitySamples], [0, 0, 0, 10]);
  assert.is(ring.view(0, 0).length, 0);
});

test('a window that wraps is one view of the ring, not a copy', () => {
  const ring = new Ring({ capacitySamples: 10 });
  ring.write(sequence(0, 8));
  ring.release(8);
  assert.is(ring.write(sequence(8, 10)), 10);
  const window = ring.view(8, 18);
  assert.equal(window, sequence(8, 10));
  assert.equal(ring.view(11, 18), sequence(11, 7));
  const again = ring.view(8, 18);
  assert.is(again.buffer, window.buffer);
  assert.is(again.byteOffset, window.byteOffset);
});

test('copies a window that wraps', () => {
  const ring = new Ring({ capacitySamples: 10 });
  ring.write(sequence(0, 8));
  ring.release(8);
  ring.write(sequence(8, 10));
  const out = new Int16Array(7);
  ring.read(9, out);
  assert.equal(out, sequence(9, 7));
  assert.throws(() => ring.read(7, out), RangeError);
  assert.throws(() => ring.read(12, out), RangeError);
});

test('takes what fits, drops and counts the rest and leaves unread samples alone', () => {
  const ring = new Ring({ capacitySamples: 10 });
  ring.write(sequence(0, 4));
  ring.release(3);
  const unread = ring.view(3, 4);
  assert.is(ring.write(sequence(4, 12)), 9);
  assert.is(ring.overrunSamples, 3);
  assert.is(ring.headSample, 13);
  assert.is(ring.write(sequence(13, 5)), 0);
  assert.is(ring.writeSilence(2), 0);
  assert.is(ring.overrunSamples, 10);
  assert.equal(ring.view(3, 13), sequence(3, 10));
  assert.equal(unread, sequence(3, 1));
});

test('writes silence over what was there, across the wrap', () => {
  const ring = new Ring({ capacitySamples: 10 });
  ring.write(new Int16Array(10).fill(7));
  ring.release(7);
  assert.is(ring.writeSilence(6), 6);
  assert.equal(ring.view(7, 16), Int16Array.of(7, 7, 7, 0, 0, 0, 0, 0, 0));
  ring.release(10);
  assert.is(ring.writeSilence(3), 3);
  assert.equal(ring.view(10, 19), new Int16Array(9));
});

test('refuses windows and releases outside of what is held', () => {
  const ring = new Ring({ capacitySamples: 10 });
  ring.write(sequence(0, 8));
  ring.release(3);
  for (const [start, end] of [
    [2, 5],
    [3, 9],
    [6, 5],
    [9, 9],
    [Number.NaN, 5],
    [3.5, 5],
  ] as const) {
    assert.throws(() => ring.view(start, end), RangeError);
  }
  for (const position of [2, 9, Number.NaN, 4.5]) assert.throws(() => ring.release(position), RangeError);
  assert.is(ring.tailSample, 3);
  ring.release(3);
  ring.release(8);
  assert.is(ring.tailSample, 8);
});

test('refuses a capacity that is no positive integer, and a length of silence that is none', () => {
  for (const capacitySamples of [0, -1, 1.5, Number.NaN, 2 ** 30]) {
    assert.throws(() => new Ring({ capacitySamples }), RangeError);
  }
  assert.throws(() => new Ring({ capacitySamples: 4 }).writeSilence(-1), RangeError);
});

test('only a shared ring has a handle, and a handle fits its buffer', () => {
  assert.throws(() => new Ring({ capacitySamples: 4 }).handle, TypeError);
  const { handle } = new Ring({ capacitySamples: 4, shared: true });
  assert.throws(() => Ring.attach({ ...handle, capacitySamples: 5 }), RangeError);
});

test('an attached ring sees the same samples, positions and overrun', () => {
  const producer = new Ring({ capacitySamples: 10, shared: true });
  const consumer = Ring.attach(producer.handle);
  producer.write(sequence(0, 12));
  assert.equal(consumer.view(0, 10), sequence(0, 10));
  consumer.release(6);
  assert.is(producer.tailSample, 6);
  assert.is(consumer.overrunSamples, 2);
});

test('positions go on past 2^32 samples', () => {
  const ring = new Ring({ capacitySamples: 60_001 });
  let held = 0;
  for (const boundary of [2 ** 30, 2 ** 31, 2 ** 32]) {
    while (ring.headSample < boundary - 60_001) {
      ring.writeSilence(60_001);
      held += 60_001;
      assert.is(ring.headSample, held);
      ring.release(held);
    }
    const pcm = sequence(held, 60_001);
    while (held < boundary + 1000) {
      assert.is(ring.write(pcm.subarray(0, 20_001)), 20_001);
      assert.equal(ring.view(held, held + 20_001), pcm.subarray(0, 20_001));
      held += 20_001;
      ring.release(held);
      assert.is(ring.tailSample, held);
    }
  }
  assert.is(ring.overrunSamples, 0);
});

test('an overrun count goes on past 2^32 samples', () => {
  const ring = new Ring({ capacitySamples: 1 });
  for (let i = 0; i < 5; i++) ring.writeSilence(2 ** 30 + 1);
  assert.is(ring.overrunSamples, 5 * (2 ** 30 + 1) - 1);
});

test('any interleaving of writes, windows and releases keeps the sequence', () => {
  withSeed((random) => {
    const upTo = (limit: number): number => Math.floor(random() * (limit + 1));
    for (let round = 0; round < 50; round++) {
      const capacitySamples = 1 + upTo(300);
      const ring = new Ring({ capacitySamples, shared: round % 2 === 0 });
      let head = 0;
      let tail = 0;
      let overrun = 0;
      for (let step = 0; step < 500; step++) {
        const wanted = upTo(capacitySamples);
        // The source lies between canaries: nothing beside it may be taken, nor may it change.
        const source = new Int16Array(wanted + 2).fill(-1);
        source.set(sequence(head, wanted), 1);
        const before = source.slice();
        const taken = ring.write(source.subarray(1, 1 + wanted));
        assert.equal(source, before);
        assert.is(taken, Math.min(wanted, capacitySamples - (head - tail)));
        overrun += wanted - taken;
        head += taken;

        const start = tail + upTo(head - tail);
        const end = start + upTo(head - start);
        assert.is(ring.view(start, end).length, end - start);
        assert.is(mismatches(ring.view(start, end), start), 0);
        assert.is(mismatches(ring.view(tail, head), tail), 0);

        tail += upTo(head - tail);
        ring.release(tail);
        assert.equal([ring.headSample, ring.tailSample, ring.overrunSamples], [head, tail, overrun]);
      }
    }
  });
});

/** A worker that runs a TypeScript module; workers do not inherit the loader of the main thread. */
function startWorker(module: string, workerData: unknown): Worker {
  const url = JSON.stringify(new URL(module, import.meta.url).href);
  const start = `import('tsx/esm/api').then(({ tsImport }) => tsImport(${url}, ${url}))`;
  return new Worker(start, { eval: true, workerData });
}

test('hands a sequence to another thread whole and in order', async () => {
  const totalSamples = 1_000_000;
  const seed = pickSeed();
  const ring = new Ring({ capacitySamples: 1_021, shared: true });
  const worker = startWorker('./ring-consumer.ts', { handle: ring.handle, totalSamples, seed });
  await once(worker, 'message');

  const random = makeRandom(seed);
  const deadlineMs = performance.now() + 20_000;
  let head = 0;
  while (head < totalSamples && performance.now() < deadlineMs) {
    head += ring.write(sequence(head, Math.min(Math.ceil(random() * 997), totalSamples - head)));
  }

  const [result] = (await once(worker, 'message')) as [{ readSamples: number; wrong: number }];
  await worker.terminate();
  assert.is(result.readSamples, totalSamples, `SEED=${seed}`);
  assert.is(result.wrong, 0, `SEED=${seed}`);
});

test.run();
