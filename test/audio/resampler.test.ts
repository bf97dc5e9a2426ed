import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { rms } from '../../src/audio/level.ts';
import { Resampler } from '../../src/audio/resampler.ts';
import { withSeed } from './prng.ts';
import { decibels, fitTone, type ToneFit, tone } from './tone.ts';

const test = suite('Resampler');

const AMPLITUDE = 16_000;
const TELEPHONY = [
  [8000, 16000],
  [16000, 8000],
] as const;
const OTHERS = [
  [24000, 16000],
  [16000, 24000],
  [24000, 8000],
  [8000, 24000],
  [48000, 8000],
  [8000, 48000],
  [48000, 16000],
  [44100, 16000],
  [22050, 8000],
  [16000, 44100],
  [32000, 24000],
] as const;

/** What a resampled tone is in a half second of whole periods, away from both ends. `frequencyHz`: multiple of 20. */
function respond(frequencyHz: number, from: number, to: number): ToneFit {
  const output = Resampler.resample(tone(frequencyHz, from, from * 0.7, AMPLITUDE), from, to);
  return fitTone(output.subarray(to * 0.1, to * 0.6), frequencyHz, to);
}

function frequencies(lowHz: number, highHz: number, stepHz: number): number[] {
  return Array.from({ length: Math.floor((highHz - lowHz) / stepHz) + 1 }, (_, index) => lowHz + index * stepHz);
}

function gainDb(fit: ToneFit): number {
  return decibels(fit.amplitude / AMPLITUDE);
}

for (const [from, to] of TELEPHONY) {
  test(`${from} to ${to} Hz is flat within 0.05 dB to 3.4 kHz and has no images to 4 kHz`, () => {
    for (const frequencyHz of frequencies(20, 3980, 40)) {
      const fit = respond(frequencyHz, from, to);
      const residualDb = decibels(fit.residual / AMPLITUDE);
      if (frequencyHz <= 3400) assert.ok(Math.abs(gainDb(fit)) <= 0.05, `${frequencyHz} Hz: ${gainDb(fit)} dB`);
      else assert.ok(gainDb(fit) <= 0.05, `${frequencyHz} Hz: ${gainDb(fit)} dB`);
      assert.ok(residualDb <= -70, `${frequencyHz} Hz: the rest at ${residualDb} dB`);
    }
  });

  test(`${from} to ${to} Hz delays by delaySamples, at most 5 ms`, () => {
    const resampler = new Resampler({ inputRate: from, outputRate: to });
    assert.ok(resampler.delaySamples / to <= 0.005);
    const impulse = new Int16Array(from / 10);
    impulse[from / 20] = 20_000;
    const output = new Int16Array(to / 10);
    assert.is(resampler.process(impulse, output), output.length);
    assert.is(output.indexOf(Math.max(...output)), to / 20 + resampler.delaySamples);
    // Linear phase: the response is the same on both sides of its middle.
    const middle = to / 20 + resampler.delaySamples;
    for (let i = 1; i <= resampler.delaySamples; i++) assert.is(output[middle + i], output[middle - i]);
  });
}

test('16000 to 8000 Hz stops all that would alias, from 4 kHz on', () => {
  for (const frequencyHz of frequencies(4000, 7980, 20)) {
    const output = Resampler.resample(tone(frequencyHz, 16000, 8000, AMPLITUDE), 16000, 8000);
    const aliasDb = decibels((rms(output.subarray(400, 3600)) * Math.SQRT2) / AMPLITUDE);
    assert.ok(aliasDb <= -70, `${frequencyHz} Hz: ${aliasDb} dB`);
  }
});

for (const [from, to] of OTHERS) {
  test(`${from} to ${to} Hz passes and stops in proportion`, () => {
    const lower = Math.min(from, to);
    for (const share of [0.01, 0.1, 0.25, 0.4, 0.425]) {
      const frequencyHz = Math.floor((share * lower) / 20) * 20;
      const fit = respond(frequencyHz, from, to);
      assert.ok(Math.abs(gainDb(fit)) <= 0.05, `${frequencyHz} Hz: ${gainDb(fit)} dB`);
      assert.ok(
        decibels(fit.residual / AMPLITUDE) <= -68,
        `${frequencyHz} Hz: ${decibels(fit.residual / AMPLITUDE)} dB`,
      );
    }
    if (from < to) return;
    for (const share of [0.5, 0.6, 0.9]) {
      const frequencyHz = Math.ceil((share * to) / 20) * 20;
      if (frequencyHz >= from / 2) continue;
      const output = Resampler.resample(tone(frequencyHz, from, from / 2, AMPLITUDE), from, to);
      const loudest = output.subarray(to * 0.1, to * 0.4).reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
      assert.ok(decibels(loudest / AMPLITUDE) <= -66, `${frequencyHz} Hz: ${decibels(loudest / AMPLITUDE)} dB`);
    }
  });
}

test('the one-shot form is aligned in time and has the proportional length', () => {
  for (const [from, to] of [...TELEPHONY, ...OTHERS]) {
    for (const frequencyHz of [500, 1020]) {
      const { phase } = respond(frequencyHz, from, to);
      // A tenth of a second into a multiple of 10 Hz the phase is that of the start: zero.
      assert.ok(Math.abs(phase) < 0.002, `${from} to ${to}, ${frequencyHz} Hz: ${phase} rad`);
    }
    for (const length of [0, 1, 2, 7, 159, 1601]) {
      assert.is(Resampler.resample(new Int16Array(length), from, to).length, Math.round((length * to) / from));
    }
  }
});

