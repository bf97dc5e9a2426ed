import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { platformError } from '../../../src/platform/platform-errors.ts';
import { callWithFallback } from '../../../src/platform/rest/fallback.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { rejection, until } from '../../support/until.ts';

const test = suite('call with fallback');
const never = (): Promise<never> => new Promise(() => {});

test('gives what the primary gives, if need be at the third attempt', async () => {
  const clock = new FakeClock();
  let attempts = 0;
  const result = callWithFallback(
    async () => {
      if (++attempts < 3) throw new Error('no');
      return `primary ${attempts}`;
    },
    () => 'fallback',
    { clock },
  );
  while (attempts < 3) {
    clock.advance(100);
    await setImmediate();
  }
  assert.is(await result, 'primary 3');
  assert.is(clock.timers, 0);
});

test('an attempt that takes too long is aborted, and after the last the fallback is called', async () => {
  const clock = new FakeClock();
  const signals: AbortSignal[] = [];
  const result = callWithFallback(
    (signal) => {
      signals.push(signal);
      return never();
    },
    (error) => `fallback after ${error.name}`,
    { clock, timeoutMs: 3_000, retries: 1 },
  );
  await until(() => signals.length === 1, 'the first attempt');
  clock.advance(3_000);
  await until(() => clock.timers === 1 && signals[0]!.aborted, 'the wait');
  clock.advance(1_000);
  await until(() => signals.length === 2, 'the second attempt');
  clock.advance(3_000);
  assert.is(await result, 'fallback after TimeoutError');
  assert.ok(signals.every(({ aborted }) => aborted));
  assert.is(clock.timers, 0);
});

test('what a repeat can not mend goes to the fallback at once', async () => {
  let attempts = 0;
  const result = await callWithFallback(
    async (): Promise<string> => {
      attempts++;
      throw platformError('ERR_PLATFORM_AUTH', 'refused');
    },
    async () => 'fallback',
    { clock: new FakeClock() },
  );
  assert.is(result, 'fallback');
  assert.is(attempts, 1);
});

test('a caller who gives up gets no fallback; a fallback that fails says so', async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const fallback = (): never => {
    throw new Error('both failed');
  };
  const aborted = rejection(callWithFallback(never, fallback, { clock, signal: controller.signal }));
  controller.abort();
  assert.is((await aborted).name, 'AbortedError');
  const failing = callWithFallback(() => Promise.reject(new Error('no')), fallback, { clock, retries: 0 });
  assert.is((await rejection(failing)).message, 'both failed');
  assert.is(clock.timers, 0);
});

test.run();
