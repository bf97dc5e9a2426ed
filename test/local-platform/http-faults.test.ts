import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { PlatformError } from '../../src/platform/platform-errors.ts';
import { HamsaClient, type HamsaClientOptions } from '../../src/platform/rest/hamsa-client.ts';
import { rejection } from '../support/until.ts';
import { KEY, startPlatform, type TestPlatform } from './platform.ts';

interface World {
  platform: TestPlatform;
  client: HamsaClient;
}

const test = suite<World>('faults at any route');
const clientOf = (platform: TestPlatform, options: Partial<HamsaClientOptions> = {}): HamsaClient =>
  new HamsaClient({ apiKey: KEY, baseUrl: platform.url, maxAttempts: 1, breaker: { failures: 1_000_000 }, ...options });

test.before(async (world) => {
  world.platform = await startPlatform({ apiQuota: 100_000 });
  world.client = clientOf(world.platform);
});
test.after(async ({ client, platform }) => {
  await client.close();
  await platform.close();
});

const SHAPES = ['guide', 'number-code', 'bare', 'error-text', 'message', 'list', 'text', 'html', 'empty'] as const;
const FAMILIES: Readonly<Record<number, string>> = {
  400: 'ValidationError',
  401: 'AuthenticationError',
  402: 'WalletError',
  403: 'PermissionError',
  404: 'NotFoundError',
  408: 'TimeoutError',
  409: 'ValidationError',
  422: 'ValidationError',
  429: 'RateLimitError',
  500: 'ServerError',
  502: 'ServerError',
  503: 'ServerError',
  504: 'TimeoutError',
};

test('every status in every shape is the error of its family', async ({ platform, client }) => {
  for (const [status, family] of Object.entries(FAMILIES)) {
    for (const shape of SHAPES) {
      await platform.fault({ fault: 'error', at: 'http', status: Number(status), shape, message: 'It was refused' });
      const error = (await rejection(client.campaigns.list())) as PlatformError;
      assert.is(error.name, family, `${status} ${shape}: ${error.message}`);
      assert.is(error.status, Number(status));
      const hasCode = shape === 'guide' || shape === 'number-code' || shape === 'bare';
      assert.is(error.joinedCode, hasCode ? Number(`10${status}`) : undefined, `${status} ${shape}`);
      assert.is(error.part, hasCode ? 10 : undefined);
      assert.is(error.retryable, /RateLimit|Server|Timeout/.test(family), `${status} ${shape}`);
      if (!['html', 'empty'].includes(shape)) assert.match(error.message, 'It was refused');
    }
  }
});

test('a refusal that is told with 200 is one all the same', async ({ platform, client }) => {
  for (const [code, family] of [
    ['10404', 'NotFoundError'],
    ['10400', 'ValidationError'],
    ['10429', 'RateLimitError'],
    ['10500', 'ServerError'],
  ]) {
    for (const shape of ['guide', 'number-code', 'bare']) {
      await platform.fault({ fault: 'error', at: 'http', status: 200, shape, code });
      assert.is((await rejection(client.voiceAgents.list())).name, family, `${code} ${shape}`);
    }
  }
});

test('10403 means the key, or a permission, by what it says', async ({ platform, client }) => {
  await platform.fault({ fault: 'error', at: 'http', status: 403, message: 'Invalid API key' });
  assert.is((await rejection(client.voiceAgents.list())).name, 'AuthenticationError');
  await platform.fault({ fault: 'error', at: 'http', status: 403, message: 'Your plan has no campaigns' });
  assert.is((await rejection(client.voiceAgents.list())).name, 'PermissionError');
  await platform.fault({ fault: 'error', at: 'http', status: 429, message: 'Usage limit reached' });
  assert.is((await rejection(client.voiceAgents.list())).name, 'WalletError');
});

