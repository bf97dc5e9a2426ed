// timeout: 120 s
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withGateway } from '../support/call-bench.ts';
import { needs } from '../support/needs.ts';
import { RedisServer } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

const test = suite('gateways that share a quota');

if (needs('gateways that share a quota', 'redis-server')) {
  test('a gateway shares through Redis, says so when Redis is away, and joins again when it is back', async () => {
    const redis = await RedisServer.launch();
    try {
      await withGateway({ GATEWAY_REDIS_URL: redis.url }, async ({ gateway }) => {
        const degraded = async (): Promise<boolean> =>
          ((await (await fetch(`${gateway.http}/health/ready`)).json()) as { degraded: boolean }).degraded;
        await until(() => gateway.log().includes('the quota is shared through Redis'), 'sharing');
        assert.is(await degraded(), false);
        await redis.stop();
        await until(() => gateway.log().includes('Redis is away'), 'the warning', 30_000);
        assert.is(await degraded(), true);
        assert.is((await fetch(`${gateway.http}/v1/quota`)).status, 200);
        await redis.start();
        const joins = (): number => gateway.log().split('the quota is shared through Redis').length - 1;
        await until(() => joins() === 2, 'sharing again', 30_000);
        assert.is(await degraded(), false);
      });
    } finally {
      await redis.close();
    }
  });
}

test.run();
