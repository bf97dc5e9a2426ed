import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { QuotaGovernor, type QuotaGrant, type QuotaSlot } from '../../src/platform/quota-governor.ts';
import { makeRandom, pickSeed } from '../audio/prng.ts';
import { LIMITER_KINDS, type Limiter, smallBucket } from '../support/limiters.ts';
import { type SimulationOptions, type SimulationResult, simulate } from './quota-simulation.ts';

const MINUTE_MS = 60_000;
const SEEDS = [1, 2, pickSeed()];

/** A governor of 100 a minute with more to do than it may, for ten minutes, unless `options` say otherwise. */
function run(limiter: Limiter, seed: number, options: Partial<SimulationOptions> = {}): SimulationResult {
  const random = makeRandom(seed);
  const governor = new QuotaGovernor({ limit: 100 });
  return simulate({
    limiter,
    request: (nowMs) => governor.request('stt', nowMs),
    random,
    durationMs: 10 * MINUTE_MS,
    phaseMs: random() * MINUTE_MS,
    ...options,
  });
}

function slotOf(grant: QuotaGrant): QuotaSlot {
  assert.ok('slot' in grant, `a slot, not ${JSON.stringify(grant)}`);
  return (grant as { slot: QuotaSlot }).slot;
}

function retryAtOf(grant: QuotaGrant): number {
  assert.ok('retryAtMs' in grant, 'no slot');
  return (grant as { retryAtMs: number }).retryAtMs;
}

/** Makes `count` requests at `nowMs` that are answered at once. */
function spend(governor: QuotaGovernor, count: number, nowMs: number): void {
  for (let i = 0; i < count; i++) {
    const slot = slotOf(governor.request('stt', nowMs));
    slot.sent(nowMs);
    slot.answered(nowMs);
  }
}

/** How many requests may go at `nowMs`. */
function grantsAt(governor: QuotaGovernor, nowMs: number): number {
  for (let granted = 0; ; granted++) {
    const grant = governor.request('stt', nowMs);
    if ('retryAtMs' in grant) return granted;
    grant.slot.sent(nowMs);
  }
}

const test = suite('quota governor');

for (const makeLimiter of LIMITER_KINDS) {
  const { name } = makeLimiter();

  test(`uses a quota up without a refusal or a long wait: ${name}`, () => {
    for (const [index, seed] of SEEDS.entries()) {
      const headers = index === 1;
      const { allowed, refused, sentMs } = run(makeLimiter(), seed, { headers });
      const gapMs = Math.max(...sentMs.slice(1).map((atMs, i) => atMs - sentMs[i]!));
      console.log(`# ${name}: ${allowed / 10} % used, ${refused} refused, headers ${headers}, seed ${seed}`);
      assert.is(refused, 0, `SEED=${seed}`);
      assert.ok(allowed >= 950, `${allowed} of 1000, SEED=${seed}`);
      // Nobody waits for a window to turn over. A small bucket that shows itself empty says until when.
      assert.ok(gapMs < (headers ? 7_000 : 2_000), `${gapMs} ms between two requests, SEED=${seed}`);
      assert.ok(sentMs[9]! <= 50, `the tenth of the first ten left after ${sentMs[9]} ms`);
    }
  });

  test(`is never refused, whatever comes when: ${name}`, () => {
    const seed = pickSeed();
    const random = makeRandom(seed);
    for (const headers of [false, true]) {
      let left = 0;
      const gapMs = (): number => {
        if (left-- > 0) return 1;
        left = Math.floor(random() * 60);
        return random() * MINUTE_MS;
      };
      const { allowed, refused } = run(makeLimiter(), seed, { headers, gapMs, random, durationMs: 15 * MINUTE_MS });
      assert.is(refused, 0, `SEED=${seed}`);
      assert.ok(allowed > 400, `${allowed} requests`);
    }
  });
}

test('holds a slot until its answer and a minute more', () => {
  const governor = new QuotaGovernor({ limit: 100 });
  const first = slotOf(governor.request('stt', 0));
  first.sent(10);
  spend(governor, 1, 100);
  first.answered(5_000);
  assert.equal(
    [60_100, 60_101, 65_000, 65_001].map((nowMs) => governor.usage(nowMs).used),
    [2, 1, 1, 0],
  );
});

