import { GatewayError } from '../core/errors.ts';
import { createLogger } from '../core/logger.ts';
import { registerSecret } from '../core/secrets.ts';
import { type Tier, TIERS } from '../local-platform/knowledge-storage.ts';
import { startLocalPlatform } from '../local-platform/server.ts';
import { readCommandLine } from './command-line.ts';
import { untilSignal } from './signals.ts';

/** Key of the local platform when none is set. */
export const LOCAL_KEY = 'local';

/** `hamsa-gateway platform [--tier TIER]`: the local platform on 127.0.0.1, until a signal. */
export async function platform(args: readonly string[]): Promise<number> {
  const { settings, warnings, flags } = readCommandLine(args, { tier: 'string' });
  const tier = readTier(flags['tier']);
  const logger = createLogger(settings.gatewayLogLevel);
  for (const warning of warnings) logger.warn(warning);
  const apiKey = settings.hamsaApiKey ?? LOCAL_KEY;
  registerSecret(apiKey);
  const signalled = untilSignal();
  const running = await startLocalPlatform({
    port: settings.hamsaLocalPort,
    apiKey,
    log: logger,
    apiQuota: settings.hamsaApiQuota,
    allowPrivateUrls: settings.gatewayAllowPrivateUrls,
    tier,
  });
  const { url, agentUrl, ears, voice } = running;
  process.stdout.write(`${JSON.stringify({ type: 'ready', http: url, agent: agentUrl, ears, voice })}\n`);
  await signalled;
  await running.close();
  return 0;
}

/** @throws GatewayError `ERR_BAD_REQUEST` */
function readTier(flag: string | boolean | undefined): Tier {
  const tier = TIERS.find((one) => one === (flag ?? 'free'));
  if (tier) return tier;
  throw new GatewayError('ERR_BAD_REQUEST', { found: `--tier ${String(flag)}`, needed: TIERS.join(', ') });
}
