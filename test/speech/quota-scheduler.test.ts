import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../src/core/errors.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import { QuotaGovernor, type QuotaGrant, type QuotaKind, type QuotaUsage } from '../../src/platform/quota-governor.ts';
import type { RequestSlot } from '../../src/platform/request-slot.ts';
import {
  type QuotaPressure,
  type QuotaPriority,
  QuotaScheduler,
  type QuotaSource,
} from '../../src/speech/quota-scheduler.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { rejection } from '../support/until.ts';

/** A quota that has as many slots as the test gives it, and is asked again every second. */
class GivenSlots implements QuotaSource {
  free: number;

  constructor(free: number) {
    this.free = free;
  }

  isCounted(kind: QuotaKind): boolean {
    return kind !== 'connection';
  }

  request(kind: QuotaKind, nowMs: number): QuotaGrant {
    if (this.isCounted(kind) && this.free-- <= 0) {
      this.free = 0;
      return { retryAtMs: nowMs + 1_000 };
    }
    const nothing = (): void => {};
    return { slot: { sent: nothing, answered: nothing, refused: nothing, cancelled: () => void this.free++ } };
  }

  usage(): QuotaUsage {
    throw new Error('not asked for');
  }
}

interface World {
  readonly clock: FakeClock;
  readonly quota: GivenSlots;
  readonly scheduler: QuotaScheduler;
  readonly pressures: QuotaPressure[];
  /** Lets `ms` pass and everything happen that follows. */
  readonly pass: (ms: number) => Promise<void>;
}

function makeWorld(free: number): World {
  const clock = new FakeClock();
  const pressures: QuotaPressure[] = [];
  const quota = new GivenSlots(free);
  const scheduler = new QuotaScheduler({ clock, quota, onPressure: (pressure) => pressures.push(pressure) });
  const pass = async (ms: number): Promise<void> => {
    for (let passedMs = 0; passedMs < ms; passedMs += 100) {
      clock.advance(Math.min(100, ms - passedMs));
      await setImmediate();
    }
    await setImmediate();
  };
  return { clock, quota, scheduler, pressures, pass };
}

function use(slot: RequestSlot): void {
  slot.sent();
  slot.answered();
}

const test = suite('quota scheduler');

test('serves a turn before a greeting before a batch, and of equals the one that waits longest', async () => {
  const { scheduler, quota, pass } = makeWorld(0);
  const served: string[] = [];
  const ask = (name: string, priority: QuotaPriority, sinceMs: number): void => {
    const granted = (slot: RequestSlot): void => {
      served.push(name);
      use(slot);
    };
    scheduler.ask({ kind: 'stt', rank: () => ({ priority, sinceMs }), granted });
  };
  ask('old batch', 'batch', -9_000);
  ask('old greeting', 'greeting', -5_000);
  ask('new turn', 'turn', 0);
  ask('old turn', 'turn', -1_000);
  ask('new greeting', 'greeting', -4_000);
  await pass(1_000);
  assert.equal(served, []);
  for (const name of ['old turn', 'new turn', 'old greeting', 'new greeting', 'old batch']) {
    quota.free = 1;
    await pass(1_000);
    assert.is(served.at(-1), name);
  }
});

test('whose turn it is is decided when the slot is there, not when it was asked for', async () => {
  const { scheduler, quota, pass } = makeWorld(0);
  let isWanted = true;
  let served = '';
  scheduler.ask({
    kind: 'stt',
    rank: () => (isWanted ? { priority: 'turn', sinceMs: 0 } : undefined),
    granted: () => {
      served = 'the one that wants none any more';
    },
  });
  const takeBack = scheduler.ask({
    kind: 'stt',
    rank: () => ({ priority: 'turn', sinceMs: 0 }),
    granted: () => {
      served = 'the one that was taken back';
    },
  });
  const batch = scheduler.acquire('stt', { priority: 'batch', deadlineMs: 100_000 }).then((slot) => {
    served = 'the batch';
    use(slot);
  });
  await pass(500);
  isWanted = false;
  takeBack();
  quota.free = 1;
  await pass(1_000);
  await batch;
  assert.is(served, 'the batch');
});

test('a slot that nobody wants any more is given back', async () => {
  const { scheduler, quota, pass } = makeWorld(1);
  const takeBack = scheduler.ask({
    kind: 'stt',
    rank: () => ({ priority: 'turn', sinceMs: 0 }),
    granted: () => assert.unreachable('it was taken back'),
  });
  takeBack();
  await pass(100);
  assert.is(quota.free, 1);
});

test('an ask knows whether it had to wait for the quota', async () => {
  const { scheduler, quota, pass } = makeWorld(1);
  const waits: boolean[] = [];
  const ask = (): void => {
    const granted = (slot: RequestSlot, waited: boolean): void => {
      waits.push(waited);
      use(slot);
    };
    scheduler.ask({ kind: 'stt', rank: () => ({ priority: 'turn', sinceMs: 0 }), granted });
  };
  ask();
  ask();
  await pass(100);
  quota.free = 1;
  await pass(1_000);
  assert.equal(waits, [false, true]);
});

