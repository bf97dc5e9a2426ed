import { setTimeout } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/core/clock.ts';
import { SharedQuota, type SharedQuotaMode } from '../../src/platform/shared-quota.ts';
import { QuotaScheduler } from '../../src/speech/quota-scheduler.ts';
import { RedisConnection } from '../../src/store/redis.ts';
import { RedisLog } from '../../src/store/shared-log.ts';
import { pickSeed, makeRandom } from '../audio/prng.ts';
import { LIMITER_KINDS } from '../support/limiters.ts';
import { needs } from '../support/needs.ts';
import { RedisServer } from '../support/redis-server.ts';
import { until } from '../support/until.ts';
import { saturate, type Traffic } from './quota-fleet.ts';

const LIMIT = 100;
/** A minute in three seconds. */
const WINDOW_MS = 3_000;

const test = suite('shared quota on Redis');

if (needs('gateways on one Redis', 'redis-server')) {
  test('gateways share one quota, go on alone while Redis is gone, and share again when it is back empty', async () => {
    const server = await RedisServer.launch();
    const seed = pickSeed();
    const random = makeRandom(seed);
    // The strictest there is: every request of the last window counts, refused ones too.
    const limiter = LIMITER_KINDS[2]!(LIMIT, WINDOW_MS);
    const traffic: Traffic = { allowed: 0, refused: 0 };
    const gateways = Array.from({ length: 3 }, (_, index) => {
      const modes: SharedQuotaMode[] = [];
      const redis = new RedisConnection({ url: server.url, onUp: () => void quota.join() });
      const quota: SharedQuota = new SharedQuota({
        limit: LIMIT,
        windowMs: WINDOW_MS,
        timeoutMs: WINDOW_MS,
        log: new RedisLog(redis, 'test:quota'),
        clock: systemClock,
        gatewayId: `gateway-${index}`,
        onMode: (mode) => modes.push(mode),
      });
      return { modes, quota, redis };
    });
    const isShared = (): boolean => gateways.every(({ modes }) => modes.at(-1)?.isShared === true);
    try {
      await Promise.all(gateways.map(({ quota }) => quota.start()));
      await until(isShared, 'all gateways on Redis');
      const stops = gateways.map(({ quota }) => {
        const scheduler = new QuotaScheduler({ clock: systemClock, quota });
        const delayMs = (): number => 1 - 10 * Math.log(1 - random());
        const judge = (): boolean => limiter.take(systemClock.wallMs()).allowed;
        return saturate({ scheduler, clock: systemClock, judge, delayMs, traffic });
      });
      await setTimeout(2 * WINDOW_MS);
      const together = traffic.allowed;
      await server.stop();
      await until(() => gateways.every(({ modes }) => modes.at(-1)?.isShared === false), 'all gateways alone');
      await setTimeout(WINDOW_MS);
      const alone = traffic.allowed - together;
      await server.start();
      await until(isShared, 'all gateways on Redis again');
      await setTimeout(WINDOW_MS);
      for (const stop of stops) stop();
      await until(() => gateways.every(({ quota }) => quota.gateways === 3), 'each to know of the others');
      console.log(`# ${together} of 200 together, ${alone} of 100 alone, ${traffic.refused} refused`);
      assert.is(traffic.refused, 0, `SEED=${seed}`);
      assert.ok(together > 1.3 * LIMIT, `${together} of 200 together`);
      assert.ok(alone > 0.3 * LIMIT, `${alone} of 100 alone`);
      assert.ok(gateways.every(({ modes }) => modes.some((mode) => !mode.isShared && mode.gateways === 3)));
    } finally {
      await Promise.all(gateways.map(({ quota }) => quota.close()));
      for (const { redis } of gateways) redis.close();
      await server.close();
    }
  });
}

test.run();
