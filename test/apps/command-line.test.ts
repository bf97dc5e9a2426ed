import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const CLI = new URL('../../dist/cli.js', import.meta.url).pathname;
const FREE = { GATEWAY_HTTP: '127.0.0.1:0', GATEWAY_SIP: '127.0.0.1:0' };

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env['PATH'] ?? '', ...env }, timeout: 60_000 };
    execFile(process.execPath, [CLI, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

const test = suite('command line');

test('check says ok when serve could start, and shows no secret', async () => {
  const { code, stdout } = await run(['check'], { ...FREE, HAMSA_API_KEY: 'sk_live_planted_for_check' });
  assert.is(code, 0, stdout);
  assert.match(stdout, 'HAMSA_API_KEY=(set)');
  assert.match(stdout, /RTP is paced by a native thread|RTP is paced on the event loop/);
  assert.not.match(stdout, 'sk_live_planted_for_check');
});

test('check fails without a key, with a bad setting and with an address that is not this machine’s', async () => {
  for (const env of [
    FREE,
    { ...FREE, HAMSA_API_KEY: 'k', GATEWAY_MAX_CALLS: 'many' },
    { ...FREE, HAMSA_API_KEY: 'k', GATEWAY_TOKEN: 'token', GATEWAY_HTTP: '192.0.2.1:80' },
  ]) {
    const { code, stdout } = await run(['check'], env);
    assert.is(code, 1, stdout);
    assert.match(stdout, /^FAIL .*needed: .*cure: /m);
  }
});

test('serve refuses to start without a key, and names the cure', async () => {
  const { code, stdout, stderr } = await run(['serve'], FREE);
  assert.is(code, 1);
  assert.is(stdout, '');
  assert.match(stderr, 'ERR_KEY_MISSING');
  assert.match(stderr, '--platform local');
});

test('an unknown command, an unknown flag and a command that is not built exit 1 and say so', async () => {
  for (const [args, words] of [
    [['dance'], 'unknown command'],
    [['serve', '--fast'], "Unknown option '--fast'"],
    [['mic'], 'ERR_NOT_BUILT'],
  ] as const) {
    const { code, stderr } = await run(args, { HAMSA_API_KEY: 'k' });
    assert.is(code, 1);
    assert.match(stderr, words);
  }
});

test('platform has the tier that it is told, and refuses one that there is not', async () => {
  const refused = await run(['platform', '--tier', 'gold']);
  assert.is(refused.code, 1);
  assert.match(refused.stderr, /--tier gold.*free, starter, creator, pro, business, enterprise/s);
  const child = spawn(process.execPath, [CLI, 'platform', '--tier', 'starter'], {
    env: { PATH: process.env['PATH'], HAMSA_LOCAL_PORT: '0', HAMSA_API_KEY: 'sk_tier' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { http } = JSON.parse(String(line)) as { http: string };
    const keep = async (bytes: number): Promise<number> => {
      const headers = { authorization: 'Token sk_tier', 'content-type': 'application/json' };
      const body = JSON.stringify({ type: 'FILE', name: 'menu.pdf', content: 'x'.repeat(bytes) });
      return (await fetch(`${http}/v1/voice-agents/knowledge-base`, { method: 'POST', headers, body })).status;
    };
    assert.equal([await keep(4 << 20), await keep(2 << 20)], [200, 400]);
  } finally {
    child.kill();
    await once(child, 'exit');
  }
});

test.run();