test('a fault waits for its method and path, and other requests pass', async ({ platform, client }) => {
  const { id } = await client.voiceAgents.create({ name: 'A' });
  await platform.fault(
    { fault: 'error', at: 'http', status: 500, method: 'GET', path: '/v2/voice-agents/{id}' },
    { fault: 'error', at: 'http', status: 404, path: `/v2/voice-agents/${id}` },
    { fault: 'error', at: 'http', status: 403, path: '/v1/voice-agents/campaigns*' },
  );
  assert.is((await client.voiceAgents.list()).items.length, 1);
  assert.is(((await rejection(client.voiceAgents.get(id))) as PlatformError).status, 500);
  assert.is(((await rejection(client.voiceAgents.update(id, {}))) as PlatformError).status, 404);
  assert.is(((await rejection(client.campaigns.pause('any'))) as PlatformError).status, 403);
  assert.is((await client.voiceAgents.get(id)).id, id);
});

test('answers that break off, drip, are no JSON, are huge or lead elsewhere are typed errors', async ({
  platform,
  client,
}) => {
  const { id } = await client.voiceAgents.create({ name: 'A' });
  const failure = async (fault: object, from = client): Promise<PlatformError> => {
    await platform.fault({ at: 'http', ...fault });
    return (await rejection(from.voiceAgents.get(id))) as PlatformError;
  };
  assert.is((await failure({ fault: 'torn', bytes: 20 })).name, 'NetworkError');
  assert.is((await failure({ fault: 'hang-up' })).name, 'NetworkError');
  const hasty = clientOf(platform, { attemptTimeoutMs: 300 });
  assert.is((await failure({ fault: 'drip', ms: 100 }, hasty)).name, 'TimeoutError');
  assert.is((await failure({ fault: 'never-answer' }, hasty)).name, 'TimeoutError');
  assert.is((await failure({ fault: 'delay', ms: 2000 }, hasty)).name, 'TimeoutError');
  await hasty.close();
  const page = { status: 200, headers: { 'content-type': 'text/html' }, body: '<p>Log in</p>' };
  assert.is((await failure({ fault: 'answer', ...page })).name, 'ProtocolError');
  assert.is(
    (await failure({ fault: 'answer', status: 200, body: '{"success":true,"data":{"id":' })).name,
    'ProtocolError',
  );
  const redirect = { status: 307, headers: { location: 'https://elsewhere.example/' } };
  assert.is((await failure({ fault: 'answer', ...redirect })).name, 'ProtocolError');
  const bomb = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`x-${i}`, 'y'.repeat(100)]));
  assert.is((await failure({ fault: 'answer', status: 200, headers: bomb })).name, 'ProtocolError');
  const before = process.memoryUsage.rss();
  assert.is((await failure({ fault: 'huge' })).code, 'ERR_PLATFORM_OVERSIZE');
  assert.ok(process.memoryUsage.rss() - before < 256 * 1_048_576);
  assert.is((await client.voiceAgents.get(id)).id, id, 'and afterwards all is well');
});

test('a drip that is waited for is the right answer, and so is one without its envelope', async ({
  platform,
  client,
}) => {
  const { id } = await client.voiceAgents.create({ name: 'A' });
  await platform.fault({ fault: 'drip', at: 'http', ms: 1 }, { fault: 'shape', at: 'http', shape: 'bare' });
  assert.is((await client.voiceAgents.get(id)).name, 'A');
  assert.is((await client.voiceAgents.get(id)).name, 'A');
});

test('429 and 503 are repeated after what Retry-After says, and what is not safe is not', async ({ platform }) => {
  const client = clientOf(platform, { maxAttempts: 2 });
  await platform.fault({ fault: 'error', at: 'http', status: 429, headers: { 'retry-after': '1' } });
  const startMs = performance.now();
  await client.campaigns.list();
  assert.ok(performance.now() - startMs >= 1000);
  await platform.fault({ fault: 'error', at: 'http', status: 500 });
  assert.is((await rejection(client.campaigns.create({ name: 'C' }))).name, 'ServerError');
  assert.is((await client.campaigns.list()).total, 0);
  await client.close();
});

test('control refuses faults that make no sense', async ({ platform }) => {
  for (const fault of [
    { fault: 'error', at: 'stt', status: 500 },
    { fault: 'hang-up', at: 'stt', path: '/v2/voice-agents' },
    { fault: 'duplicate', at: 'http' },
    { fault: 'unanswered', at: 'call', event: 'call.ended' },
    { fault: 'error', at: 'http', status: 500, path: 'v2' },
  ]) {
    assert.is((await platform.post('/__control/faults', { faults: [fault] })).status, 400, JSON.stringify(fault));
  }
});

test.run();
