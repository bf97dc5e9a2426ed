/** One gateway of `shared.ts`: has always one request more than it may make, and asks its parent for each. */
import { systemClock } from '../../src/core/clock.ts';
import { SharedQuota } from '../../src/platform/shared-quota.ts';
import { QuotaScheduler } from '../../src/speech/quota-scheduler.ts';
import { RedisConnection } from '../../src/store/redis.ts';
import { RedisLog } from '../../src/store/shared-log.ts';
import { saturate } from '../../test/platform/quota-fleet.ts';

const [url = '', gatewayId = ''] = process.argv.slice(2);

const verdicts: ((allowed: boolean) => void)[] = [];
process.on('message', (allowed: boolean) => verdicts.shift()?.(allowed));
process.on('disconnect', () => process.exit());

const redis: RedisConnection = new RedisConnection({ url, onUp: () => void quota.join() });
const log = new RedisLog(redis, 'bench:quota');
const quota = new SharedQuota({ limit: 100, log, clock: systemClock, gatewayId });
await quota.start();
saturate({
  scheduler: new QuotaScheduler({ clock: systemClock, quota }),
  clock: systemClock,
  traffic: { allowed: 0, refused: 0 },
  delayMs: () => 20 - 200 * Math.log(1 - Math.random()),
  judge: () => {
    process.send?.('arrived');
    return new Promise((resolve) => verdicts.push(resolve));
  },
});
