import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isAudible } from '../../src/speech/loudness.ts';

const RATE = 8000;

function tone(levelDbov: number, durationMs: number): Int16Array {
  const peak = 32_768 * 10 ** (levelDbov / 20) * Math.SQRT2;
  return Int16Array.from({ length: (durationMs * RATE) / 1000 }, (_, i) =>
    Math.round(peak * Math.sin((2 * Math.PI * 400 * i) / RATE)),
  );
}

const test = suite('loudness');

test('a second of line noise is not audible, 20 ms of a quiet caller in it are', () => {
  const noise = tone(-62, 1_000);
  assert.not(isAudible(noise, RATE));
  noise.set(tone(-45, 20), 400 * 8);
  assert.ok(isAudible(noise, RATE));
});

test('no samples are not audible', () => {
  assert.not(isAudible(new Int16Array(0), RATE));
});

test.run();