test('a slot that comes back is handed on at once', async () => {
  const { scheduler, clock } = makeWorld(1);
  const first = await scheduler.acquire('stt', { priority: 'turn', deadlineMs: 1_000 });
  const second = scheduler.acquire('stt', { priority: 'turn', deadlineMs: 1_000 });
  await setImmediate();
  first.cancelled();
  await second;
  assert.is(clock.nowMs(), 0);
});

test('gives up at the deadline, and at once when it is aborted', async () => {
  const { scheduler, pass, clock } = makeWorld(0);
  const late = rejection(scheduler.acquire('tts', { priority: 'turn', deadlineMs: 5_000 }));
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = rejection(scheduler.acquire('tts', { priority: 'turn', deadlineMs: 5_000, signal }));
  controller.abort();
  assert.is(((await aborted) as GatewayError).code, 'ERR_ABORTED');
  await pass(5_000);
  assert.is(((await late) as GatewayError).code, 'ERR_QUOTA_WAIT');
  assert.is(scheduler.pressure.waiting, 0);
  const tooLate = rejection(scheduler.acquire('tts', { priority: 'turn', deadlineMs: 5_000, signal }));
  assert.is(((await tooLate) as GatewayError).code, 'ERR_ABORTED');
  await pass(2_000);
  assert.is(clock.timers, 0);
});

test('tells of pressure at most once a second, while something waits', async () => {
  const { scheduler, quota, pass, pressures } = makeWorld(0);
  for (let i = 0; i < 5; i++) void scheduler.acquire('stt', { priority: 'turn', deadlineMs: 100_000 }).then(use);
  scheduler.ask({
    kind: 'stt',
    rank: () => ({ priority: 'turn', sinceMs: -2_000, waiting: 7 }),
    granted: () => {},
  });
  await pass(0);
  await pass(3_500);
  assert.equal(pressures, [
    { waiting: 12, waitMs: 2_000 },
    { waiting: 12, waitMs: 3_000 },
    { waiting: 12, waitMs: 4_000 },
    { waiting: 12, waitMs: 5_000 },
  ]);
  quota.free = 10;
  await pass(10_000);
  assert.is(pressures.length, 4);
});

test('what the server does not count goes ahead of those who wait', async () => {
  const { scheduler } = makeWorld(0);
  void scheduler.acquire('stt', { priority: 'turn', deadlineMs: 100_000 });
  await scheduler.acquire('connection', { priority: 'batch', deadlineMs: 1_000 });
});

test('a quota that needs time to answer is asked for one slot at a time', async () => {
  const clock = new FakeClock();
  let asked = 0;
  let answer = (): void => {};
  const inner = new GivenSlots(9);
  const request: QuotaSource['request'] = (kind, nowMs) => {
    asked++;
    return new Promise((resolve) => {
      answer = () => resolve(inner.request(kind, nowMs));
    });
  };
  const isCounted = (): boolean => true;
  const scheduler = new QuotaScheduler({ clock, quota: { request, isCounted, usage: () => inner.usage() } });
  const slots = [1, 2].map(() => scheduler.acquire('stt', { priority: 'turn', deadlineMs: 9_000 }));
  await setImmediate();
  assert.is(asked, 1);
  answer();
  await slots[0];
  await setImmediate();
  assert.is(asked, 2);
  answer();
  await slots[1];
});

test('a refusal for the rate holds everything back, another failure nothing', async () => {
  const { clock, pass } = makeWorld(0);
  const scheduler = new QuotaScheduler({ clock, quota: new QuotaGovernor({ limit: 100 }) });
  const first = await scheduler.acquire('stt', { priority: 'turn', deadlineMs: 1_000 });
  first.sent();
  first.failed(new PlatformError('ERR_PLATFORM_UNAVAILABLE', 'gone'));
  const second = await scheduler.acquire('stt', { priority: 'turn', deadlineMs: 1_000 });
  second.sent();
  second.failed(new PlatformError('ERR_PLATFORM_RATE', 'slow down', { retryAfterMs: 4_000 }));
  let isThere = false;
  const third = scheduler.acquire('tts', { priority: 'turn', deadlineMs: 10_000 }).then(() => {
    isThere = true;
  });
  await pass(3_900);
  assert.not(isThere);
  await pass(200);
  await third;
  assert.is(scheduler.usage.refusals, 1);
});

test('one without a limit knows only refusals', async () => {
  const clock = new FakeClock();
  const scheduler = QuotaScheduler.unlimited(clock);
  const acquire = (): Promise<RequestSlot> => scheduler.acquire('stt', { priority: 'turn', deadlineMs: 9_000 });
  const slots = await Promise.all(Array.from({ length: 500 }, acquire));
  slots[0]!.failed(new PlatformError('ERR_PLATFORM_RATE', 'slow down', { retryAfterMs: 4_000 }));
  const later = acquire();
  await setImmediate();
  clock.advance(4_000);
  await later;
  assert.is(clock.nowMs(), 4_000);
});

test.run();
