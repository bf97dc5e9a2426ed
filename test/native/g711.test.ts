import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711, type G711Codec, type Law } from '../../src/audio/g711.ts';
import { G711Batch, nativeG711 } from '../../src/audio/native-g711.ts';
import type { NativeAddon } from '../../src/core/addon.ts';
import { makeRandom, withSeed } from '../audio/prng.ts';
import { addonFor } from './addon.ts';

const test = suite('native G711');

function reference(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../fixtures/g711/${name}`, import.meta.url)));
}

const ALL_SAMPLES = Int16Array.from({ length: 65536 }, (_, index) => index - 32768);
const ALL_CODES = Uint8Array.from({ length: 256 }, (_, code) => code);
const LAWS = ['ulaw', 'alaw'] as const satisfies Law[];

function codecContract(codec: G711Codec): void {
  for (const law of LAWS) {
    test(`${law} codes every sample and every code as G.191 does`, () => {
      const codes = new Uint8Array(65536);
      codec.encode(law, ALL_SAMPLES, codes);
      assert.is(Buffer.compare(codes, reference(`${law}-encode.bin`)), 0);
      // Long enough to be decoded natively.
      const repeated = Uint8Array.from({ length: 1024 }, (_, index) => index);
      const pcm = new Int16Array(1024);
      codec.decode(law, repeated, pcm);
      const expected = new Int16Array(reference(`${law}-decode.s16le`).buffer);
      for (let i = 0; i < 1024; i++) assert.is(pcm[i], expected[i % 256]);
    });
  }

  test('lengths around the one from which on it is native, at odd offsets, agree with the twin', () => {
    for (let length = 300; length < 360; length++) {
      const pcm = ALL_SAMPLES.subarray(12_345, 12_345 + length);
      for (const law of LAWS) {
        const [codes, expectedCodes] = [new Uint8Array(length + 8), new Uint8Array(length + 8)];
        codec.encode(law, pcm, codes.subarray(3));
        G711.encode(law, pcm, expectedCodes.subarray(3));
        assert.equal(codes, expectedCodes);
        const [decoded, expected] = [new Int16Array(length + 8), new Int16Array(length + 8)];
        codec.decode(law, codes.subarray(3, 3 + length), decoded.subarray(1));
        G711.decode(law, codes.subarray(3, 3 + length), expected.subarray(1));
        assert.equal(decoded, expected);
      }
    }
  });

  test('the named functions are the two laws', () => {
    const [named, expected] = [new Uint8Array(65536), new Uint8Array(65536)];
    const [namedPcm, expectedPcm] = [new Int16Array(65536), new Int16Array(65536)];
    for (const [law, encode, decode] of [
      ['ulaw', codec.encodeUlaw, codec.decodeUlaw],
      ['alaw', codec.encodeAlaw, codec.decodeAlaw],
    ] as const) {
      encode(ALL_SAMPLES, named);
      G711.encode(law, ALL_SAMPLES, expected);
      assert.is(Buffer.compare(named, expected), 0);
      decode(named, namedPcm);
      G711.decode(law, expected, expectedPcm);
      assert.equal(namedPcm, expectedPcm);
    }
  });

  test('refuses an output that is too short', () => {
    for (const length of [160, 1600]) {
      assert.throws(() => codec.encodeUlaw(new Int16Array(length), new Uint8Array(length - 1)), RangeError);
      assert.throws(() => codec.decodeAlaw(new Uint8Array(length), new Int16Array(length - 1)), RangeError);
    }
  });
}

function batchContract(name: string, addon: NativeAddon | undefined): void {
  test(`${name} batch: jobs in any mixture give what single calls give, and touch nothing else`, () => {
    withSeed((random) => {
      const upTo = (limit: number): number => Math.floor(random() * (limit + 1));
      for (let round = 0; round < 100; round++) {
        const codes = Uint8Array.from({ length: 2000 }, () => upTo(255));
        const pcm = Int16Array.from({ length: 2000 }, () => upTo(65535) - 32768);
        const [expectedCodes, expectedPcm] = [codes.slice(), pcm.slice()];
        const batch = new G711Batch({ codes, pcm, capacityJobs: 8, addon });
        const levels: (number | undefined)[] = [];
        for (let job = 0; job < 8; job++) {
          const length = upTo(400);
          const [codesOffset, pcmOffset] = [upTo(2000 - length), upTo(2000 - length)];
          const law = LAWS[upTo(1)]!;
          const codesOfJob = expectedCodes.subarray(codesOffset, codesOffset + length);
          const pcmOfJob = expectedPcm.subarray(pcmOffset, pcmOffset + length);
          const kind = upTo(2);
          if (kind === 0) {
            batch.encode(law, codesOffset, pcmOffset, length);
            G711.encode(law, pcmOfJob, codesOfJob);
          } else {
            if (kind === 1) batch.decode(law, codesOffset, pcmOffset, length);
            else batch.decodeAndMeasure(law, codesOffset, pcmOffset, length);
            G711.decode(law, codesOfJob, pcmOfJob);
          }
          const sum = pcmOfJob.reduce((total, sample) => total + sample * sample, 0);
          levels.push(kind === 2 ? sum / Math.max(1, length) : undefined);
        }
        batch.run();
        assert.is(Buffer.compare(codes, expectedCodes), 0);
        assert.equal(pcm, expectedPcm);
        for (const [job, level] of levels.entries()) if (level !== undefined) assert.is(batch.meanSquares[job], level);
      }
    });
  });

  test(`${name} batch: a full one takes no more, and a run empties it`, () => {
    const batch = new G711Batch({ codes: new Uint8Array(10), pcm: new Int16Array(10), capacityJobs: 2, addon });
    batch.decode('ulaw', 0, 0, 10);
    batch.decode('ulaw', 0, 0, 10);
    assert.throws(() => batch.decode('ulaw', 0, 0, 10), RangeError);
    batch.run();
    batch.decode('ulaw', 0, 0, 10);
    batch.run();
    batch.run();
  });

  test(`${name} batch: a job beyond its memory is refused`, () => {
    for (const [codesOffset, pcmOffset, length] of [
      [0, 0, 11],
      [1, 0, 10],
      [0, 1, 10],
      [-1, 0, 1],
      [0, -1, 1],
      [0, 0, -1],
      [2 ** 31, 0, 1],
    ] as const) {
      const batch = new G711Batch({ codes: new Uint8Array(10), pcm: new Int16Array(10), capacityJobs: 2, addon });
      batch.decode('ulaw', codesOffset, pcmOffset, length);
      assert.throws(() => batch.run(), RangeError);
    }
    for (const capacityJobs of [0, -1, 1.5, Number.NaN]) {
      assert.throws(
        () => new G711Batch({ codes: new Uint8Array(1), pcm: new Int16Array(1), capacityJobs, addon }),
        RangeError,
      );
    }
  });
}

batchContract('twin', undefined);
const addon = addonFor('native G.711');
if (addon) {
  const native = addon;
  codecContract(nativeG711(native));
  batchContract('native', native);

  test('the addon checks what it is given', () => {
    assert.throws(() => native.g711Encode(2, new Int16Array(1), new Uint8Array(1)), TypeError);
    assert.throws(() => native.g711Encode(0, new Uint8Array(1) as never, new Uint8Array(1)), TypeError);
    assert.throws(() => native.g711Decode(0, new Uint8Array(9), new Int16Array(8)), RangeError);
    assert.throws(() => native.createG711Batch(ALL_CODES, ALL_SAMPLES, new Int32Array(7), new Float64Array(2)));
    const run = native.createG711Batch(ALL_CODES, ALL_SAMPLES, new Int32Array(8), new Float64Array(2));
    for (const jobCount of [3, -1]) assert.throws(() => run(jobCount), RangeError);
  });

  test('a batch keeps its memory when everything else is gone', () => {
    const random = makeRandom(7);
    const runs: (() => void)[] = [];
    for (let index = 0; index < 200; index++) {
      const codes = new Uint8Array(20_000).fill(random() * 256);
      const batch = new G711Batch({ codes, pcm: new Int16Array(20_000), capacityJobs: 1, addon: native });
      runs.push(() => {
        batch.decode('ulaw', 0, 0, 20_000);
        batch.run();
      });
    }
    for (const run of runs) run();
  });
}

test.run();
