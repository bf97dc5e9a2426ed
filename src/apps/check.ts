import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { VoiceActivity } from '../audio/voice-activity.ts';
import { loadAddon } from '../core/addon.ts';
import { formatHostPort, type HostPort } from '../core/addresses.ts';
import { systemClock } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import { redact } from '../core/secrets.ts';
import { environmentName } from '../core/settings.ts';
import { SETTINGS, type SettingName, type Settings } from '../core/settings-table.ts';
import { NativeTransport } from '../rtp/native-transport.ts';
import { readCommandLine } from './command-line.ts';

const NODE_FLOOR = [20, 19] as const;

/**
 * `hamsa-gateway check`: what `serve` would run with and whether it could start. Each line is `ok`, `warn` or `FAIL`
 * with found / needed / cure. Exit code 1 when `serve` could not start.
 */
export async function check(args: readonly string[]): Promise<number> {
  let failures = 0;
  const say = (state: 'ok' | 'warn' | 'FAIL', what: string): void => {
    if (state === 'FAIL') failures++;
    process.stdout.write(`${state.padEnd(5)}${redact(what)}\n`);
  };
  const attempt = async (what: string, run: () => Promise<void>): Promise<void> => {
    try {
      await run();
      say('ok', what);
    } catch (thrown) {
      const error = toError(thrown);
      say('FAIL', error instanceof GatewayError ? `${error.code}: ${error.message}` : `${what}: ${error.message}`);
    }
  };

  let settings: Settings | undefined;
  await attempt('settings', async () => {
    const { settings: loaded, warnings } = readCommandLine(args);
    settings = loaded;
    for (const warning of warnings) say('warn', warning);
  });
  await attempt(`Node ${process.versions.node}`, checkNode);
  await attempt('voice activity detector', () => VoiceActivity.load());
  say(...describeMediaThread());
  if (settings) {
    const { hamsaApiKey, gatewayHttp, gatewaySip } = settings;
    await attempt('HAMSA_API_KEY is set', () => checkKey(hamsaApiKey));
    await attempt(`HTTP can listen on ${formatHostPort(gatewayHttp.host, gatewayHttp.port)}`, () =>
      checkTcp(gatewayHttp, 'GATEWAY_HTTP'),
    );
    await attempt(`SIP can listen on ${formatHostPort(gatewaySip.host, gatewaySip.port)}/udp`, () =>
      checkUdp(gatewaySip, 'GATEWAY_SIP'),
    );
    for (const name of Object.keys(SETTINGS) as SettingName[]) {
      process.stdout.write(`     ${environmentName(name)}=${redact(showSetting(name, settings))}\n`);
    }
  }
  return failures === 0 ? 0 : 1;
}

/** Who would pace RTP, and how. */
function describeMediaThread(): ['ok' | 'warn', string] {
  const { addon, problem } = loadAddon();
  if (!addon)
    return [
      'warn',
      `RTP is paced on the event loop: ${problem.found}; needed: ${problem.needed}; cure: ${problem.cure}`,
    ];
  const transport = new NativeTransport({ localAddress: '127.0.0.1', portRange: [0, 0] }, systemClock, addon);
  const { scheduling } = transport.statistics;
  void transport.close();
  if (scheduling === 'fifo') return ['ok', 'RTP is paced by a native thread with SCHED_FIFO'];
  return ['warn', 'RTP is paced by a native thread without SCHED_FIFO; cure: run as root or with CAP_SYS_NICE'];
}

function showSetting(name: SettingName, settings: Settings): string {
  const value = settings[name];
  if (value === undefined) return '';
  if (SETTINGS[name].secret) return '(set)';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

async function checkNode(): Promise<void> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > NODE_FLOOR[0] || (major === NODE_FLOOR[0] && minor >= NODE_FLOOR[1])) return;
  throw new GatewayError('ERR_SETTINGS_INVALID', {
    found: `Node ${process.versions.node}`,
    needed: `${NODE_FLOOR.join('.')} or newer`,
    cure: 'install a newer Node',
  });
}

async function checkKey(key: string | undefined): Promise<void> {
  if (key !== undefined) return;
  throw new GatewayError('ERR_KEY_MISSING', {
    found: 'no API key',
    needed: 'HAMSA_API_KEY',
    cure: 'set it, or run serve with --platform local',
  });
}

function cannotListen(address: HostPort, setting: string, cause: unknown): GatewayError {
  return new GatewayError('ERR_LISTEN', {
    found: `can not listen on ${formatHostPort(address.host, address.port)}: ${toError(cause).message}`,
    needed: 'a free address of this machine',
    cure: `set ${setting}`,
    cause,
  });
}

async function checkTcp(address: HostPort, setting: string): Promise<void> {
  const server = createServer();
  try {
    server.listen(address.port, address.host);
    await once(server, 'listening');
  } catch (cause) {
    throw cannotListen(address, setting, cause);
  } finally {
    server.close();
  }
}

async function checkUdp(address: HostPort, setting: string): Promise<void> {
  const socket = createSocket('udp4');
  try {
    socket.bind(address.port, address.host);
    await once(socket, 'listening');
  } catch (cause) {
    throw cannotListen(address, setting, cause);
  } finally {
    socket.close();
  }
}
