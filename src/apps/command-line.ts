import { parseArgs } from 'node:util';
import { GatewayError } from '../core/errors.ts';
import { type LoadedSettings, loadSettings } from '../core/settings.ts';

/** Flags of one command: `{ platform: 'string', json: 'boolean' }`; `--config FILE` is everyone's. */
export type Flags = Readonly<Record<string, 'string' | 'boolean'>>;

export interface CommandLine extends LoadedSettings {
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  readonly words: readonly string[];
}

/**
 * Reads a command's flags and the settings.
 *
 * @throws GatewayError `ERR_BAD_REQUEST` for a flag that the command does not have, or `ERR_SETTINGS_*`.
 */
export function readCommandLine(
  args: readonly string[],
  flags: Flags = {},
  env: NodeJS.ProcessEnv = process.env,
): CommandLine {
  const known = Object.entries({ config: 'string' as const, ...flags });
  let parsed: ReturnType<typeof parseArgs>;
  try {
    const options = Object.fromEntries(known.map(([name, type]) => [name, { type }]));
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.split('. ')[0]! : String(cause);
    throw new GatewayError('ERR_BAD_REQUEST', {
      found: message,
      needed: known.map(([name]) => `--${name}`).join(', '),
      cause,
    });
  }
  const values = parsed.values as Record<string, string | boolean | undefined>;
  const configFile = typeof values['config'] === 'string' ? values['config'] : undefined;
  return { ...loadSettings({ env, configFile }), flags: values, words: parsed.positionals };
}
