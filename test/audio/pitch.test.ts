import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PitchFinder } from '../../src/audio/pitch.ts';
import { makeRandom } from './prng.ts';

const test = suite('pitch finder');

/** A voice-like sound: `period` samples a period, several harmonics. */
function voice(period: number, length: number): Int16Array {
  return Int16Array.from({ length }, (_, i) => {
    const phase = (2 * Math.PI * i) / period;
    return Math.round(4000 * Math.sin(phase) + 2500 * Math.sin(2 * phase + 1) + 1500 * Math.sin(3 * phase + 2));
  });
}

test('finds every period of a voice to the sample, in both directions', () => {
  const finder = new PitchFinder(8000);
  for (let period = finder.maxLag / 2 + 1; period <= finder.maxLag; period++) {
    for (const direction of [1, -1] as const) {
      finder.search(voice(period, 1000), 500, direction);
      assert.is(finder.lag, period);
      assert.ok(finder.correlation > 0.999);
    }
  }
});

test('finds a whole number of periods of a high voice', () => {
  const finder = new PitchFinder(8000);
  for (let period = finder.minLag; period <= finder.maxLag / 2; period++) {
    finder.search(voice(period, 1000), 500, -1);
    assert.is(finder.lag % period, 0, `${finder.lag} for ${period}`);
  }
});

test('finds the same period at 16 and 48 kHz', () => {
  for (const scale of [2, 6]) {
    const finder = new PitchFinder(8000 * scale);
    finder.search(voice(91 * scale + 1, 1000 * scale), 500 * scale, -1);
    assert.is(finder.lag, 91 * scale + 1);
  }
});

test('tells noise by its low correlation', () => {
  const random = makeRandom(1);
  const finder = new PitchFinder(8000);
  for (let round = 0; round < 50; round++) {
    finder.search(
      Int16Array.from({ length: 400 }, () => 20_000 * (random() - 0.5)),
      200,
      1,
    );
    assert.ok(finder.correlation < 0.6);
  }
});

test('takes silence for like itself', () => {
  const finder = new PitchFinder(8000);
  finder.search(new Int16Array(400), 200, -1);
  assert.is(finder.correlation, 1);
});

test.run();
