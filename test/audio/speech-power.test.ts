import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SpeechPower } from '../../src/audio/speech-power.ts';
import { frames } from './telephone.ts';
import { tone } from './tone.ts';

const test = suite('SpeechPower');

/** Level in dB below a full-scale square wave of a second of tone, after it has settled. */
function levelsOf(frequencyHz: number, sampleRate: number): { levelDb: number; trebleDb: number } {
  const speech = new SpeechPower(sampleRate);
  const pcm = tone(frequencyHz, sampleRate, sampleRate, 16384);
  let power = 0;
  let treblePower = 0;
  for (const frame of frames(pcm, sampleRate / 50).slice(25)) {
    speech.measure(frame);
    power += speech.power / 25;
    treblePower += speech.treblePower / 25;
  }
  return { levelDb: 10 * Math.log10(power), trebleDb: 10 * Math.log10(treblePower) };
}

function near(actual: number, expected: number, toleranceDb: number): void {
  assert.ok(Math.abs(actual - expected) <= toleranceDb, `${actual} is not ${expected} ± ${toleranceDb}`);
}

for (const sampleRate of [8000, 16000]) {
  test(`passes speech and stops rumble and hum at ${sampleRate} Hz`, () => {
    for (const frequencyHz of [250, 1000, 3000]) near(levelsOf(frequencyHz, sampleRate).levelDb, -9.03, 0.2);
    near(levelsOf(100, sampleRate).levelDb, -9.03 - 3.01, 0.2);
    near(levelsOf(50, sampleRate).levelDb, -9.03 - 12.3, 0.3);
    near(levelsOf(20, sampleRate).levelDb, -9.03 - 27.96, 0.3);
  });

  test(`weighs the treble by half a sample's change at ${sampleRate} Hz`, () => {
    for (const frequencyHz of [100, 1000, 3000]) {
      const gain = Math.sin((Math.PI * frequencyHz) / sampleRate);
      near(levelsOf(frequencyHz, sampleRate).trebleDb, -9.03 + 20 * Math.log10(gain), 0.1);
    }
  });
}

test('an offset dies away, and has no treble from its first frame on', () => {
  const speech = new SpeechPower(8000);
  const offset = new Int16Array(160).fill(10_000);
  speech.measure(offset);
  assert.is(speech.treblePower, 0);
  for (let frame = 0; frame < 10; frame++) speech.measure(offset);
  assert.ok(speech.power < 1e-10, `${speech.power}`);
});

test('a reset forgets what was filtered', () => {
  const pcm = tone(300, 8000, 160, 10_000);
  const speech = new SpeechPower(8000);
  speech.measure(pcm);
  const { power, treblePower } = speech;
  speech.measure(new Int16Array(160).fill(-30_000));
  speech.reset();
  assert.equal([speech.power, speech.treblePower], [0, 0]);
  speech.measure(pcm);
  assert.equal([speech.power, speech.treblePower], [power, treblePower]);
});

test.run();
