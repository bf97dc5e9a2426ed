import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DelayEstimator } from '../../src/rtp/jitter-delay-estimator.ts';
import { makeRandom } from '../audio/prng.ts';

const test = suite('jitter delay estimator');
const PACKET_MS = 20;

function create(): DelayEstimator {
  return new DelayEstimator(10, 750, 40);
}

/** Feeds packets for `durationMs` whose delay `delayOf` gives. */
function feed(estimator: DelayEstimator, durationMs: number, delayOf: (sentMs: number) => number): void {
  for (let sentMs = 0; sentMs < durationMs; sentMs += PACKET_MS) estimator.update(delayOf(sentMs), PACKET_MS);
}

function exponential(meanMs: number, seed = 1): () => number {
  const random = makeRandom(seed);
  return () => 100 - meanMs * Math.log(1 - random());
}

test('wants the initial delay until it knows better, and the minimum without jitter', () => {
  const estimator = create();
  assert.is(estimator.targetDelayMs, 40);
  feed(estimator, 2000, () => 100);
  assert.ok(estimator.targetDelayMs <= 12, `${estimator.targetDelayMs}`);
  assert.is(estimator.baseDelayMs, 100);
});

test('wants more the more jitter there is', () => {
  const targets = [3, 8, 15, 25].map((meanMs) => {
    const estimator = create();
    feed(estimator, 60_000, exponential(meanMs));
    return estimator.targetDelayMs;
  });
  for (const [index, [low, high]] of [
    [25, 40],
    [45, 65],
    [65, 90],
    [90, 130],
  ].entries()) {
    assert.ok(targets[index]! >= low! && targets[index]! <= high!, `targets ${targets.join()}`);
  }
});

test('wants little more than the range of a bounded jitter', () => {
  const estimator = create();
  const random = makeRandom(2);
  feed(estimator, 30_000, () => 100 + 30 * random());
  assert.ok(estimator.targetDelayMs >= 28 && estimator.targetDelayMs <= 44, `${estimator.targetDelayMs}`);
});

test('grows within two seconds of trouble and shrinks over half a minute', () => {
  const estimator = create();
  feed(estimator, 60_000, exponential(2));
  const calmMs = estimator.targetDelayMs;
  feed(estimator, 2000, exponential(30, 3));
  assert.ok(estimator.targetDelayMs > 1.6 * calmMs, `${calmMs} to ${estimator.targetDelayMs}`);
  feed(estimator, 30_000, exponential(30, 4));
  const troubledMs = estimator.targetDelayMs;
  feed(estimator, 3000, exponential(2, 5));
  assert.ok(estimator.targetDelayMs > 0.8 * troubledMs, `${troubledMs} to ${estimator.targetDelayMs}`);
  feed(estimator, 150_000, exponential(2, 6));
  assert.ok(estimator.targetDelayMs < 1.3 * calmMs, `${calmMs} to ${estimator.targetDelayMs}`);
});

test('is the same for packets of 10 and of 60 ms', () => {
  const targets = [10, 20, 60].map((packetMs) => {
    const estimator = create();
    const delayOf = exponential(10, 7);
    for (let sentMs = 0; sentMs < 120_000; sentMs += packetMs) estimator.update(delayOf(), packetMs);
    return estimator.targetDelayMs;
  });
  assert.ok(Math.max(...targets) - Math.min(...targets) <= 16, targets.join());
});

test('follows a step of the delay within 0.8 s and sees it coming within 0.2 s', () => {
  const estimator = create();
  feed(estimator, 60_000, () => 100);
  feed(estimator, 180, () => 180);
  assert.is(estimator.baseDelayMs, 100);
  assert.is(estimator.recentBaseDelayMs, 180);
  feed(estimator, 640, () => 180);
  assert.is(estimator.baseDelayMs, 180);
  assert.ok(estimator.targetDelayMs < 40, 'one step is no jitter');
  feed(estimator, 20, () => 90);
  assert.is(estimator.baseDelayMs, 90);
});

test('tells how likely a packet is to come too late', () => {
  const estimator = create();
  feed(estimator, 60_000, exponential(10));
  // Of an exponential distribution, what has been waited for is forgotten: exp(-10 / 10).
  assert.ok(Math.abs(estimator.latenessProbability(10, 20, 0) - Math.exp(-1)) < 0.05);
  assert.ok(Math.abs(estimator.latenessProbability(20, 30, 0) - Math.exp(-1)) < 0.08);
  // Waited for 20 ms, a packet is lost rather than late when as many are lost as are that late.
  const lossRate = Math.exp(-2);
  assert.ok(Math.abs(estimator.latenessProbability(20, 30, lossRate) - Math.exp(-1) / 2) < 0.05);
});

test('takes a packet that is later than all before for a stall, or for lost', () => {
  const estimator = create();
  feed(estimator, 60_000, () => 100);
  assert.is(estimator.latenessProbability(50, 60, 0), 1);
  assert.is(estimator.latenessProbability(50, 60, 0.01), 0);
});

test('keeps the histogram when timestamps jump, and forgets it when the source changes', () => {
  const estimator = create();
  feed(estimator, 60_000, exponential(15));
  const { targetDelayMs } = estimator;
  estimator.rebase();
  estimator.update(9_000_000, PACKET_MS);
  assert.is(estimator.baseDelayMs, 9_000_000);
  assert.ok(Math.abs(estimator.targetDelayMs - targetDelayMs) <= 4);
  estimator.reset();
  assert.is(estimator.targetDelayMs, 40);
  assert.ok(Number.isNaN(estimator.baseDelayMs));
});

test('stays within the bounds that were asked for, and sound for days', () => {
  const estimator = new DelayEstimator(50, 120, 40);
  assert.is(estimator.targetDelayMs, 50);
  feed(estimator, 5000, () => 100);
  assert.is(estimator.targetDelayMs, 50);
  feed(estimator, 24 * 3_600_000, exponential(80));
  assert.is(estimator.targetDelayMs, 120);
});

test.run();
