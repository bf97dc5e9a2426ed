import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SpeechLevel } from '../../src/audio/speech-level.ts';

const test = suite('SpeechLevel');
const LOUD = 10 ** -2;

function speak(level: SpeechLevel, power: number, isVoice: boolean, frames: number): void {
  for (let i = 0; i < frames; i++) level.add({ power, treblePower: 0 }, isVoice, 20);
}

const leastDb = (level: SpeechLevel): number => 10 * Math.log10(level.least);

test('asks for nothing before a voice, and for 26 dB less than its loudest syllable in it', () => {
  const level = new SpeechLevel();
  assert.is(level.least, 0);
  speak(level, LOUD, false, 50);
  assert.is(level.least, 0);
  speak(level, LOUD, true, 25);
  assert.ok(Math.abs(leastDb(level) - -46) < 0.1, `${leastDb(level)}`);
  speak(level, LOUD / 100, true, 25);
  const faded = leastDb(level);
  assert.ok(faded < -49 && faded > -52, `${faded} after half a second of a weak syllable`);
});

test('a click of one frame does not make it deaf to the voice after it', () => {
  const level = new SpeechLevel();
  speak(level, LOUD, true, 1);
  assert.ok(leastDb(level) < -50);
});

test('a pause is remembered for 300 ms, and whoever speaks after it may be as weak as he likes', () => {
  const level = new SpeechLevel();
  speak(level, LOUD, true, 25);
  speak(level, 0, false, 15);
  assert.ok(leastDb(level) > -50);
  speak(level, 0, false, 1);
  assert.is(level.least, 0);
});

test.run();
