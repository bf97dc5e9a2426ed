#!/usr/bin/env node
import { GatewayError, toError } from './core/errors.ts';
import { redact } from './core/secrets.ts';

/** Runs with the arguments after the command's name and returns the exit code. */
type Command = (args: readonly string[]) => Promise<number>;

const COMMANDS: Readonly<Record<string, { readonly about: string; readonly load?: () => Promise<Command> }>> = {
  serve: { about: 'run the gateway', load: async () => (await import('./apps/serve.ts')).serve },
  demo: { about: 'a whole phone call on this machine', load: async () => (await import('./apps/demo.ts')).demo },
  platform: {
    about: 'run the local platform (--tier: of its account)',
    load: async () => (await import('./apps/platform.ts')).platform,
  },
  check: { about: 'check settings and environment', load: async () => (await import('./apps/check.ts')).check },
  mic: { about: 'transcribe a microphone' },
  transcribe: { about: 'transcribe files' },
  say: { about: 'speak a text', load: async () => (await import('./apps/say.ts')).say },
  api: { about: 'the REST API from a shell', load: async () => (await import('./apps/api.ts')).api },
  bench: { about: 'latency and capacity harness' },
};

function usage(): string {
  const lines = Object.entries(COMMANDS).map(([name, { about, load }]) => {
    return `  ${name.padEnd(12)}${about}${load ? '' : ' (not built yet)'}`;
  });
  return ['usage: hamsa-gateway COMMAND [--config FILE] …', '', ...lines, ''].join('\n');
}

// A reader that has seen enough, such as `head`, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(usage());
    return name === undefined ? 1 : 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) {
    process.stderr.write(`unknown command '${name}'\n${usage()}`);
    return 1;
  }
  if (!command.load) throw new GatewayError('ERR_NOT_BUILT', `the command '${name}' is not built yet`);
  const run = await command.load();
  return run(rest);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  const error = toError(thrown);
  const code = error instanceof GatewayError ? `${error.code}: ` : '';
  process.stderr.write(
    `hamsa-gateway: ${redact(code + (error instanceof GatewayError ? error.message : (error.stack ?? error.message)))}\n`,
  );
  process.exitCode = 1;
}
