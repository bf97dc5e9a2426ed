import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NativeRing } from '../../src/audio/native-ring.ts';
import { Ring } from '../../src/audio/ring.ts';
import type { NativeAddon } from '../../src/core/addon.ts';
import { makeRandom, pickSeed, withSeed } from '../audio/prng.ts';
import { mismatches, sequence } from '../audio/ring-sequence.ts';
import { addonFor } from './addon.ts';

const test = suite('NativeRing');

/** What a ring can be asked; the native one must answer everything as its twin does. */
type Both = Pick<
  Ring,
  | 'headSample'
  | 'tailSample'
  | 'overrunSamples'
  | 'capacitySamples'
  | 'write'
  | 'writeSilence'
  | 'view'
  | 'read'
  | 'release'
>;

/** The result of `ask`, or the name of what it threw. */
function answer(ask: () => unknown): unknown {
  try {
    return ask();
  } catch (error) {
    return (error as Error).name;
  }
}

function copyOf(ring: Both, startSample: number, lengthSamples: number): Int16Array {
  const out = new Int16Array(lengthSamples);
  ring.read(startSample, out);
  return out;
}

function state(ring: Both): number[] {
  return [ring.headSample, ring.tailSample, ring.overrunSamples];
}

function ringTests(addon: NativeAddon): void {
  test('any sequence of calls, right or wrong, is answered as by the twin', () => {
    withSeed((random) => {
      const upTo = (limit: number): number => Math.floor(random() * (limit + 1));
      for (let round = 0; round < 60; round++) {
        const capacitySamples = 1 + upTo(round % 3 === 0 ? 9000 : 300);
        const native: Both = NativeRing.create(addon, { capacitySamples });
        const twin: Both = new Ring({ capacitySamples });
        assert.is(native.capacitySamples, twin.capacitySamples);
        for (let step = 0; step < 400; step++) {
          const { headSample, tailSample } = twin;
          const kind = upTo(9);
          const pcm = sequence(headSample, upTo(capacitySamples + 3));
          const silence = upTo(capacitySamples);
          // Now and then a position that is wrong, fractional or none at all.
          const anywhere = (): number =>
            [tailSample + upTo(headSample - tailSample), tailSample - 1, headSample + 1, 0.5, Number.NaN][
              Math.max(0, upTo(30) - 26)
            ]!;
          const [start, end] = [anywhere(), anywhere()];
          const ask = (ring: Both): unknown => {
            if (kind < 4) return ring.write(pcm);
            if (kind < 5) return ring.writeSilence(silence);
            if (kind < 7) return ring.view(start, end).slice();
            if (kind < 8) return copyOf(ring, start, silence);
            return ring.release(end);
          };
          assert.equal(
            answer(() => ask(native)),
            answer(() => ask(twin)),
          );
          assert.equal(state(native), state(twin));
          assert.equal(native.view(twin.tailSample, twin.headSample), twin.view(twin.tailSample, twin.headSample));
        }
      }
    });
  });

  test('a window that wraps is one view of the ring, not a copy', () => {
    const ring = NativeRing.create(addon, { capacitySamples: 4096 });
    ring.write(sequence(0, 4000));
    ring.release(4000);
    assert.is(ring.write(sequence(4000, 4096)), 4096);
    const window = ring.view(4000, 8096);
    assert.is(mismatches(window, 4000), 0);
    assert.is(ring.view(4000, 8096).byteOffset, window.byteOffset);
  });

  test('positions and overruns go on past 2^32 samples', () => {
    const ring = NativeRing.create(addon, { capacitySamples: 8_000_001 });
    let held = 0;
    while (held < 2 ** 32 + 2 ** 25) {
      held += ring.writeSilence(8_000_001);
      assert.is(ring.headSample, held);
      ring.release(held);
      assert.is(ring.tailSample, held);
    }
    assert.is(ring.write(sequence(held, 5000)), 5000);
    assert.is(mismatches(ring.view(held, held + 5000), held), 0);
    assert.is(ring.overrunSamples, 0);
  });

  test('refuses capacities and handles that are none', () => {
    for (const capacitySamples of [0, -1, 1.5, Number.NaN, 2 ** 30]) {
      assert.throws(() => NativeRing.create(addon, { capacitySamples }), RangeError);
    }
    const { handle } = NativeRing.create(addon, { capacitySamples: 100 });
    assert.throws(() => NativeRing.attach(addon, { ...handle, capacitySamples: 2 ** 20 }), RangeError);
    assert.throws(() => NativeRing.attach(addon, { ...handle, ringId: 0xffff_fff0 }), RangeError);
    assert.is(NativeRing.attach(addon, handle).capacitySamples, 100);
  });

  test('rings that nobody holds give their memory back; too many at once are an error, not a crash', async () => {
    const rings: NativeRing[] = [];
    let refusal: Error | undefined;
    while (!refusal && rings.length < 20_000) {
      try {
        rings.push(NativeRing.create(addon, { capacitySamples: 160 }));
      } catch (error) {
        refusal = error as Error;
      }
    }
    assert.match(refusal?.message ?? '', 'No mirrored memory');
    assert.ok(rings.length >= 8000);
    rings.length = 0;
    const deadlineMs = performance.now() + 20_000;
    let recovered = false;
    while (!recovered && performance.now() < deadlineMs) {
      // Pressure on the heap makes V8 collect; finalizers run when the event loop gets its turn.
      for (let index = 0; index < 50; index++) new Uint8Array(1 << 20).fill(1);
      await new Promise((resolve) => setImmediate(resolve));
      try {
        NativeRing.create(addon, { capacitySamples: 160 });
        recovered = true;
      } catch {}
    }
    assert.ok(recovered);
  });

  test('hands a sequence to another thread whole and in order', async () => {
    const totalSamples = 1_000_000;
    const seed = pickSeed();
    const ring = NativeRing.create(addon, { capacitySamples: 1_021 });
    const module = JSON.stringify(new URL('./ring-consumer.ts', import.meta.url).href);
    // Workers do not inherit the loader of the main thread.
    const worker = new Worker(`import('tsx/esm/api').then(({ tsImport }) => tsImport(${module}, ${module}))`, {
      eval: true,
      workerData: { handle: ring.handle, totalSamples, seed },
    });
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
}

const addon = addonFor('native ring');
if (addon) ringTests(addon);

test.run();
