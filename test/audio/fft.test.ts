import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fft } from '../../src/audio/fft.ts';
import { ToeplitzSolver } from '../../src/audio/toeplitz.ts';
import { withSeed } from './prng.ts';

const test = suite('transforms and equations');

test('the transform is the discrete Fourier transform', () => {
  withSeed((random) => {
    for (const length of [2, 8, 64]) {
      const real = Float64Array.from({ length }, () => random() - 0.5);
      const imaginary = Float64Array.from({ length }, () => random() - 0.5);
      const expected = Array.from({ length }, (_, k) => {
        let re = 0;
        let im = 0;
        for (let n = 0; n < length; n++) {
          const angle = (-2 * Math.PI * k * n) / length;
          re += real[n]! * Math.cos(angle) - imaginary[n]! * Math.sin(angle);
          im += real[n]! * Math.sin(angle) + imaginary[n]! * Math.cos(angle);
        }
        return [re, im] as const;
      });
      new Fft(length).transform(real, imaginary);
      for (const [k, [re, im]] of expected.entries()) {
        assert.ok(Math.hypot(real[k]! - re, imaginary[k]! - im) < 1e-12 * length, `${length}: bin ${k}`);
      }
    }
  });
});

test('a length that is no power of two is refused', () => {
  for (const length of [0, 1, 3, 12, Number.NaN]) assert.throws(() => new Fft(length), RangeError);
});

test('a Toeplitz system is solved', () => {
  withSeed((random) => {
    const size = 12;
    const signal = Float64Array.from({ length: 400 }, () => random() - 0.5);
    const column = Float64Array.from({ length: size }, (_, lag) =>
      signal.subarray(lag).reduce((sum, sample, i) => sum + sample * signal[i]!, 0),
    );
    const wanted = Float64Array.from({ length: size }, () => random() - 0.5);
    const b = Float64Array.from({ length: size }, (_, row) =>
      wanted.reduce((sum, x, k) => sum + x * (column[Math.abs(row - k)]! + (row === k ? 0.5 : 0)), 0),
    );
    const found = new Float64Array(size).fill(7);
    new ToeplitzSolver(size).solve(column, 0.5, b, found);
    for (let k = 0; k < size; k++) assert.ok(Math.abs(found[k]! - wanted[k]!) < 1e-9, `unknown ${k}`);
  });
});

test.run();
