import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { Settings } from '../core/settings-table.ts';
import { EmbeddedStore } from '../store/embedded-store.ts';
import { RedisStore } from '../store/redis-store.ts';
import type { Store } from '../store/store.ts';

/**
 * Where the results of operations are kept that are to be done once: in Redis if there is one, else in the gateway's
 * folder, which one process has at a time. Accounts have a store each.
 *
 * @throws GatewayError `ERR_STORE`.
 */
export function openResultStore(settings: Settings, apiKey: string, clock: Clock): Promise<Store> {
  // The key itself must be readable nowhere.
  const account = createHash('sha256').update(apiKey).digest('hex').slice(0, 16);
  const { gatewayRedisUrl: url, gatewayData } = settings;
  if (url !== undefined) return RedisStore.open({ url, name: `hamsa-gateway:results:${account}` });
  return EmbeddedStore.open(join(gatewayData, 'results', account), { clock });
}
