import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../../src/core/clock.ts';
import { AbortedError } from '../../../src/platform/platform-errors.ts';
import { RequestWatch, sleep } from '../../../src/platform/rest/request-watch.ts';
import { waitingClock } from '../../../src/platform/rest/waiting-clock.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { rejection } from '../../support/until.ts';

const test = suite('waiting');

test('a wait keeps the process alive, unlike the timers of the gateway', () => {
  const held = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = held();
  const background = systemClock.after(60_000, () => {});
  assert.is(held(), before);
  const waiting = waitingClock.after(60_000, () => {});
  assert.is(held(), before + 1);
  waiting.cancel();
  background.cancel();
  assert.is(held(), before);
});

test('a wait ends in time, or with the reason of its signal', async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const slept = sleep(clock, 100, controller.signal);
  clock.advance(100);
  await slept;
  const broken = rejection(sleep(clock, 100, controller.signal));
  controller.abort(new AbortedError('it'));
  assert.instance(await broken, AbortedError);
  assert.instance(await rejection(sleep(clock, 100, controller.signal)), AbortedError);
  assert.is(clock.timers, 0);
});

test('a watch passes on a typed reason, makes one of any other, and ends quietly', () => {
  const clock = new FakeClock();
  const [first, second] = [new AbortController(), new AbortController()];
  const reason = new AbortedError('the outer');
  const watch = new RequestWatch(clock, [first.signal, undefined, second.signal], 'the work');
  const untyped = new RequestWatch(clock, [first.signal], 'the work');
  const ended = new RequestWatch(clock, [first.signal], 'the work');
  ended.expect('it', 100);
  ended.end();
  second.abort(reason);
  first.abort('a string');
  clock.advance(100);
  assert.is(watch.signal.reason, reason);
  assert.instance(untyped.signal.reason, AbortedError);
  assert.not(ended.signal.aborted);
  assert.is(clock.timers, 0);
});

test.run();
