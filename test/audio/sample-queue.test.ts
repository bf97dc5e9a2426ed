import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SampleQueue } from '../../src/audio/sample-queue.ts';
import { withSeed } from './prng.ts';

const test = suite('sample queue');

test('gives out what was put in, in order, however it is cut', () =>
  withSeed((random) => {
    const queue = new SampleQueue(20_000);
    let written = 0;
    let read = 0;
    for (let step = 0; step < 3000; step++) {
      const given = Int16Array.from({ length: Math.floor(random() * 900) }, (_, i) => (written + i) % 30_000);
      const room = queue.capacitySamples - queue.length;
      assert.is(queue.write(given), Math.min(room, given.length));
      written += Math.min(room, given.length);
      const out = new Int16Array(Math.floor(random() * 1000));
      const length = queue.read(out);
      assert.is(length, Math.min(out.length, written - read));
      for (let i = 0; i < length; i++) if (out[i] !== (read + i) % 30_000) assert.unreachable(`step ${step}`);
      read += length;
      assert.is(queue.length, written - read);
    }
  }));

test('takes no more than its capacity', () => {
  const queue = new SampleQueue(5000);
  assert.is(queue.write(new Int16Array(6000)), 5000);
  assert.is(queue.write(new Int16Array(1)), 0);
  queue.drop(10);
  assert.is(queue.write(new Int16Array(20)), 10);
  queue.clear();
  assert.is(queue.length, 0);
  assert.is(queue.read(new Int16Array(5)), 0);
});

test.run();
