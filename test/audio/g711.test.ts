import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711, type Law } from '../../src/audio/g711.ts';

const test = suite('G711');

function reference(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../fixtures/g711/${name}`, import.meta.url)));
}

function allSamples(): Int16Array {
  return Int16Array.from({ length: 65536 }, (_, index) => index - 32768);
}

function differences(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.is(actual.length, expected.length);
  let count = 0;
  for (let i = 0; i < actual.length; i++) if (actual[i] !== expected[i]) count++;
  return count;
}

for (const law of ['ulaw', 'alaw'] as const satisfies Law[]) {
  test(`${law} encodes every sample as G.191 does`, () => {
    const codes = new Uint8Array(65536);
    G711.encode(law, allSamples(), codes);
    assert.is(differences(codes, reference(`${law}-encode.bin`)), 0);
  });

  test(`${law} decodes every code as G.191 does`, () => {
    const codes = Uint8Array.from({ length: 256 }, (_, code) => code);
    const pcm = new Int16Array(256);
    G711.decode(law, codes, pcm);
    assert.is(differences(pcm, new Int16Array(reference(`${law}-decode.s16le`).buffer)), 0);
  });
}

test('decodes a part of the codes in place, whatever its length', () => {
  const codes = Uint8Array.from({ length: 256 }, (_, code) => code);
  const all = new Int16Array(256);
  G711.decode('alaw', codes, all);
  for (const length of [0, 1, 7, 8, 9, 100]) {
    const pcm = new Int16Array(length + 1).fill(7);
    G711.decodeAt('alaw', codes, 33, length, pcm);
    assert.equal(pcm, Int16Array.of(...all.subarray(33, 33 + length), 7));
    assert.throws(() => G711.decodeAt('alaw', codes, 33, length + 2, pcm), RangeError);
  }
});

test('the named functions are the two laws', () => {
  const pcm = Int16Array.of(-32768, -1000, -1, 0, 1, 1000, 32767);
  const codes = new Uint8Array(pcm.length);
  const expected = new Uint8Array(pcm.length);
  const decoded = new Int16Array(pcm.length);
  const expectedPcm = new Int16Array(pcm.length);
  for (const [law, encode, decode] of [
    ['ulaw', G711.encodeUlaw, G711.decodeUlaw],
    ['alaw', G711.encodeAlaw, G711.decodeAlaw],
  ] as const) {
    encode(pcm, codes);
    G711.encode(law, pcm, expected);
    assert.equal(codes, expected);
    decode(codes, decoded);
    G711.decode(law, codes, expectedPcm);
    assert.equal(decoded, expectedPcm);
  }
});

test('the silence codes are the codes of sample 0', () => {
  const code = new Uint8Array(1);
  G711.encodeUlaw(Int16Array.of(0), code);
  assert.is(code[0], G711.ULAW_SILENCE);
  G711.encodeAlaw(Int16Array.of(0), code);
  assert.is(code[0], G711.ALAW_SILENCE);
});

test('works on views at odd offsets, for lengths that are not a multiple of eight, and writes nothing beyond', () => {
  const samples = allSamples();
  const allCodes = reference('ulaw-encode.bin');
  for (let length = 0; length <= 20; length++) {
    const pcm = samples.subarray(40_001, 40_001 + length);
    const codes = new Uint8Array(64).fill(0x11);
    G711.encodeUlaw(pcm, codes.subarray(3));
    assert.equal(codes.subarray(3, 3 + length), allCodes.subarray(40_001, 40_001 + length));
    assert.ok(
      codes.subarray(0, 3).every((byte) => byte === 0x11) && codes.subarray(3 + length).every((byte) => byte === 0x11),
    );

    const decoded = new Int16Array(64).fill(7);
    G711.decodeUlaw(codes.subarray(3, 3 + length), decoded.subarray(1));
    const again = new Uint8Array(length);
    G711.encodeUlaw(decoded.subarray(1, 1 + length), again);
    assert.equal(again, codes.slice(3, 3 + length));
    assert.ok(decoded[0] === 7 && decoded.subarray(1 + length).every((sample) => sample === 7));
  }
});

test('refuses an output that is too short', () => {
  assert.throws(() => G711.encodeUlaw(new Int16Array(160), new Uint8Array(159)), RangeError);
  assert.throws(() => G711.decodeUlaw(new Uint8Array(160), new Int16Array(159)), RangeError);
  assert.throws(() => G711.encodeAlaw(new Int16Array(1), new Uint8Array(0)), RangeError);
  assert.throws(() => G711.decodeAlaw(new Uint8Array(1), new Int16Array(0)), RangeError);
});

test.run();
