import { readFileSync } from 'node:fs';
import { isLoopback } from './addresses.ts';
import { GatewayError } from './errors.ts';
import { registerSecret } from './secrets.ts';
import { SETTINGS, type SettingDefinition, type SettingName, type Settings } from './settings-table.ts';

/** `hamsaApiKey` → `HAMSA_API_KEY`. */
export function environmentName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

export interface SettingsSource {
  /** Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A JSON file with the same names in camelCase. Default: `./hamsa-gateway.json`, which may be absent. */
  readonly configFile?: string | undefined;
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** Settings that were met and have no effect: unknown environment names, parts that are not built yet. */
  readonly warnings: readonly string[];
}

function readFile(configFile: string | undefined): Record<string, unknown> {
  const path = configFile ?? './hamsa-gateway.json';
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (cause) {
    if (configFile === undefined && (cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new GatewayError('ERR_SETTINGS_FILE', {
      found: `'${path}' can not be read`,
      cure: 'name a file that exists',
      cause,
    });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch (cause) {
    throw new GatewayError('ERR_SETTINGS_FILE', { found: `'${path}' is not JSON`, needed: 'one JSON object', cause });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new GatewayError('ERR_SETTINGS_FILE', { found: `'${path}' is not an object`, needed: 'one JSON object' });
  }
  return parsed as Record<string, unknown>;
}

function invalid(found: string, needed: string, cure: string): GatewayError {
  return new GatewayError('ERR_SETTINGS_INVALID', { found, needed, cure });
}

/**
 * Reads the settings: the environment over the file over the defaults. Registers every secret for redaction.
 *
 * @throws GatewayError `ERR_SETTINGS_INVALID` or `ERR_SETTINGS_FILE`, naming the setting, what it was and what it needs.
 */
export function loadSettings(source: SettingsSource = {}): LoadedSettings {
  const env = source.env ?? process.env;
  const file = readFile(source.configFile);
  const names = Object.keys(SETTINGS) as SettingName[];
  const warnings: string[] = [];

  for (const key of Object.keys(file)) {
    if (!Object.hasOwn(SETTINGS, key))
      throw invalid(`unknown key '${key}' in the settings file`, 'a known setting', 'remove or rename it');
  }
  const known = new Set(names.map(environmentName));
  for (const key of Object.keys(env)) {
    if (/^(HAMSA|GATEWAY)_/.test(key) && !known.has(key)) warnings.push(`${key} is not a setting and has no effect`);
  }

  const values: Record<string, unknown> = {};
  for (const name of names) values[name] = readSetting(name, env, file, warnings);
  const settings = Object.freeze(values as unknown as Settings);
  return { settings: checkTogether(settings), warnings };
}

function readSetting(
  name: SettingName,
  env: Readonly<Record<string, string | undefined>>,
  file: Readonly<Record<string, unknown>>,
  warnings: string[],
): unknown {
  const definition: SettingDefinition<unknown> = SETTINGS[name];
  const environment = environmentName(name);
  const fromEnvironment = env[environment];
  const where = fromEnvironment === undefined ? `'${name}' in the settings file` : environment;
  const given = fromEnvironment ?? fileText(name, file);
  if (given === undefined || given === '') return presetOf(definition);
  const value = definition.parse(given);
  if (value === undefined) {
    const shown = definition.secret ? 'not usable' : `'${given}'`;
    throw invalid(`${where} is ${shown}`, definition.needed, `set ${environment} to ${definition.needed}`);
  }
  if (definition.secret && typeof value === 'string') registerSecret(value);
  if (definition.pending === 'refuse' && given !== definition.preset && value !== false) {
    throw invalid(`${where} is set`, 'nothing: this part is not built yet', `unset ${environment}`);
  }
  if (definition.pending === 'warn' && given !== definition.preset) warnings.push(`${where} has no effect yet`);
  return value;
}

function presetOf(definition: SettingDefinition<unknown>): unknown {
  if (definition.preset === undefined) return undefined;
  return definition.preset === '' ? (definition.parse('') ?? '') : definition.parse(definition.preset);
}

function fileText(name: SettingName, file: Readonly<Record<string, unknown>>): string | undefined {
  const value = file[name];
  if (value === undefined) return undefined;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(',');
  throw invalid(`'${name}' in the settings file is of the wrong kind`, SETTINGS[name].needed, 'write it as a string');
}

/** Rules that join several settings, and the derived default of the realtime URL. */
function checkTogether(settings: Settings): Settings {
  if (!isLoopback(settings.gatewayHttp.host) && settings.gatewayToken === undefined) {
    throw invalid(
      `GATEWAY_HTTP listens on ${settings.gatewayHttp.host} and GATEWAY_TOKEN is not set`,
      'a token, or a loopback address',
      'set GATEWAY_TOKEN',
    );
  }
  if (!isLoopback(settings.gatewaySip.host) && settings.gatewaySipAllow.length === 0) {
    throw invalid(
      `GATEWAY_SIP listens on ${settings.gatewaySip.host} and GATEWAY_SIP_ALLOW is not set`,
      'the networks that may call, as CIDRs',
      'set GATEWAY_SIP_ALLOW',
    );
  }
  const realtimeUrl =
    settings.hamsaRealtimeUrl === ''
      ? `${settings.hamsaBaseUrl.replace(/^http/, 'ws')}/v1/realtime/ws`
      : settings.hamsaRealtimeUrl;
  for (const [name, value] of [
    ['HAMSA_BASE_URL', settings.hamsaBaseUrl],
    ['HAMSA_REALTIME_URL', realtimeUrl],
    ['HAMSA_AGENT_URL', settings.hamsaAgentUrl],
  ] as const) {
    const { protocol, hostname } = new URL(value);
    const secure = protocol === 'https:' || protocol === 'wss:';
    if (!secure && !isLoopback(hostname) && !settings.hamsaAllowInsecure) {
      throw invalid(
        `${name} is '${value}', which is not encrypted`,
        'https or wss',
        'use https, or set HAMSA_ALLOW_INSECURE=true',
      );
    }
  }
  return Object.freeze({ ...settings, hamsaRealtimeUrl: realtimeUrl });
}
