import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Concealer } from '../../src/audio/concealer.ts';
import { rms } from '../../src/audio/level.ts';
import { stoi } from '../support/stoi.ts';
import { makeRandom } from './prng.ts';
import { prompts } from './speech.ts';
import { fitTone, tone } from './tone.ts';

const test = suite('concealer');
const FRAME = 160;

/** Passes `pcm` through a concealer; frames for which `isLost` says so are made up. */
function conceal(
  pcm: Int16Array,
  isLost: (frame: number) => boolean,
  frameSamples = FRAME,
  sampleRate = 8000,
): Int16Array {
  const concealer = new Concealer({ sampleRate });
  const heard = new Int16Array(pcm.length - (pcm.length % frameSamples));
  for (let start = 0; start < heard.length; start += frameSamples) {
    const frame = pcm.slice(start, start + frameSamples);
    if (isLost(start / frameSamples)) concealer.conceal(frame.fill(12_345));
    else concealer.good(frame);
    heard.set(frame, start);
  }
  return heard;
}

test('leaves a stream without losses alone', () => {
  const random = makeRandom(1);
  const pcm = Int16Array.from({ length: 16_000 }, () => Math.round((random() - 0.5) * 60_000));
  assert.equal(
    conceal(pcm, () => false),
    pcm,
  );
});

test('continues a tone through a lost frame without a click', () => {
  for (const [frequencyHz, sampleRate] of [
    [100, 8000],
    [440, 8000],
    [1000, 8000],
    [440, 16_000],
    [440, 48_000],
  ] as const) {
    const amplitude = 8000;
    const pcm = tone(frequencyHz, sampleRate, sampleRate / 2, amplitude);
    const frameSamples = sampleRate / 50;
    const heard = conceal(pcm, (frame) => frame === 10, frameSamples, sampleRate);
    const gap = heard.subarray(10 * frameSamples, 10.5 * frameSamples);
    assert.ok(
      fitTone(gap, frequencyHz, sampleRate).amplitude > 0.8 * amplitude,
      `${frequencyHz} Hz at ${sampleRate} Hz`,
    );
    for (let i = 0; i < sampleRate / 500; i++) {
      const error = Math.abs(gap[i]! - pcm[10 * frameSamples + i]!);
      assert.ok(error < 0.03 * amplitude, `${error} off, ${i} samples into ${frequencyHz} Hz at ${sampleRate} Hz`);
    }
    const steepest = 2 * Math.PI * (frequencyHz / sampleRate) * amplitude;
    for (let i = 1; i < heard.length; i++) {
      assert.ok(Math.abs(heard[i]! - heard[i - 1]!) < 1.5 * steepest + 200, `step at ${i} of ${frequencyHz} Hz`);
    }
  }
});

test('holds the voice for 10 ms, then fades it to the background within 60 ms', () => {
  const random = makeRandom(2);
  const quiet = Int16Array.from({ length: 40_000 }, () => Math.round((random() - 0.5) * 200));
  const pcm = Int16Array.from([...quiet, ...tone(200, 8000, 1600, 10_000), ...new Int16Array(8000)]);
  const heard = conceal(pcm, (frame) => frame >= 260);
  const levelAt = (ms: number) => rms(heard.subarray(41_600 + ms * 8, 41_600 + (ms + 10) * 8));
  assert.ok(levelAt(0) > 6000 && levelAt(0) < 7500, `${levelAt(0)}`);
  assert.ok(levelAt(30) < 0.65 * levelAt(0));
  for (const ms of [70, 200, 800]) {
    assert.ok(levelAt(ms) > rms(quiet) / 2 && levelAt(ms) < rms(quiet) * 2, `${levelAt(ms)} against ${rms(quiet)}`);
  }
});

test('never leaves the range of samples, whatever it hears', () => {
  const random = makeRandom(3);
  for (let round = 0; round < 50; round++) {
    const gain = 10 ** (5 * random());
    const pcm = Int16Array.from({ length: 3200 }, (_, i) =>
      Math.max(-32_768, Math.min(32_767, Math.round(gain * (Math.sin(i * i * 0.001 * random()) + random() - 0.5)))),
    );
    const loudest = pcm.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
    const heard = conceal(pcm, () => random() < 0.3, 80);
    // A wrapped sample or an unstable filter would be far beyond what was heard.
    assert.ok(
      heard.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0) <= Math.min(32_768, 1.6 * loudest + 120),
    );
  }
});

test('makes up the same for frames of 10 and of 20 ms', () => {
  const random = makeRandom(4);
  const pcm = Int16Array.from({ length: 8000 }, (_, i) => Math.round(5000 * Math.sin(i * 0.15) + 2000 * random()));
  const whole = conceal(pcm, (frame) => frame === 20 || frame === 30);
  const halves = conceal(pcm, (frame) => frame === 40 || frame === 41 || frame === 60 || frame === 61, 80);
  assert.equal(whole, halves);
});

test('takes frames longer than its memory', () => {
  const pcm = tone(440, 8000, 8000, 8000);
  const concealer = new Concealer({ sampleRate: 8000 });
  concealer.good(pcm.slice());
  const gap = new Int16Array(80);
  concealer.conceal(gap);
  assert.ok(fitTone(gap.subarray(0, 73), 440, 8000).amplitude > 7000);
});

test('refuses a sample rate that it is not made for', () => {
  assert.throws(() => new Concealer({ sampleRate: 4000 }), /sampleRate of 8000-48000/);
  assert.throws(() => new Concealer({ sampleRate: Number.NaN }), RangeError);
});

const recordings = prompts('concealment of speech', 25).filter(({ pcm }) => pcm.length > 16_000);
/** Mean intelligibility over ten seeds, and that of zeros in place of what is lost. */
function meanStoi(loss: number): { concealed: number; zeros: number } {
  let concealed = 0;
  let zeros = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const { pcm } = recordings[seed % recordings.length]!;
    const clean = pcm.slice(0, pcm.length - (pcm.length % FRAME));
    const random = makeRandom(seed * 1000 + loss * 100);
    const lost = Array.from({ length: clean.length / FRAME }, () => random() < loss);
    concealed +=
      stoi(
        clean,
        conceal(clean, (frame) => lost[frame]!),
        8000,
      ) / 10;
    const silenced = clean.map((sample, i) => (lost[Math.floor(i / FRAME)] ? 0 : sample));
    zeros += stoi(clean, silenced, 8000) / 10;
  }
  return { concealed, zeros };
}

if (recordings.length > 0) {
  for (const [percent, wanted] of [
    [1, 0.993],
    [5, 0.959],
    [10, 0.933],
    [20, 0.889],
  ] as const) {
    test(`keeps speech intelligible with ${percent} % of the frames lost`, () => {
      const { concealed, zeros } = meanStoi(percent / 100);
      assert.ok(concealed >= wanted, `STOI ${concealed.toFixed(4)}`);
      // Less than six tenths of the harm that silence does.
      assert.ok(1 - concealed < 0.6 * (1 - zeros), `STOI ${concealed.toFixed(4)}, of zeros ${zeros.toFixed(4)}`);
    });
  }
}

test.run();
