import { GatewayError } from '../core/errors.ts';
import { createLogger } from '../core/logger.ts';
import type { Settings } from '../core/settings-table.ts';
import { type LocalPlatform, startLocalPlatform } from '../local-platform/server.ts';
import { readCommandLine } from './command-line.ts';
import { Gateway } from './gateway.ts';
import { LOCAL_KEY } from './platform.ts';
import { untilSignal } from './signals.ts';

/** Longest that the process may take to leave after a signal. */
const EXIT_WITHIN_MS = 5000;

/** `hamsa-gateway serve [--platform local]`: the gateway, until a signal. */
export async function serve(args: readonly string[]): Promise<number> {
  const { settings, warnings, flags } = readCommandLine(args, { platform: 'string' });
  const logger = createLogger(settings.gatewayLogLevel);
  for (const warning of warnings) logger.warn(warning);

  const platformFlag = flags['platform'];
  if (platformFlag !== undefined && platformFlag !== 'local') {
    throw new GatewayError('ERR_BAD_REQUEST', {
      found: `--platform ${platformFlag}`,
      needed: '--platform local, or nothing',
    });
  }
  const local =
    platformFlag === 'local'
      ? await startLocalPlatform({
          port: settings.hamsaLocalPort,
          apiKey: settings.hamsaApiKey ?? LOCAL_KEY,
          log: logger.child({ part: 'local-platform' }),
          apiQuota: settings.hamsaApiQuota,
          allowPrivateUrls: settings.gatewayAllowPrivateUrls,
        })
      : undefined;
  const gateway = new Gateway(local ? againstLocal(settings, local) : settings, { logger });
  const signalled = untilSignal();
  try {
    const { http, sip } = await gateway.start();
    process.stdout.write(`${JSON.stringify({ type: 'ready', http, sip })}\n`);
    const signal = await signalled;
    logger.info({ signal }, 'stopping');
    setTimeout(() => process.exit(0), EXIT_WITHIN_MS).unref();
  } finally {
    await gateway.stop();
    await local?.close();
  }
  return 0;
}

/** The same settings with the local platform in the place of the real one. */
export function againstLocal(settings: Settings, { url, agentUrl }: LocalPlatform): Settings {
  return {
    ...settings,
    hamsaApiKey: settings.hamsaApiKey ?? LOCAL_KEY,
    hamsaBaseUrl: url,
    hamsaRealtimeUrl: `${url.replace(/^http/, 'ws')}/v1/realtime/ws`,
    hamsaAgentUrl: agentUrl,
  };
}
