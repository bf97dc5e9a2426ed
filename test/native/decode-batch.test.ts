import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DecodeBatch } from '../../src/audio/decode-batch.ts';
import { G711, type Law } from '../../src/audio/g711.ts';
import { Ring } from '../../src/audio/ring.ts';
import { SpeechPower } from '../../src/audio/speech-power.ts';
import type { NativeAddon } from '../../src/core/addon.ts';
import { makeRandom, withSeed } from '../audio/prng.ts';
import { addonFor } from './addon.ts';

const test = suite('decode batch');
const LAWS = ['ulaw', 'alaw'] as const satisfies Law[];
const FRAME = 160;

/** A stream that keeps what it is told. */
function createStream(): { levels: [number, number][]; onFrame(levels: { power: number; treblePower: number }): void } {
  const levels: [number, number][] = [];
  return { levels, onFrame: ({ power, treblePower }) => levels.push([power, treblePower]) };
}

function contract(name: string, addon: NativeAddon | undefined): void {
  test(`${name}: packets of many streams come out as each by itself, with the levels of their frames`, () => {
    withSeed((random) => {
      const upTo = (limit: number): number => Math.floor(random() * (limit + 1));
      const codes = Uint8Array.from({ length: 20_000 }, () => upTo(255));
      // Small enough that it has to run by itself in between.
      const batch = new DecodeBatch({ codes, capacityStreams: 7, capacityJobs: 10, addon });
      const streams = Array.from({ length: 7 }, (_, index) => {
        const sampleRate = index % 2 === 0 ? 8000 : 16_000;
        const windowSamples = 400 + index * 100;
        const [ring, expected] = [1000, 1000].map((capacitySamples) => new Ring({ capacitySamples, windowSamples }));
        const stream = createStream();
        const lane = batch.attach(stream, ring!, sampleRate);
        const twin = new SpeechPower(sampleRate);
        return { ring: ring!, expected: expected!, twin, stream, lane, measured: 0, levels: [] as [number, number][] };
      });
      for (let round = 0; round < 60; round++) {
        for (let packet = upTo(12); packet > 0; packet--) {
          const at = streams[upTo(6)]!;
          const length = upTo(240);
          const codesOffset = upTo(codes.length - length);
          const law = LAWS[upTo(1)]!;
          const start = at.ring.headSample % 1000;
          if (at.ring.headSample + length - at.ring.tailSample > 1000) continue;
          assert.is(at.ring.claim(length), length);
          batch.decode(at.lane, law, codesOffset, start, length);
          const pcm = new Int16Array(length);
          G711.decodeAt(law, codes, codesOffset, length, pcm);
          at.expected.write(pcm);
          for (; at.measured + FRAME <= at.expected.headSample; at.measured += FRAME) {
            batch.measure(at.lane, at.measured % 1000, FRAME);
            at.twin.measure(at.expected.view(at.measured, at.measured + FRAME));
            at.levels.push([at.twin.power, at.twin.treblePower]);
          }
        }
        batch.run();
        for (const { ring, expected, stream, levels, measured } of streams) {
          assert.equal(ring.samples, expected.samples);
          assert.equal(stream.levels, levels);
          for (const each of [ring, expected]) each.release(measured);
        }
      }
      assert.ok(streams.every(({ levels }) => levels.length > 5));
    });
  });

  test(`${name}: frames of one stream are told in order, and nothing twice`, () => {
    const codes = new Uint8Array(FRAME).fill(0);
    const batch = new DecodeBatch({ codes, capacityStreams: 1, capacityJobs: 8, addon });
    const [ring, stream] = [new Ring({ capacitySamples: 4 * FRAME }), createStream()];
    const lane = batch.attach(stream, ring, 8000);
    ring.writeSilence(FRAME);
    batch.measure(lane, 0, FRAME);
    batch.decode(lane, 'ulaw', 0, FRAME, ring.claim(FRAME));
    batch.measure(lane, FRAME, FRAME);
    assert.equal(stream.levels, []);
    batch.run();
    batch.run();
    assert.is(stream.levels.length, 2);
    assert.ok(stream.levels[0]![0] === 0 && stream.levels[1]![0] > 0.01);
  });

  test(`${name}: what one stream throws does not cost another its frames`, () => {
    const batch = new DecodeBatch({ codes: new Uint8Array(0), capacityStreams: 2, capacityJobs: 8, addon });
    const memory = new Ring({ capacitySamples: FRAME });
    const faulty = batch.attach(
      {
        onFrame: () => {
          throw new Error('a reader at fault');
        },
      },
      memory,
      8000,
    );
    const stream = createStream();
    const lane = batch.attach(stream, memory, 8000);
    for (const each of [faulty, lane]) batch.measure(each, 0, FRAME);
    assert.throws(() => batch.run(), /a reader at fault/);
    batch.measure(lane, 0, FRAME);
    batch.run();
    assert.is(stream.levels.length, 2);
  });

  test(`${name}: a stream that leaves is told of what is complete; its lane is used again, from silence`, () => {
    const codes = new Uint8Array(FRAME).fill(0);
    const batch = new DecodeBatch({ codes, capacityStreams: 1, capacityJobs: 8, addon });
    const loud = createStream();
    const lane = batch.attach(loud, new Ring({ capacitySamples: FRAME }), 8000);
    assert.throws(() => batch.attach(loud, new Ring({ capacitySamples: FRAME }), 8000), /fewer streams/);
    batch.decode(lane, 'ulaw', 0, 0, FRAME);
    batch.measure(lane, 0, FRAME);
    batch.detach(lane);
    assert.is(loud.levels.length, 1);
    const next = createStream();
    const nextLane = batch.attach(next, new Ring({ capacitySamples: FRAME }), 8000);
    batch.measure(nextLane, 0, FRAME);
    batch.run();
    assert.equal(next.levels, [[0, 0]]);
    assert.is(loud.levels.length, 1);
  });

  test(`${name}: a job beyond its memory, or of no stream, is refused`, () => {
    for (const [codesOffset, start, length] of [
      [0, 0, 11],
      [1, 0, 10],
      [0, 12, 10],
      [0, 20, 0],
      [-1, 0, 1],
      [0, -1, 1],
      [0, 0, -1],
      [2 ** 31, 0, 1],
    ] as const) {
      const options = { codes: new Uint8Array(10), capacityStreams: 2, capacityJobs: 2, addon };
      const batch = new DecodeBatch(options);
      const lane = batch.attach(createStream(), new Ring({ capacitySamples: 20, windowSamples: 1 }), 8000);
      batch.decode(lane, 'ulaw', codesOffset, start, length);
      assert.throws(() => batch.run(), RangeError);
      for (const wrongLane of [lane + 1, -1]) {
        const other = new DecodeBatch(options);
        other.decode(wrongLane, 'ulaw', 0, 0, 1);
        assert.throws(() => other.run(), RangeError);
      }
    }
    for (const wrong of [0, -1, 1.5, Number.NaN]) {
      const right = { codes: new Uint8Array(1), capacityStreams: 1, capacityJobs: 1, addon };
      assert.throws(() => new DecodeBatch({ ...right, capacityJobs: wrong }), RangeError);
      assert.throws(() => new DecodeBatch({ ...right, capacityStreams: wrong }), RangeError);
    }
  });
}

