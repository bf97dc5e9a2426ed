import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Base64Writer, base64Writer } from '../../src/audio/native-base64.ts';
import { makeRandom } from '../audio/prng.ts';
import { addonFor } from './addon.ts';

const test = suite('base64');

function contract(name: string, write: Base64Writer): void {
  test(`${name}: agrees with Node at every length and leaves the bytes beside alone`, () => {
    const random = makeRandom(4648);
    for (const length of [...Array(200).keys(), 12_287, 12_288, 12_289, 100_000]) {
      const bytes = Uint8Array.from({ length }, () => random() * 256);
      const expected = Buffer.from(bytes).toString('base64');
      const out = new Uint8Array(expected.length + 8).fill(0x2a);
      assert.is(write(bytes, out, 5), expected.length);
      assert.is(Buffer.from(out).toString('latin1'), `*****${expected}***`);
    }
  });

  test(`${name}: reads a view from where it starts`, () => {
    const bytes = Uint8Array.of(1, 2, 102, 111, 111, 3);
    const out = new Uint8Array(4);
    write(bytes.subarray(2, 5), out, 0);
    assert.is(Buffer.from(out).toString('latin1'), 'Zm9v');
  });

  test(`${name}: refuses an output that is too short`, () => {
    for (const [length, room, offset] of [
      [3, 3, 0],
      [4, 8, 1],
      [0, 4, 5],
      [3, 8, -1],
    ] as const) {
      assert.throws(() => write(new Uint8Array(length), new Uint8Array(room), offset));
    }
  });
}

contract('twin', base64Writer(undefined));
const addon = addonFor('native base64');
if (addon) contract('native', base64Writer(addon));

test.run();