test('the one-shot form is the streaming one without its delay', () => {
  withSeed((random) => {
    for (const [from, to] of [...TELEPHONY, ...OTHERS]) {
      const pcm = Int16Array.from(
        { length: 1 + Math.floor(random() * 3000) },
        () => Math.floor(random() * 65536) - 32768,
      );
      const resampler = new Resampler({ inputRate: from, outputRate: to });
      const streamed = new Int16Array(resampler.outputSamplesFor(pcm.length) + resampler.delaySamples);
      const written = resampler.process(pcm, streamed);
      assert.is(resampler.flush(streamed.subarray(written)), resampler.delaySamples);
      const whole = Resampler.resample(pcm, from, to);
      assert.equal(streamed.slice(resampler.delaySamples, resampler.delaySamples + whole.length), whole);
    }
  });
});

test('any chunking gives the same output', () => {
  withSeed((random) => {
    for (const [from, to] of [...TELEPHONY, ...OTHERS]) {
      const pcm = Int16Array.from({ length: 4000 }, () => Math.floor(random() * 65536) - 32768);
      const resampler = new Resampler({ inputRate: from, outputRate: to });
      const whole = new Int16Array(resampler.outputSamplesFor(pcm.length));
      assert.is(resampler.process(pcm, whole), whole.length);
      resampler.reset();
      const pieces = new Int16Array(whole.length);
      let written = 0;
      for (let start = 0; start < pcm.length; ) {
        const end = Math.min(pcm.length, start + Math.floor(random() ** 4 * 1200));
        const expected = resampler.outputSamplesFor(end - start);
        assert.is(resampler.process(pcm.subarray(start, end), pieces.subarray(written)), expected);
        written += expected;
        start = end;
      }
      assert.is(written, whole.length);
      assert.equal(pieces, whole, `${from} to ${to}`);
    }
  });
});

test('saturates instead of wrapping around', () => {
  for (const [from, to] of TELEPHONY) {
    const square = Int16Array.from({ length: from / 10 }, (_, index) =>
      Math.floor(index / 40) % 2 === 0 ? 32767 : -32768,
    );
    const output = Resampler.resample(square, from, to);
    assert.ok(output.includes(32767) && output.includes(-32768), 'the overshoot of the edges is clipped');
    for (let i = 0; i < output.length; i++) {
      const place = ((i * from) / to) % 80;
      if (place > 4 && place < 36) assert.ok(output[i]! > 20_000, `sample ${i}: ${output[i]}`);
      if (place > 44 && place < 76) assert.ok(output[i]! < -20_000, `sample ${i}: ${output[i]}`);
    }
  }
});

test('a constant stays exactly what it is', () => {
  for (const [from, to] of [...TELEPHONY, ...OTHERS]) {
    const output = Resampler.resample(new Int16Array(from / 10).fill(-12_345), from, to);
    assert.ok(
      output.subarray(to / 40, -to / 40).every((sample) => sample === -12_345),
      `${from} to ${to}`,
    );
  }
});

test('equal rates pass through without delay', () => {
  const resampler = new Resampler({ inputRate: 16000, outputRate: 16000 });
  const pcm = Int16Array.of(1, -2, 32767, -32768);
  const output = new Int16Array(6);
  assert.is(resampler.delaySamples, 0);
  assert.is(resampler.process(pcm, output), 4);
  assert.equal(output, Int16Array.of(1, -2, 32767, -32768, 0, 0));
  assert.is(resampler.flush(output), 0);
  assert.equal(Resampler.resample(pcm, 16000, 16000), pcm);
});

test('a flush leaves nothing of the stream behind', () => {
  const resampler = new Resampler({ inputRate: 16000, outputRate: 8000 });
  const pcm = tone(440, 16000, 331, AMPLITUDE);
  const first = new Int16Array(400);
  const second = new Int16Array(400);
  for (const output of [first, second]) resampler.flush(output.subarray(resampler.process(pcm, output)));
  assert.equal(second, first);
  assert.ok(first.some((sample) => sample > 10_000));
});

test('refuses a short output before it takes anything, and rates that are not audio rates', () => {
  const resampler = new Resampler({ inputRate: 8000, outputRate: 16000 });
  const pcm = tone(440, 8000, 160, AMPLITUDE);
  assert.throws(() => resampler.process(pcm, new Int16Array(319)), RangeError);
  const output = new Int16Array(320);
  resampler.process(pcm, output);
  const expected = new Int16Array(320);
  new Resampler({ inputRate: 8000, outputRate: 16000 }).process(pcm, expected);
  assert.equal(output, expected);
  assert.throws(() => resampler.flush(new Int16Array(resampler.delaySamples - 1)), RangeError);
  for (const rate of [0, 8001, Number.NaN]) {
    assert.throws(() => new Resampler({ inputRate: rate, outputRate: 8000 }), /inputRate/);
    assert.throws(() => new Resampler({ inputRate: 8000, outputRate: rate }), /outputRate/);
  }
});

test.run();
