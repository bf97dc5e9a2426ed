import { setTimeout } from 'node:timers/promises';
import { createLogger } from '../../src/core/logger.ts';
import { type LocalPlatform, type LocalPlatformOptions, startLocalPlatform } from '../../src/local-platform/server.ts';

export const KEY = 'sk_test_0123456789abcdef';

export interface TestPlatform extends LocalPlatform {
  /** Everything it logged so far, as it was written. */
  readonly lines: readonly string[];
  /** A request with the key; `body` is sent as JSON. */
  readonly post: (path: string, body: unknown, init?: RequestInit) => Promise<Response>;
  /** Adds faults. @throws if the platform refuses them. */
  readonly fault: (...faults: readonly object[]) => Promise<void>;
}

/** The local platform on a free port, with the built-in engines unless told otherwise. */
export async function startPlatform(options: Partial<LocalPlatformOptions> = {}): Promise<TestPlatform> {
  const lines: string[] = [];
  const log = createLogger('debug', { write: (line) => void lines.push(line) });
  const platform = await startLocalPlatform({ port: 0, apiKey: KEY, engines: 'builtin', log, ...options });
  const post: TestPlatform['post'] = (path, body, init) =>
    fetch(platform.url + path, {
      method: 'POST',
      headers: { authorization: `Token ${KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...init,
    });
  return {
    ...platform,
    lines,
    post,
    fault: async (...faults) => {
      const answer = await post('/__control/faults', { faults });
      if (answer.status !== 200) throw new Error(`The platform refused the faults: ${await answer.text()}`);
    },
  };
}

/** Starts a platform for `run` and closes it afterwards, whatever happens. */
export async function withPlatform(
  run: (platform: TestPlatform) => Promise<void>,
  options: Partial<LocalPlatformOptions> = {},
): Promise<void> {
  const platform = await startPlatform(options);
  try {
    await run(platform);
  } finally {
    await platform.close();
  }
}

/** Lets the event loop turn until `holds` does. @throws if it does not within 20 s. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const giveUpAtMs = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > giveUpAtMs) throw new Error(`Not within 20 s: ${what}`);
    await setTimeout(1);
  }
}