test('waits for the first slot that comes free when all are taken', () => {
  const governor = new QuotaGovernor({ limit: 1 });
  spend(governor, 1, 100);
  assert.is(retryAtOf(governor.request('stt', 200)), 60_101);
});

test('holds the slot of a request without an answer until its sending, the timeout and a minute', () => {
  const governor = new QuotaGovernor({ limit: 100, timeoutMs: 30_000 });
  slotOf(governor.request('stt', 0)).sent(50);
  assert.equal(
    [90_050, 90_051].map((nowMs) => governor.usage(nowMs).used),
    [1, 0],
  );
});

test('a slot that was never used is free at once', () => {
  const governor = new QuotaGovernor({ limit: 1 });
  slotOf(governor.request('stt', 0)).cancelled();
  assert.is(governor.usage(0).used, 0);
  assert.ok('slot' in governor.request('stt', 0));
});

test('counts connections and messages together, or either alone', () => {
  const both = new QuotaGovernor({ limit: 2 });
  both.request('connection', 0);
  both.request('tts', 0);
  assert.ok('retryAtMs' in both.request('stt', 0));
  const messages = new QuotaGovernor({ limit: 1, counts: ['messages'] });
  for (let i = 0; i < 5; i++) assert.ok('slot' in messages.request('connection', 0));
  assert.ok('slot' in messages.request('stt', 0));
  assert.ok('retryAtMs' in messages.request('tts', 0));
  const connections = new QuotaGovernor({ limit: 1, counts: ['connections'] });
  assert.ok('slot' in connections.request('connection', 0));
  assert.ok('slot' in connections.request('tts', 0));
  assert.ok('retryAtMs' in connections.request('connection', 0));
});

test('refuses a limit that allows nothing', () => {
  for (const limit of [0, -1, Number.NaN]) assert.throws(() => new QuotaGovernor({ limit }), /Expected at least 1/);
});

test('waits after a refusal as long as it says, or twice as long each time', () => {
  const governor = new QuotaGovernor({ limit: 100 });
  const refuse = (nowMs: number, retryAfterMs?: number): number => {
    const slot = slotOf(governor.request('stt', nowMs));
    slot.sent(nowMs);
    slot.refused(nowMs, { retryAfterMs });
    return retryAtOf(governor.request('stt', nowMs)) - nowMs;
  };
  assert.is(refuse(0, 12_000), 12_000);
  assert.is(governor.usage(2_000).blockedMs, 10_000);
  const slot = slotOf(governor.request('stt', 12_000));
  slot.sent(12_000);
  slot.answered(12_000);
  assert.equal([refuse(20_000), refuse(30_000), refuse(40_000), refuse(50_000)], [1_000, 2_000, 4_000, 8_000]);
  assert.is(refuse(120_000, 3_600_000), 60_000, 'an hour is no rate limit');
  assert.is(governor.usage(120_000).refusals, 6);
});

test('without a limit only a refusal holds anything back', () => {
  const governor = new QuotaGovernor({ limit: Number.POSITIVE_INFINITY });
  spend(governor, 1_000, 0);
  slotOf(governor.request('stt', 0)).refused(0, { retryAfterMs: 500 });
  assert.is(retryAtOf(governor.request('connection', 0)), 500);
  assert.ok('slot' in governor.request('stt', 500));
});

test('sends more at once to a server that shows its room, and leaves the rest for the minute', () => {
  const silent = new QuotaGovernor({ limit: 100 });
  assert.is(grantsAt(silent, 0), 10);
  const shown = new QuotaGovernor({ limit: 100 });
  const slot = slotOf(shown.request('tts', 0));
  slot.sent(0);
  slot.answered(300, { limit: 100, remaining: 99, resetAfterMs: 40_000 });
  assert.is(grantsAt(shown, 300), 33);
});

test('takes a header at its word no more when a refusal proves it wrong', () => {
  const governor = new QuotaGovernor({ limit: 100 });
  const info = { limit: 100, remaining: 90, resetAfterMs: 40_000 };
  const slot = slotOf(governor.request('tts', 0));
  slot.sent(0);
  slot.answered(0, info);
  const slots = Array.from({ length: 20 }, () => slotOf(governor.request('stt', 1)));
  for (const one of slots) one.sent(1);
  for (const one of slots.slice(0, 12)) one.answered(100, info);
  for (const one of slots.slice(12)) one.refused(100, { retryAfterMs: 500 });
  const later = slotOf(governor.request('tts', 150_000));
  later.sent(150_000);
  later.answered(150_000, info);
  const granted = grantsAt(governor, 150_000);
  assert.ok(granted < 12, `${granted} at once`);
});

