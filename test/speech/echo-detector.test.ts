import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { VoiceActivity } from '../../src/audio/voice-activity.ts';
import { EchoDetector } from '../../src/speech/echo-detector.ts';
import { EchoReference } from '../../src/speech/echo-reference.ts';
import { background } from '../audio/background.ts';
import { corpus } from '../audio/corpus.ts';
import { makeRandom } from '../audio/prng.ts';
import { atLevel, firstVoicedMs, randomTrial, runTrial } from './barge-in-trial.ts';

const test = suite('echo');
const { english, arabic } = corpus('echo', 40);
const recordings = [...english, ...arabic];

test.before(() => VoiceActivity.load());

test('a reply is neither interrupted nor silenced by its own echo, on lines of all kinds', async () => {
  for (let seed = 1; seed <= 14; seed++) {
    const { interrupted, falseAlarms } = await runTrial(randomTrial(seed, recordings, undefined, 'echo'));
    assert.not(interrupted, `seed ${seed}`);
    assert.ok(falseAlarms <= 1, `seed ${seed}: ${falseAlarms} false alarms`);
  }
});

test('a reply that begins softly is not interrupted by the late echo of its first loud word', async () => {
  const soft = Int16Array.from(background('white', -45, 2_400, 1));
  for (const [index, recording] of recordings.slice(0, 12).entries()) {
    const random = makeRandom(index);
    const echo = { delayMs: 298, returnLossDb: 18, decayMs: 0.2, law: 'ulaw', random } as const;
    const words = atLevel(recording, -17);
    const prompt = new Int16Array(20_000);
    prompt.set(soft);
    prompt.set(words.subarray(firstVoicedMs(words) * 8).subarray(0, prompt.length - soft.length), soft.length);
    const { interrupted } = await runTrial({ seed: index, prompt, echo, noiseDbov: -72, noiseKind: 'pink' });
    assert.not(interrupted, recording.name);
  }
});

test('an echo that the line smears, bends and returns twice does not interrupt a reply', async () => {
  for (const [index, recording] of recordings.slice(0, 12).entries()) {
    const random = makeRandom(index);
    const second = { laterMs: 50, weakerDb: 3 };
    const echo = { delayMs: 118, returnLossDb: 20, decayMs: 2, second, clipAt: 0.06, law: 'alaw', random } as const;
    const prompt = atLevel(recording, -17);
    const { interrupted } = await runTrial({ seed: index, prompt, echo, noiseDbov: -70, noiseKind: 'fan' });
    assert.not(interrupted, recording.name);
  }
});

test('an echo that changes its delay does not interrupt a reply', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { interrupted } = await runTrial(randomTrial(seed, recordings, undefined, 'shifting echo'));
    assert.not(interrupted, `seed ${seed}`);
  }
});

test('a caller is heard over the echo', async () => {
  let missed = 0;
  for (let seed = 101; seed <= 114; seed++) {
    const voice = recordings[(seed * 7) % recordings.length]!;
    const { interrupted } = await runTrial(randomTrial(seed, recordings, voice, 'echo'));
    if (!interrupted) missed++;
  }
  assert.ok(missed <= 1, `${missed} missed`);
});

test('without an echo a caller ducks the reply within 80 ms and silences it within 250 ms, nearly always', async () => {
  const ducked: number[] = [];
  const silent: number[] = [];
  for (let seed = 201; seed <= 220; seed++) {
    const voice = recordings[(seed * 7) % recordings.length]!;
    const { interrupted, duckedMs, flushedMs } = await runTrial(randomTrial(seed, recordings, voice, 'quiet'));
    assert.ok(interrupted && duckedMs !== undefined && flushedMs !== undefined, `seed ${seed}`);
    ducked.push(duckedMs);
    silent.push(flushedMs);
  }
  const within = (all: readonly number[], ms: number): number => all.filter((value) => value <= ms).length;
  assert.ok(within(ducked, 80) >= 16, `ducked after ${ducked.map(Math.round).join(', ')} ms`);
  assert.ok(within(silent, 250) >= 19, `silent after ${silent.map(Math.round).join(', ')} ms`);
});

test('while nothing is played, what sounds like a voice is one', () => {
  const detector = new EchoDetector();
  assert.not(detector.isActive(0));
  detector.play(new Int16Array(160).fill(1000), 8000);
  assert.ok(detector.isActive(8000));
  assert.not(detector.isActive(8000 + 4000));
  assert.is(detector.judge(new Int16Array(160).fill(500), 80_000, true), 'caller');
  assert.is(detector.judge(new Int16Array(160).fill(500), 80_160, false), 'nobody');
});

test('frames are placed by their timestamps, however late the event loop sent them', () => {
  const reference = new EchoReference();
  assert.is(reference.place(5_000, 800), 800);
  assert.is(reference.place(5_160, 1_040), 960);
  assert.is(reference.place(5_320, 1_050), 1_120);
  // The timestamps went on alone, or began anew.
  assert.is(reference.place(100, 10_000), 10_000);
  assert.is(reference.place(260, 10_150), 10_160);
});

test.run();
