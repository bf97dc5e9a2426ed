import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { JitterTimeline } from '../../src/rtp/jitter-timeline.ts';

const test = suite('jitter timeline');

test('extends numbers across their wraps, forwards and backwards', () => {
  const timeline = new JitterTimeline(8000);
  assert.is(timeline.locate(65_535, 2 ** 32 - 80, 0, Number.NaN), 'fits');
  const baseDelayMs = timeline.delayMs;
  for (const [sequenceNumber, timestamp, sequence, extended] of [
    [0, 80, 65_536, 2 ** 32 + 80],
    [2, 400, 65_538, 2 ** 32 + 400],
    [65_534, 2 ** 32 - 240, 65_534, 2 ** 32 - 240],
    [1, 240, 65_537, 2 ** 32 + 240],
  ] as const) {
    assert.is(timeline.locate(sequenceNumber, timestamp, 20, baseDelayMs), 'fits');
    assert.is(timeline.sequence, sequence);
    assert.is(timeline.timestamp, extended);
  }
  assert.is(timeline.highestSequence, 65_538);
});

test('tells the delay in the milliseconds of the clock', () => {
  const timeline = new JitterTimeline(16_000);
  timeline.locate(1, 1600, 250, Number.NaN);
  assert.is(timeline.delayMs, 150);
});

test('believes another timeline when two packets in a row agree on it', () => {
  const timeline = new JitterTimeline(8000);
  timeline.locate(10, 0, 0, Number.NaN);
  assert.is(timeline.locate(40_000, 999_999, 20, 0), 'suspect');
  assert.is(timeline.locate(11, 160, 20, 0), 'fits');
  assert.is(timeline.locate(40_001, 1_000_159, 40, 0), 'suspect', 'the packet between has cleared the suspicion');
  assert.is(timeline.locate(40_002, 1_000_319, 60, 0), 'restarted');
  assert.is(timeline.highestSequence & 0xffff, 40_002);
  assert.is(timeline.locate(40_003, 1_000_479, 80, timeline.delayMs), 'fits');
});

test('does not take packet 0 for the follower of a suspect that never was', () => {
  const timeline = new JitterTimeline(8000);
  timeline.locate(30_000, 0, 0, Number.NaN);
  assert.is(timeline.locate(0, 160, 20, 0), 'suspect');
});

test('suspects a timestamp that is three seconds off', () => {
  const timeline = new JitterTimeline(8000);
  timeline.locate(10, 0, 0, Number.NaN);
  assert.is(timeline.locate(11, 160 + 24_160, 20, 0), 'suspect');
  assert.is(timeline.locate(12, 320 - 24_000, 40, 0), 'suspect', 'it does not agree with the one before');
});

test('starts anew after reset', () => {
  const timeline = new JitterTimeline(8000);
  timeline.locate(10, 0, 0, Number.NaN);
  timeline.reset();
  assert.is(timeline.locate(40_000, 999_999, 20, 0), 'fits');
  assert.is(timeline.highestSequence, 40_000);
});

test.run();
