import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import { QuotaGovernor } from '../../src/platform/quota-governor.ts';
import { Admission } from '../../src/speech/admission.ts';
import { QuotaScheduler } from '../../src/speech/quota-scheduler.ts';
import { FakeClock } from '../support/fake-clock.ts';

function makeWorld(limit = 100) {
  const clock = new FakeClock();
  const scheduler = new QuotaScheduler({ clock, quota: new QuotaGovernor({ limit }) });
  const callsStartedMs: number[] = [];
  const admission = new Admission({ scheduler, clock, callsStartedMs: () => callsStartedMs });
  /** A call comes in. @returns whether it is answered. */
  const call = (): boolean => {
    callsStartedMs.push(clock.wallMs());
    const refusal = admission.refusal();
    if (refusal) callsStartedMs.pop();
    return refusal === undefined;
  };
  const use = async (slots: number): Promise<void> => {
    for (let slot = 0; slot < slots; slot++) {
      const granted = scheduler.acquire('stt', { priority: 'turn', deadlineMs: 60_000 });
      clock.advance(700);
      (await granted).answered();
    }
  };
  return { clock, scheduler, admission, call, use, callsStartedMs };
}

const test = suite('admission');

test('of callers who all come at once as many are answered as the quota carries', () => {
  const { call, admission } = makeWorld();
  assert.equal(
    Array.from({ length: 30 }, call).map(Number),
    Array.from({ length: 30 }, (_, index) => Number(index < 20)),
  );
  assert.is(admission.refused, 10);
  const small = makeWorld(10);
  assert.is(Array.from({ length: 5 }, small.call).filter(Boolean).length, 2);
});

test('calls that turn out to say little make room for others', () => {
  const { call, clock } = makeWorld();
  while (call());
  clock.advance(30_000);
  assert.ok(Array.from({ length: 20 }, call).filter(Boolean).length === 10);
});

test('what is in use counts, whoever uses it', async () => {
  const { call, use, clock } = makeWorld();
  await use(80);
  assert.ok(Array.from({ length: 20 }, call).filter(Boolean).length <= 5);
  clock.advance(130_000);
  assert.ok(call());
});

test('while turns wait long nobody is admitted, and the refusal says when to try again', async () => {
  const { scheduler, admission, clock, callsStartedMs } = makeWorld();
  const slot = await scheduler.acquire('stt', { priority: 'turn', deadlineMs: 60_000 });
  slot.sent();
  slot.failed(new PlatformError('ERR_PLATFORM_RATE', 'the platform answered 429', { retryAfterMs: 20_000 }));
  callsStartedMs.push(clock.wallMs());
  const refusal = admission.refusal();
  assert.equal([refusal?.code, refusal?.retryAfterMs], ['ERR_NOT_ADMITTED', 20_000]);
  clock.advance(18_000);
  assert.is(admission.refusal(), undefined);
});

test('what nobody waits for keeps no caller out', async () => {
  const { scheduler, call } = makeWorld();
  for (let i = 0; i < 40; i++) void scheduler.acquire('stt', { priority: 'batch', deadlineMs: 60_000 });
  await new Promise(setImmediate);
  assert.ok(call());
});

test.run();
