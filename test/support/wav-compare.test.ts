import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711 } from '../../src/audio/g711.ts';
import { withSeed } from '../audio/prng.ts';
import { audiblePart, locate, locateEnds } from './wav-compare.ts';

const RATE = 8_000;
const MS = RATE / 1_000;

const comparison = suite('comparing recordings');

/** Noise as a low-pass filter leaves it, at a loudness that changes like that of syllables. */
function babble(random: () => number, durationMs: number): Int16Array {
  let smooth = 0;
  return Int16Array.from({ length: durationMs * MS }, (_, i) => {
    smooth = 0.7 * smooth + (random() - 0.5) * 8_000;
    return smooth * (1.2 + Math.sin((2 * Math.PI * i) / (200 * MS)));
  });
}

function noise(random: () => number, durationMs: number, peak: number): Int16Array {
  return Int16Array.from({ length: durationMs * MS }, () => (random() - 0.5) * 2 * peak);
}

function concatenate(...parts: Int16Array[]): Int16Array {
  return Int16Array.from(parts.flatMap((part) => [...part]));
}

comparison('finds a snippet at the sample where it lies', () => {
  withSeed((random) => {
    const recording = babble(random, 2_000);
    const offset = Math.floor(random() * (recording.length - 800));
    const match = locate(recording.slice(offset, offset + 800), recording, RATE);
    assert.is(match.offsetMs, offset / MS);
    assert.ok(Math.abs(match.correlation - 1) < 1e-9, String(match.correlation));
  });
});

comparison('finds it quieter, shifted by a constant, through µ-law and under noise', () => {
  withSeed((random) => {
    const snippet = babble(random, 100);
    const heard = concatenate(babble(random, 500), snippet, babble(random, 500));
    const disturbed = heard.map((sample, i) => sample / 3 + 500 + (i % 2 === 0 ? 1 : -1) * random() * 100);
    const encoded = new Uint8Array(disturbed.length);
    G711.encodeUlaw(disturbed, encoded);
    const recording = new Int16Array(encoded.length);
    G711.decodeUlaw(encoded, recording);
    const match = locate(snippet, recording, RATE);
    assert.is(match.offsetMs, 500);
    assert.ok(match.correlation > 0.98, String(match.correlation));
  });
});

comparison('finds a snippet at the very start and the very end', () => {
  withSeed((random) => {
    const recording = babble(random, 300);
    assert.is(locate(recording.slice(0, 800), recording, RATE).offsetMs, 0);
    assert.is(locate(recording.slice(-800), recording, RATE).offsetMs, 200);
  });
});

comparison('matches badly where the snippet is missing, cut or inverted', () => {
  withSeed((random) => {
    const snippet = babble(random, 100);
    const other = babble(random, 1_000);
    assert.ok(locate(snippet, other, RATE).correlation < 0.5);
    const firstHalf = concatenate(noise(random, 500, 20), snippet.subarray(0, 400), noise(random, 500, 20));
    assert.ok(locate(snippet, firstHalf, RATE).correlation < 0.95);
    const inverted = snippet.map((sample) => -sample);
    assert.ok(locate(snippet, concatenate(other, inverted, other), RATE).correlation < 0.5);
  });
});

comparison('matches digital silence with 0', () => {
  withSeed((random) => {
    assert.equal(locate(babble(random, 100), new Int16Array(1_600), RATE), { offsetMs: 0, correlation: 0 });
  });
});

comparison('tells the ends of a source apart from one whose first or last 100 ms are gone', () => {
  withSeed((random) => {
    const source = babble(random, 1_000);
    const around = (heard: Int16Array): Int16Array =>
      concatenate(noise(random, 300, 20), heard, noise(random, 300, 20));

    const whole = locateEnds(source, around(source), RATE);
    assert.is(whole.first.offsetMs, 300);
    assert.is(whole.last.offsetMs, 1_200);
    assert.ok(whole.first.correlation > 0.99 && whole.last.correlation > 0.99);

    const late = locateEnds(source, around(source.subarray(100 * MS)), RATE);
    assert.ok(late.first.correlation < 0.5 && late.last.correlation > 0.99);

    const early = locateEnds(source, around(source.subarray(0, -100 * MS)), RATE);
    assert.ok(early.first.correlation > 0.99 && early.last.correlation < 0.5);
  });
});

comparison('takes off the silence before and after sound, to 10 ms, but not the silence within', () => {
  withSeed((random) => {
    const sound = concatenate(babble(random, 100), new Int16Array(200 * MS), babble(random, 100));
    const quiet = noise(random, 250, 5);
    const part = audiblePart(concatenate(quiet, sound, quiet), RATE);
    assert.equal(part, sound);
    assert.is(audiblePart(new Int16Array(800), RATE).length, 0);
  });
});

comparison('refuses a snippet that is silent, empty or longer than the recording', () => {
  const recording = new Int16Array(100);
  assert.throws(() => locate(new Int16Array(50).fill(7), recording, RATE), /silence/);
  assert.throws(() => locate(new Int16Array(0), recording, RATE), /1 to 100 samples/);
  assert.throws(() => locate(new Int16Array(101), recording, RATE), /1 to 100 samples/);
});

comparison.run();
