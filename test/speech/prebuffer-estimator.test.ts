import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DeliveryTrace, PrebufferEstimator } from '../../src/speech/prebuffer-estimator.ts';

const test = suite('prebuffer estimator');

/** A reply of chunks, each with the time at which it came and its length, both in ms. */
function trace(...chunks: readonly (readonly [number, number])[]): DeliveryTrace {
  const made = new DeliveryTrace();
  for (const [atMs, audioMs] of chunks) made.add(atMs, audioMs);
  return made;
}

function learnTimes(estimator: PrebufferEstimator, times: number, made: DeliveryTrace): number {
  for (let time = 0; time < times; time++) estimator.learn(made);
  return estimator.startDelayMs;
}

test('a reply that is always ahead of its playing needs no delay', () => {
  assert.is(trace([1000, 100], [1050, 100], [1140, 100], [1200, 100]).neededDelayMs, 0);
});

test('a reply needs as much delay as it is late at its worst, and half a frame', () => {
  // Played from 1000 on, 40 ms are over at 1040; the third chunk comes at 1200.
  assert.is(trace([1000, 20], [1010, 20], [1200, 500], [1300, 20]).neededDelayMs, 160 + 10);
  // A stall with enough audio before it needs none.
  assert.is(trace([1000, 500], [1010, 500], [1900, 20]).neededDelayMs, 0);
});

test('a reply in one piece teaches nothing, and neither does the pause before its next sentence', () => {
  const estimator = new PrebufferEstimator();
  estimator.learn(trace([1000, 2000]));
  estimator.learn(trace());
  const sentences = trace([1000, 20], [1010, 100]);
  sentences.close();
  sentences.add(5000, 100);
  assert.is(sentences.neededDelayMs, 0);
  estimator.learn(sentences);
  assert.is(estimator.startDelayMs, 0);
});

test('grows by half of what was missing at once, and shrinks by a twentieth a reply', () => {
  const estimator = new PrebufferEstimator();
  const stalled = trace([0, 20], [310, 20]);
  const steady = trace([0, 20], [10, 20]);
  assert.is(learnTimes(estimator, 1, stalled), 150);
  assert.is(learnTimes(estimator, 1, stalled), 225);
  assert.ok(Math.abs(learnTimes(estimator, 10, stalled) - 300) < 1);
  assert.ok(Math.abs(learnTimes(estimator, 1, steady) - 285) < 1);
  assert.ok(learnTimes(estimator, 12, steady) > 150);
  assert.ok(learnTimes(estimator, 100, steady) < 2);
});

test('a reply that never comes again teaches no more than 400 ms', () => {
  const estimator = new PrebufferEstimator();
  assert.is(learnTimes(estimator, 1, trace([0, 20], [60_000, 20])), 200);
  assert.ok(learnTimes(estimator, 50, trace([0, 20], [60_000, 20])) <= 400);
});

test.run();
