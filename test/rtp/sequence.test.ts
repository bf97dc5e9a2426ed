import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SequenceTracker, sequenceDelta } from '../../src/rtp/sequence.ts';
import { seededRandom } from './builders.ts';

const test = suite('sequence numbers');

const DELTAS = [
  [1, 0, 1],
  [0, 1, -1],
  [0, 65535, 1],
  [65535, 0, -1],
  [0, 65000, 536],
  [65000, 0, -536],
  [32767, 0, 32767],
  [32768, 0, -32768],
  [5, 5, 0],
] as const;

for (const [a, b, delta] of DELTAS) {
  test(`${a} is ${delta} in front of ${b}`, () => assert.is(sequenceDelta(a, b), delta));
}

/** What a tracker says to a row of numbers. */
function verdicts(tracker: SequenceTracker, numbers: readonly number[]): string[] {
  return numbers.map((number) => tracker.update(number));
}

test('a source is on probation until two packets are in sequence', () => {
  const tracker = new SequenceTracker();
  assert.equal(verdicts(tracker, [10, 12, 13, 14]), ['probation', 'probation', 'valid', 'valid']);
  assert.is(tracker.received, 2);
  assert.is(tracker.expected, 2);
});

test('probation wraps from 65535 to 0', () => {
  assert.equal(verdicts(new SequenceTracker(), [65535, 0]), ['probation', 'valid']);
});

test('a started stream is valid from its first packet', () => {
  for (const first of [0, 1, 65535]) {
    const tracker = new SequenceTracker();
    tracker.start(first);
    assert.is(tracker.expected, 0);
    assert.is(tracker.update(first), 'valid');
    assert.is(tracker.extendedHighestSequenceNumber, first);
    assert.is(tracker.expected, 1);
    assert.is(tracker.lost, 0);
  }
});

/** Numbers after 100 of a started stream: the verdict on the last, the extended highest, lost. */
const TABLE = [
  ['in order', 100, [101], 'valid', 101, 0],
  ['a gap', 100, [104], 'valid', 104, 3],
  ['a gap at the limit', 100, [3099], 'valid', 3099, 2998],
  ['beyond the limit', 100, [3100], 'suspect', 100, 0],
  ['misordered', 100, [102, 101], 'valid', 102, 0],
  ['a duplicate', 100, [101, 101], 'valid', 101, -1],
  ['misordered at the limit', 200, [101], 'valid', 200, -1],
  ['behind the limit', 200, [100], 'suspect', 200, 0],
  ['wraps from 65535 to 0', 65535, [0], 'valid', 65536, 0],
  ['a gap over the wrap', 65534, [2], 'valid', 65538, 3],
  ['misordered over the wrap', 65535, [1, 0], 'valid', 65537, 0],
  ['late from before the wrap', 65535, [0, 65535], 'valid', 65536, -1],
  ['two suspects that do not follow', 100, [9000, 9002], 'suspect', 100, 0],
  ['a restart', 100, [9000, 9001], 'restarted', 9001, 0],
  ['a restart over the wrap', 30000, [65535, 0], 'restarted', 0, 0],
  ['a stray packet between', 100, [9000, 101, 9001], 'restarted', 9001, 0],
] as const;

for (const [name, first, then, verdict, highest, lost] of TABLE) {
  test(`${name}: ${first} ${then.join(' ')}`, () => {
    const tracker = new SequenceTracker();
    tracker.start(first);
    tracker.update(first);
    assert.is(verdicts(tracker, then).at(-1), verdict);
    assert.is(tracker.extendedHighestSequenceNumber, highest);
    assert.is(tracker.lost, lost);
  });
}

test('counts cycles over three wraps and exactly the packets that were dropped', () => {
  const seed = 20260501;
  const random = seededRandom(seed);
  const tracker = new SequenceTracker();
  tracker.start(40000);
  let dropped = 0;
  const packets = 200_000;
  for (let packet = 0; packet < packets; packet++) {
    const drop = packet !== 0 && packet !== packets - 1 && random() < 0.03;
    if (drop) dropped += 1;
    else assert.is(tracker.update((40000 + packet) & 0xffff), 'valid', `seed ${seed}`);
  }
  assert.is(tracker.extendedHighestSequenceNumber, 40000 + packets - 1);
  assert.is(tracker.lost, dropped, `seed ${seed}`);
});

test('fraction lost is that of the interval alone', () => {
  const tracker = new SequenceTracker();
  tracker.start(65500);
  const send = (from: number, to: number, except: readonly number[]) => {
    for (let number = from; number <= to; number++) if (!except.includes(number)) tracker.update(number & 0xffff);
  };
  send(65500, 65599, [65510, 65530, 65536, 65550, 65560]);
  assert.is(tracker.takeFractionLost(), Math.floor((5 * 256) / 100));
  send(65600, 65699, []);
  assert.is(tracker.takeFractionLost(), 0);
  assert.is(tracker.takeFractionLost(), 0);
  tracker.update(65699 & 0xffff);
  assert.is(tracker.takeFractionLost(), 0, 'a duplicate is no negative loss');
  assert.is(tracker.lost, 4);
});

test.run();
