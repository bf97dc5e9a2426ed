import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711, type G711Codec, type Law } from '../../src/audio/g711.ts';
import { nativeG711 } from '../../src/audio/native-g711.ts';
import { addonFor } from './addon.ts';

const test = suite('native G711');

function reference(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../fixtures/g711/${name}`, import.meta.url)));
}

const ALL_SAMPLES = Int16Array.from({ length: 65536 }, (_, index) => index - 32768);
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

const addon = addonFor('native G.711');
if (addon) {
  const native = addon;
  codecContract(nativeG711(native));

  test('the addon checks what it is given', () => {
    assert.throws(() => native.g711Encode(2, new Int16Array(1), new Uint8Array(1)), TypeError);
    assert.throws(() => native.g711Encode(0, new Uint8Array(1) as never, new Uint8Array(1)), TypeError);
    assert.throws(() => native.g711Decode(0, new Uint8Array(9), new Int16Array(8)), RangeError);
  });
}

test.run();