contract('twin', undefined);
const addon = addonFor('decode batch');
if (addon) {
  const native = addon;
  contract('native', native);

  test('the addon checks what it is given', () => {
    const [codes, jobs, filters, results] = [
      new Uint8Array(1),
      new Int32Array(8),
      new Float64Array(8),
      new Float64Array(4),
    ] as const;
    assert.throws(() => new native.DecodeBatch(codes, jobs, filters, new Float64Array(3)), RangeError);
    assert.throws(() => new native.DecodeBatch(codes, jobs, jobs as never, results), TypeError);
    const batch = new native.DecodeBatch(codes, jobs, filters, results);
    for (const to of [3, -1, Number.NaN]) assert.throws(() => batch.run(0, to));
    assert.throws(() => batch.attach(1, new Int16Array(4), 4), RangeError);
    assert.throws(() => batch.attach(0, new Int16Array(4), 5), RangeError);
    assert.throws(() => batch.attach(0, new Int16Array(9), 4), RangeError);
    assert.throws(() => Reflect.apply(Reflect.get(batch, 'run'), {}, [0, 0]), TypeError);
  });

  test('a batch keeps its memory when everything else is gone', () => {
    const random = makeRandom(7);
    const runs: (() => void)[] = [];
    for (let index = 0; index < 200; index++) {
      const codes = new Uint8Array(20_000).fill(random() * 256);
      const batch = new DecodeBatch({ codes, capacityStreams: 1, capacityJobs: 1, addon: native });
      const lane = batch.attach(createStream(), new Ring({ capacitySamples: 20_000 }), 8000);
      runs.push(() => {
        batch.decode(lane, 'ulaw', 0, 0, 20_000);
        batch.run();
      });
    }
    for (const run of runs) run();
  });
}

test.run();
