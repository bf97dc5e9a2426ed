import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Settings } from '../core/settings-table.ts';
import { QuotaGovernor } from '../platform/quota-governor.ts';
import { SharedQuota } from '../platform/shared-quota.ts';
import type { QuotaSource } from '../speech/quota-scheduler.ts';
import { RedisConnection } from '../store/redis.ts';
import { RedisLog } from '../store/shared-log.ts';

/** The realtime quota of one API key: this gateway's alone, or shared with others through Redis. */
export interface AccountQuota {
  readonly source: QuotaSource;
  /** Whether it should be shared and is not at the moment. */
  readonly isAlone: boolean;
  /** To be awaited before the first call. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export function openAccountQuota(settings: Settings, apiKey: string, clock: Clock, logger: Logger): AccountQuota {
  const limits = { limit: settings.hamsaRealtimeQuota, counts: settings.hamsaQuotaCounts };
  if (settings.gatewayRedisUrl === undefined) {
    const nothing = (): Promise<void> => Promise.resolve();
    return { source: new QuotaGovernor(limits), isAlone: false, start: nothing, close: nothing };
  }
  let isAlone = true;
  const redis = new RedisConnection({ url: settings.gatewayRedisUrl, onUp: () => void shared.join() });
  // Whoever has the same key shares the quota; the key itself must not be readable in Redis.
  const account = createHash('sha256').update(apiKey).digest('hex').slice(0, 16);
  const shared: SharedQuota = new SharedQuota({
    ...limits,
    clock,
    log: new RedisLog(redis, `hamsa-gateway:quota:${account}`),
    gatewayId: `${hostname()}:${settings.gatewayHttp.port || process.pid}`,
    onMode: ({ isShared, gateways, error }) => {
      isAlone = !isShared;
      if (isShared) logger.info({ gateways }, 'the quota is shared through Redis');
      else logger.warn({ gateways, error }, 'Redis is away: this gateway keeps to a safe part of the quota');
    },
  });
  return {
    source: shared,
    get isAlone() {
      return isAlone;
    },
    start: () => shared.start(),
    async close() {
      await shared.close();
      redis.close();
    },
  };
}
