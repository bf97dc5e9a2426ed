import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BargeIn, BargeInCounters } from '../../src/speech/barge-in.ts';
import type { Hearing } from '../../src/speech/echo-detector.ts';
import { background } from '../audio/background.ts';
import { audio, makeWorld, type World } from './playout-world.ts';

const test = suite('barge-in');
const FRAME = 160;

/** A vowel of 140 Hz with a few harmonics, from sample `start` on. */
function vowel(start: number): Int16Array {
  return Int16Array.from({ length: FRAME }, (_, i) => {
    const phase = (2 * Math.PI * 140 * (start + i)) / 8000;
    return 3000 * (Math.sin(phase) + 0.7 * Math.sin(2 * phase + 1) + 0.5 * Math.sin(5 * phase + 2));
  });
}

const hiss = Int16Array.from(background('white', -26, 80_000, 3));
const noise = (start: number): Int16Array => hiss.slice(start % 70_000, (start % 70_000) + FRAME);

interface Talk extends World {
  readonly counters: BargeInCounters;
  readonly bargeIns: [number, number][];
  readonly bargeIn: BargeIn;
  /** One 20 ms frame of the caller for each character: `v` vowel, `n` noise that counts as voice, `p` a vowel that is perhaps an echo, `.` silence. */
  readonly say: (frames: string) => Promise<void>;
}

function hearingOf(kind: string): Hearing {
  if (kind === 'p') return 'perhaps';
  return kind === '.' ? 'nobody' : 'caller';
}

function talk(resumeAfterFalseAlarm = true): Talk {
  const counters = new BargeInCounters();
  const bargeIns: [number, number][] = [];
  const world = makeWorld();
  const bargeIn = new BargeIn({
    target: world.playout,
    sampleRate: 8000,
    resumeAfterFalseAlarm,
    counters,
    onBargeIn: (...args) => bargeIns.push(args),
  });
  let sample = 0;
  return {
    ...world,
    counters,
    bargeIns,
    bargeIn,
    async say(frames) {
      for (const kind of frames) {
        const frame =
          kind === 'v' || kind === 'p' ? vowel(sample) : kind === 'n' ? noise(sample) : new Int16Array(FRAME);
        if (bargeIn.isActive) bargeIn.onFrame(frame, sample, hearingOf(kind), world.clock.nowMs());
        sample += FRAME;
        await world.run(1);
        bargeIn.onTick(world.clock.nowMs());
      }
    },
  };
}

test('a voice ducks the reply with its first frame, silences it with its third and ends it', async () => {
  const { play, say, told, sender, counters, bargeIns, clock } = talk();
  const source = play('a');
  source.give(audio(2_000));
  await say('.....');
  assert.is(sender.queuedFrames, 25);
  await say('v');
  assert.is(counters.ducked, 1);
  await say('vv');
  assert.equal(told, ['started a', 'interrupted a 140']);
  assert.ok(source.signal?.aborted);
  assert.is(sender.queuedFrames, 0);
  assert.equal(bargeIns, [[5 * FRAME, clock.nowMs() + 20]]);
  assert.equal(Object.entries(counters), Object.entries({ ducked: 1, bargeIns: 1, falseAlarms: 0 }));
});

test('what is perhaps the caller only ducks the reply, and counts as his voice once it is', async () => {
  const { play, say, told, sender, counters } = talk();
  play('a').give(audio(2_000));
  await say('.....pppppp');
  assert.is(counters.ducked, 1);
  assert.equal(told, ['started a']);
  assert.is(sender.queuedFrames, 25);
  await say('v');
  assert.equal(told, ['started a', 'interrupted a 220']);
  assert.is(sender.queuedFrames, 0);
});

test('a click makes the reply quieter for a moment, and nothing is told', async () => {
  const { play, say, told, sender, counters } = talk();
  const source = play('a');
  source.give(audio(1_000));
  source.end();
  await say(`....n${'.'.repeat(60)}`);
  assert.equal(told, ['started a', 'finished a 1000']);
  assert.equal(Object.entries(counters), Object.entries({ ducked: 1, bargeIns: 0, falseAlarms: 1 }));
  assert.is(sender.queuedFrames, 0);
});

test('after a cough the reply goes on from where it was', async () => {
  const { play, say, told, playout, counters } = talk();
  const source = play('a');
  source.give(audio(400));
  source.end();
  await say(`....${'n'.repeat(12)}.`);
  assert.equal(told, ['started a']);
  assert.ok(playout.isPlaying);
  await say('.'.repeat(50));
  assert.equal(told, ['started a', 'finished a 400']);
  assert.equal(Object.entries(counters), Object.entries({ ducked: 1, bargeIns: 0, falseAlarms: 1 }));
});

test('a reply that shall not go on ends as soon as it falls silent, whatever silenced it', async () => {
  const { play, say, told, counters } = talk(false);
  play('a').give(audio(2_000));
  await say(`....nnn`);
  assert.equal(told, ['started a', 'interrupted a 120']);
  assert.is(counters.bargeIns, 1);
});

test('half a second of voice without a pitch is speech', async () => {
  const { play, say, told } = talk();
  play('a').give(audio(2_000));
  await say(`....${'n'.repeat(24)}`);
  assert.is(told.length, 1);
  await say('n');
  assert.equal(told, ['started a', 'interrupted a 120']);
});

test('what may not be interrupted is neither ducked nor ended, and what follows it may be', async () => {
  const { say, told, playout, counters, sender } = talk();
  const chunk = audio(400);
  const one = async function* (): AsyncGenerator<Int16Array> {
    yield chunk;
  };
  playout.play('a', one, false);
  playout.play('b', one);
  playout.play('c', one, false);
  await say('...vvvvvv');
  assert.equal(told, ['started a']);
  assert.is(counters.ducked, 0);
  await say(`${'.'.repeat(14)}vvv${'.'.repeat(30)}`);
  assert.equal(told, ['started a', 'finished a 400', 'started b', 'interrupted b 100', 'started c', 'finished c 400']);
  assert.is(sender.queuedFrames, 0);
});

test('a caller who stops sending in the middle of a cough does not silence the reply for ever', async () => {
  const { play, say, told, run, bargeIn, clock } = talk();
  const source = play('a');
  source.give(audio(400));
  source.end();
  await say('....nnnn');
  for (let frame = 0; frame < 60; frame++) {
    await run(1);
    bargeIn.onTick(clock.nowMs());
  }
  assert.equal(told, ['started a', 'finished a 400']);
});

test('a voice that was there before the reply interrupts it as well', async () => {
  const { play, say, told } = talk();
  await say('vvvv');
  play('a').give(audio(2_000));
  await say('vvvvvv');
  assert.equal(told.length, 2);
  assert.match(told[1]!, /^interrupted a/);
});

test('silence between replies costs nothing and is forgotten', async () => {
  const { bargeIn, say, play, told } = talk();
  await say('vvvv');
  assert.not(bargeIn.isActive);
  const source = play('a');
  source.give(audio(200));
  source.end();
  await say('.'.repeat(16));
  assert.equal(told, ['started a', 'finished a 200']);
  assert.not(bargeIn.isActive);
});

test.run();