test('keeps to a lower limit that the server shows', () => {
  const governor = new QuotaGovernor({ limit: 100 });
  const slot = slotOf(governor.request('tts', 0));
  slot.sent(0);
  slot.answered(0, { limit: 60 });
  assert.is(governor.usage(0).limit, 60);
  const next = slotOf(governor.request('tts', 1_000));
  next.sent(1_000);
  next.answered(1_000, { limit: 100 });
  assert.is(governor.usage(0).limit, 100);
});

test('a limit far below the quota is how many may come at once', () => {
  const governor = new QuotaGovernor({ limit: 100 });
  const slot = slotOf(governor.request('tts', 0));
  slot.sent(0);
  slot.answered(0, { limit: 5 });
  assert.equal([governor.usage(0).limit, governor.usage(0).burst], [100, 5]);
});

test('leaves room for others who use the same account, as the server shows', () => {
  const random = makeRandom(5);
  const inner = LIMITER_KINDS[0]!();
  // Sixty requests of others come with the first of each minute.
  let minute = -1;
  const limiter: Limiter = {
    ...inner,
    limit: 100,
    take: (nowMs) => {
      const now = Math.floor(nowMs / MINUTE_MS);
      for (let i = 0; now !== minute && i < 60; i++) inner.take(nowMs);
      minute = now;
      return inner.take(nowMs);
    },
  };
  const { allowed, refused } = run(limiter, 5, { headers: true, phaseMs: 0, random });
  assert.is(refused, 0);
  assert.ok(allowed >= 360, `${allowed} of 400`);
});

test('learns that a server bears little at once, and gets nearly all of the quota all the same', () => {
  for (const retryAfter of [true, false]) {
    const { allowed, refused } = run(smallBucket(5), 3, { retryAfter });
    console.log(`# bucket of 5: ${allowed / 10} % used, ${refused} refused while it learned`);
    assert.ok(refused > 0 && refused <= 10, `${refused} refused`);
    assert.ok(allowed >= 940, `${allowed} of 1000`);
  }
});

test('learns a lower limit from refusals, and comes back to full use when it is gone', () => {
  for (const retryAfter of [true, false]) {
    const [half, all] = [LIMITER_KINDS[0]!(50), LIMITER_KINDS[0]!(100)];
    const allowedIn = [0, 0];
    const limiter: Limiter = {
      name: 'half for five minutes',
      limit: 100,
      take: (nowMs) => {
        const verdict = nowMs < 5 * MINUTE_MS ? half!.take(nowMs) : all!.take(nowMs);
        if (verdict.allowed && nowMs >= MINUTE_MS && nowMs < 5 * MINUTE_MS) allowedIn[0]!++;
        if (verdict.allowed && nowMs >= 12 * MINUTE_MS && nowMs < 16 * MINUTE_MS) allowedIn[1]!++;
        return verdict;
      },
    };
    const { refused } = run(limiter, 4, { retryAfter, phaseMs: 0, durationMs: 16 * MINUTE_MS });
    console.log(`# ${allowedIn[0]} of 200 at half, ${allowedIn[1]} of 400 afterwards, ${refused} refused`);
    assert.ok(refused <= 12, `${refused} refused`);
    assert.ok(allowedIn[0]! >= 140, `${allowedIn[0]} of 200 while the limit was half`);
    assert.ok(allowedIn[1]! >= 380, `${allowedIn[1]} of 400 when all of it was back`);
  }
});

test('tells what is used, what is left and the pace', () => {
  const governor = new QuotaGovernor({ limit: 100 });
  spend(governor, 10, 0);
  const { limit, used, available, paceMs, burst, refusals, blockedMs } = governor.usage(0);
  assert.equal({ limit, used, available, burst }, { limit: 100, used: 10, available: 90, burst: 10 });
  assert.equal({ refusals, blockedMs }, { refusals: 0, blockedMs: 0 });
  // Ninety requests fit into the minute until the first come free.
  assert.ok(Math.abs(paceMs - 60_001 / 90) < 1, `${paceMs}`);
});

test.run();
