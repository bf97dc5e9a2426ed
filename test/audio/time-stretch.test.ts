import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { rms } from '../../src/audio/level.ts';
import { TimeStretcher } from '../../src/audio/time-stretch.ts';
import { makeRandom } from './prng.ts';
import { fitTone, tone } from './tone.ts';

const test = suite('time stretcher');
const START = 1000;
const END = 1400;

/** Applies one change at `START` and returns the audio up to the new end. */
function change(
  kind: 'remove' | 'insert',
  source: Int16Array,
  sampleRate = 8000,
  wanted = 80,
  minCorrelation = 0.85,
): { pcm: Int16Array; changed: number } {
  const stretcher = new TimeStretcher(sampleRate);
  const scale = sampleRate / 8000;
  const memory = new Int16Array(source.length + stretcher.maxLagSamples);
  memory.set(source);
  const changed = stretcher[kind](memory, START * scale, END * scale, wanted, minCorrelation);
  const end = END * scale + (kind === 'insert' ? changed : -changed);
  return { pcm: memory.slice(0, end), changed };
}

test('takes out and puts in whole periods of a tone, so that it stays one', () => {
  for (const kind of ['remove', 'insert'] as const) {
    for (const sampleRate of [8000, 16_000, 48_000]) {
      const scale = sampleRate / 8000;
      const { pcm, changed } = change(kind, tone(200, sampleRate, END * scale, 8000), sampleRate, 120 * scale);
      assert.is(changed % (40 * scale), 0, `${changed} samples of 200 Hz at ${sampleRate} Hz`);
      assert.ok(changed > 0);
      const whole = pcm.subarray(0, pcm.length - (pcm.length % (40 * scale)));
      const { amplitude, residual } = fitTone(whole, 200, sampleRate);
      assert.ok(Math.abs(amplitude - 8000) < 20 && residual < 60, `${kind}: ${amplitude}, ${residual}`);
    }
  }
});

test('takes out and puts in a period that is longer than the seam', () => {
  const period = 100;
  const source = Int16Array.from({ length: END }, (_, i) =>
    Math.round(5000 * Math.sin((2 * Math.PI * i) / period) + 3000 * Math.sin((6 * Math.PI * i) / period)),
  );
  for (const kind of ['remove', 'insert'] as const) {
    const { pcm, changed } = change(kind, source, 8000, 120);
    assert.is(changed, period);
    for (let i = START - period; i < pcm.length; i++) {
      assert.ok(Math.abs(pcm[i]! - source[i % period]!) <= 1, `${kind}: ${pcm[i]} at ${i}`);
    }
  }
});

test('leaves what lies before and behind the seam alone', () => {
  const random = makeRandom(1);
  const source = Int16Array.from({ length: END }, (_, i) =>
    Math.round(4000 * Math.sin(i / 7) + 1000 * Math.sin(i / 3)),
  );
  for (let i = END - 100; i < END; i++) source[i] = Math.round(30_000 * (random() - 0.5));
  for (const kind of ['remove', 'insert'] as const) {
    const { pcm, changed } = change(kind, source, 8000, 120);
    assert.ok(changed > 0);
    assert.equal(pcm.slice(0, START), source.slice(0, START));
    assert.equal(pcm.slice(-100), source.slice(-100));
  }
});

test('keeps the level of noise, and cuts it to measure', () => {
  const random = makeRandom(2);
  for (const kind of ['remove', 'insert'] as const) {
    let power = 0;
    for (let round = 0; round < 50; round++) {
      const source = Int16Array.from({ length: END }, () => Math.round(12_000 * (random() - 0.5)));
      const { pcm, changed } = change(kind, source, 8000, 64);
      assert.ok(changed === 64 || changed === 0);
      power += rms(pcm.subarray(START, START + 64)) ** 2 / 50;
    }
    assert.ok(Math.abs(10 * Math.log10(power / (12_000 ** 2 / 12))) < 0.7, `${kind}: power ${power}`);
  }
});

test('cuts silence to measure', () => {
  assert.is(change('remove', new Int16Array(END), 8000, 57).changed, 57);
  assert.is(change('insert', new Int16Array(END), 8000, 110).changed, 110);
});

test('does nothing where the signal changes too much for a seam', () => {
  // Speech starts out of silence: one side of any cut is far louder than the other.
  const source = new Int16Array(END);
  for (let i = START + 90; i < END; i++) source[i] = Math.round(9000 * Math.sin((i - START) ** 2 / 90));
  const { pcm, changed } = change('remove', source);
  assert.is(changed, 0);
  assert.equal(pcm, source);
});

test('does not take out more than it may', () => {
  // A period of 10 ms, when only 5 ms may go.
  const source = Int16Array.from({ length: END }, (_, i) => (i % 80 < 6 ? 20_000 : Math.round(300 * Math.sin(i % 80))));
  assert.is(change('remove', source, 8000, 120).changed, 80);
  assert.is(change('remove', source, 8000, 40).changed, 0);
});

test('does nothing when too little lies ahead', () => {
  const stretcher = new TimeStretcher(8000);
  const pcm = new Int16Array(2000);
  assert.is(stretcher.remove(pcm, 500, 500 + stretcher.removeLookaheadSamples - 1, 80, 0), 0);
  assert.is(stretcher.insert(pcm, 500, 500 + stretcher.insertLookaheadSamples - 1, 80, 0), 0);
});

test.run();
