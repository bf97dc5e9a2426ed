import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SharedQuota, type SharedQuotaMode } from '../../src/platform/shared-quota.ts';
import { QuotaScheduler } from '../../src/speech/quota-scheduler.ts';
import { makeRandom } from '../audio/prng.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LIMITER_KINDS, type Limiter } from '../support/limiters.ts';
import { FakeSharedLog, saturate, type Traffic } from './quota-fleet.ts';

const STEP_MS = 10;
const MINUTE_MS = 60_000;

class Fleet {
  readonly clock = new FakeClock();
  readonly log: FakeSharedLog = new FakeSharedLog(this.clock);
  readonly traffic: Traffic = { allowed: 0, refused: 0 };
  readonly modes: SharedQuotaMode[][] = [];
  readonly gateways: SharedQuota[] = [];
  readonly #limiter: Limiter;
  readonly #random: () => number;

  constructor(limiter: Limiter, seed: number) {
    this.#limiter = limiter;
    this.#random = makeRandom(seed);
  }

  /** One more gateway with more to do than it may. @returns a function that ends its work. */
  add(): () => void {
    const { clock, log, traffic } = this;
    const modes: SharedQuotaMode[] = [];
    this.modes.push(modes);
    const gatewayId = `gateway-${this.gateways.length}`;
    const quota = new SharedQuota({ limit: 100, log, clock, gatewayId, onMode: (mode) => modes.push(mode) });
    this.gateways.push(quota);
    void quota.start();
    const scheduler = new QuotaScheduler({ clock, quota });
    const delayMs = (): number => 20 - 200 * Math.log(1 - this.#random());
    const judge = (): boolean => this.#limiter.take(clock.wallMs()).allowed;
    return saturate({ scheduler, clock, judge, delayMs, traffic });
  }

  /** @returns what the limiter allowed in this time. */
  async run(durationMs: number): Promise<number> {
    const before = this.traffic.allowed;
    for (let passedMs = 0; passedMs < durationMs; passedMs += STEP_MS) {
      this.clock.advance(STEP_MS);
      await setImmediate();
    }
    return this.traffic.allowed - before;
  }
}

const test = suite('shared quota');

for (const kind of [2, 5]) {
  const { name } = LIMITER_KINDS[kind]!();
  test(`three gateways get nearly all of one quota and no refusal: ${name}`, async () => {
    const fleet = new Fleet(LIMITER_KINDS[kind]!(), kind);
    for (let gateway = 0; gateway < 3; gateway++) fleet.add();
    const allowed = await fleet.run(10 * MINUTE_MS);
    console.log(`# ${name}: ${allowed / 10} % of the quota, ${fleet.traffic.refused} refused`);
    assert.is(fleet.traffic.refused, 0);
    assert.ok(allowed >= 950, `${allowed} of 1000`);
  });
}

test('without the log each keeps to its part and says so; when it is back they share again', async () => {
  const fleet = new Fleet(LIMITER_KINDS[2]!(), 7);
  for (let gateway = 0; gateway < 3; gateway++) fleet.add();
  await fleet.run(2 * MINUTE_MS);
  fleet.log.isUp = false;
  const alone = await fleet.run(3 * MINUTE_MS);
  fleet.log.isUp = true;
  const again = await fleet.run(3 * MINUTE_MS);
  console.log(`# alone ${alone} in 3 minutes, together again ${again} in 3 minutes, ${fleet.traffic.refused} refused`);
  assert.is(fleet.traffic.refused, 0);
  assert.ok(alone >= 240, `${alone} of 300 without the log`);
  assert.ok(again >= 280, `${again} of 300 when it was back`);
  for (const modes of fleet.modes) {
    assert.equal(
      modes.map(({ isShared }) => isShared),
      [true, false, true],
    );
    assert.is(modes[1]?.gateways, 3);
    assert.is(modes[1]?.error?.message, 'the log is away');
  }
});

test('a log that lost its memory hears again what each gateway holds, and a newcomer keeps clear of it', async () => {
  const fleet = new Fleet(LIMITER_KINDS[2]!(), 8);
  const stops = [fleet.add(), fleet.add()];
  await fleet.run(50_000);
  for (const stop of stops) stop();
  await fleet.run(2_000);
  fleet.log.forget();
  await Promise.all([...fleet.gateways.map((gateway) => gateway.join()), fleet.run(100)]);
  fleet.add();
  const allowed = await fleet.run(MINUTE_MS);
  assert.is(fleet.traffic.refused, 0);
  assert.ok(allowed >= 60, `${allowed} for the newcomer`);
});

test('a gateway that starts without the log takes a quarter, since it can not know of others', async () => {
  const fleet = new Fleet(LIMITER_KINDS[2]!(), 9);
  fleet.log.isUp = false;
  fleet.add();
  const allowed = await fleet.run(MINUTE_MS);
  assert.ok(allowed >= 23 && allowed <= 25, `${allowed} in the first minute`);
  assert.is(fleet.modes[0]?.[0]?.isShared, false);
});

test('a gateway that said goodbye is counted no more, one with nothing to do still is', async () => {
  const fleet = new Fleet(LIMITER_KINDS[2]!(), 10);
  fleet.add();
  const stops = [fleet.add(), fleet.add()];
  await fleet.run(MINUTE_MS);
  for (const stop of stops) stop();
  void fleet.gateways[1]!.close();
  await fleet.run(1_000);
  assert.is(fleet.gateways[0]!.gateways, 2);
  const allowed = await fleet.run(5 * MINUTE_MS);
  assert.is(fleet.gateways[0]!.gateways, 2);
  assert.ok(allowed >= 475, `${allowed} of 500 for the only one at work`);
  assert.is(fleet.traffic.refused, 0);
});

test.run();
