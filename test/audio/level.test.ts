import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { levelDbov, rms } from '../../src/audio/level.ts';
import { tone } from './tone.ts';

const test = suite('level');

function near(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);
}

test('a square wave at the overload point is 0 dBov', () => {
  assert.is(levelDbov(new Int16Array(160).fill(-32768)), 0);
  near(levelDbov(Int16Array.of(32767, -32768, 32767, -32768)), 0, 0.001);
});

test('a full-scale sine is -3.01 dBov and each halving takes 6.02 dB', () => {
  for (let halvings = 0; halvings < 8; halvings++) {
    near(levelDbov(tone(400, 8000, 160, 32767 / 2 ** halvings)), -3.01 - 6.02 * halvings, 0.05);
  }
});

test('digital silence and no samples at all are -127 dBov', () => {
  assert.is(levelDbov(new Int16Array(160)), -127);
  assert.is(levelDbov(new Int16Array(0)), -127);
  assert.is(rms(new Int16Array(0)), 0);
});

test('the quietest sound there is lies far above silence', () => {
  near(levelDbov(new Int16Array(160).fill(1)), -90.31, 0.01);
});

test('the root mean square is in sample units and does not overflow', () => {
  near(rms(Int16Array.of(3, -4, 3, -4)), Math.sqrt(12.5), 1e-9);
  assert.is(rms(new Int16Array(100_000).fill(-32768)), 32768);
});

test.run();
