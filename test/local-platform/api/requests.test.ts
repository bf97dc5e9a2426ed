import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeClock } from '../../support/fake-clock.ts';
import { KEY, startPlatform, type TestPlatform, withPlatform } from '../platform.ts';

interface World {
  platform: TestPlatform;
}

const test = suite<World>('REST requests');
test.before(async (world) => {
  world.platform = await startPlatform({ apiQuota: 10_000 });
});
test.after(({ platform }) => platform.close());

interface Failure {
  readonly success: boolean;
  readonly error: { readonly code: string; readonly message: string; readonly details: Record<string, unknown> };
}

async function refusal(answer: Promise<Response>): Promise<Failure & { status: number }> {
  const { status } = await answer;
  return { status, ...((await (await answer).json()) as Failure) };
}

const send = (platform: TestPlatform, method: string, path: string, body?: string, headers = {}): Promise<Response> =>
  fetch(platform.url + path, {
    method,
    headers: { authorization: `Token ${KEY}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body }),
  });

const UNKNOWN = '4b1f3f0e-0000-4000-8000-000000000000';

test('without the key, or with a wrong one, nothing is told: 401 and 10403', async ({ platform }) => {
  for (const authorization of ['', 'Token wrong', `Basic ${KEY}`]) {
    const { status, error } = await refusal(send(platform, 'GET', '/v2/voice-agents', undefined, { authorization }));
    assert.equal([status, error.code], [401, '10403'], authorization);
  }
});

test('what can not be used is 10400 and names the fields, not their values', async ({ platform }) => {
  const cases: [string, string, unknown, string][] = [
    ['POST', '/v2/voice-agents', {}, 'name'],
    ['POST', '/v2/voice-agents', { name: '  ' }, 'name'],
    [
      'POST',
      '/v2/voice-agents',
      { name: 'A', webhookAuth: { authKey: 'a b', authSecret: 'x' } },
      'webhookAuth.authKey',
    ],
    ['POST', '/v1/voice-agents/call', { toNumber: '+1' }, 'voiceAgentId'],
    ['POST', '/v1/voice-agents/phone-number', { label: 'x' }, 'number'],
    ['DELETE', '/v1/voice-agents/phone-number', undefined, 'id'],
    ['POST', '/v1/voice-agents/knowledge-base', { type: 'PDF' }, 'type'],
    ['POST', '/v1/voice-agents/knowledge-base', { type: 'TEXT', content: 'sk_secret_content' }, 'content'],
    ['POST', '/v2/web-tool', { name: 'T', method: 'TRACE' }, 'method'],
    ['POST', '/v2/web-tool', { name: 'T', headers: [{ name: 'X' }] }, 'headers.0.value'],
    ['POST', '/v1/voice-agents/campaigns', { name: 'C', contacts: [{ params: {} }] }, 'contacts.0.number'],
    ['POST', '/v1/voice-agents/conversations/list', { page: 0 }, 'page'],
    ['POST', '/v1/voice-agents/join-call', {}, 'conversationId'],
    ['POST', '/v1/jobs/transcribe', {}, 'mediaUrl'],
    ['POST', '/v1/jobs/text-to-speech', { text: '' }, 'text'],
    ['POST', '/v1/jobs/ai-content', {}, 'text'],
    ['GET', '/v1/jobs', undefined, 'jobId'],
    ['GET', '/v2/voice-agents?limit=1000', undefined, 'limit'],
    ['POST', '/v1/realtime/tts', {}, 'text'],
  ];
  for (const [method, path, body, field] of cases) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const { status, success, error } = await refusal(send(platform, method, path, text));
    assert.equal([status, success, error.code], [400, false, '10400'], `${method} ${path}`);
    const issues = error.details['issues'] as { path: string }[];
    assert.ok(
      issues.some((issue) => issue.path === field),
      `${method} ${path}: ${JSON.stringify(issues)}`,
    );
    assert.not.match(JSON.stringify(error), 'sk_secret_content');
  }
});

test('an id that nothing has is 10404, wherever it stands', async ({ platform }) => {
  const id = UNKNOWN;
  const { data: agent } = (await (await platform.post('/v2/voice-agents', { name: 'A' })).json()) as {
    data: { id: string };
  };
  const cases: [string, string, object?][] = [
    ['GET', `/v2/voice-agents/${id}`],
    ['PATCH', `/v2/voice-agents/${id}`, { name: 'B' }],
    ['POST', '/v1/voice-agents/clone', { voiceAgentId: id }],
    ['POST', '/v1/voice-agents/call', { id, toNumber: '+1' }],
    ['POST', '/v1/voice-agents/call', { id: agent.id, phoneNumberId: id, toNumber: '+1' }],
    ['DELETE', `/v1/voice-agents/phone-number?id=${id}`],
    ['POST', '/v1/voice-agents/assign-number', { phoneNumberId: id, voiceAgentId: agent.id }],
    ['POST', '/v1/voice-agents/unassign', { phoneNumberId: id }],
    ['POST', '/v1/voice-agents/phone-number/call', { phoneNumberId: id, toNumber: '+1' }],
    ['GET', `/v1/voice-agents/knowledge-base/${id}`],
    ['PATCH', `/v1/voice-agents/knowledge-base/${id}`, {}],
    ['DELETE', `/v1/voice-agents/knowledge-base/${id}`],
    ['POST', `/v1/voice-agents/knowledge-base/${id}/url`, { url: 'https://a.example' }],
    ['POST', '/v1/voice-agents/knowledge-base/toggle-activation', { id }],
    ['PATCH', `/v2/web-tool/${id}`, {}],
    ['POST', '/v1/voice-agents/web-tool/test-api-tool', { id }],
    ['POST', '/v1/voice-agents/web-tool/toggle-activation', { id }],
    ['POST', '/v1/voice-agents/campaigns', { name: 'C', voiceAgentId: id }],
    ...['pause', 'resume', 'cancel', 'retry'].map((verb): [string, string] => [
      'POST',
      `/v1/voice-agents/campaigns/${id}/${verb}`,
    ]),
    ['GET', `/v1/voice-agents/campaigns/${id}`],
    ['GET', `/v1/voice-agents/conversation/${id}`],
    ['POST', '/v1/voice-agents/join-call', { jobId: id }],
    ['GET', `/v1/jobs?jobId=${id}`],
    ['GET', '/v1/no-such-route'],
    ['GET', '/v2/voice-agents/__proto__'],
    ['GET', '/v2/voice-agents/a%2Fb'],
  ];
  for (const [method, path, body] of cases) {
    const { status, error } = await refusal(send(platform, method, path, body && JSON.stringify(body)));
    assert.equal([status, error.code], [404, '10404'], `${method} ${path}`);
  }
});

test('an empty body is none, broken or bottomless JSON is refused, and other types are too', async ({ platform }) => {
  const agents = '/v2/voice-agents';
  assert.is((await refusal(send(platform, 'POST', agents, ''))).error.code, '10400');
  assert.is((await refusal(send(platform, 'POST', agents, '{'))).error.message, 'The body is not JSON');
  const deep = `{"name":"A","a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  assert.match((await refusal(send(platform, 'POST', agents, deep))).error.message, 'nested');
  assert.is((await refusal(send(platform, 'POST', agents, '[]'))).error.code, '10400');
  const other = await refusal(send(platform, 'POST', agents, 'a=b', { 'content-type': 'text/plain' }));
  assert.equal([other.status, other.error.code], [415, '10415']);
  assert.is((await refusal(send(platform, 'POST', agents, `"${'x'.repeat(9_000_000)}"`))).status, 413);
  const polluting = '{"name":"A","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
  assert.is((await send(platform, 'POST', agents, polluting)).status, 200);
  assert.is(({} as { polluted?: boolean }).polluted, undefined);
});

test('lists come in pages, and filters look at fields whatever the case', async ({ platform }) => {
  for (let i = 0; i < 25; i++)
    await platform.post('/v2/web-tool', { name: `tool ${i}`, method: i < 3 ? 'POST' : 'GET' });
  const list = async (
    query: string,
  ): Promise<{ items: { name: string }[]; total: number; page: number; limit: number }> =>
    ((await (await send(platform, 'GET', `/v2/web-tool/list${query}`)).json()) as { data: never }).data;
  const first = await list('');
  assert.equal([first.items.length, first.total, first.page, first.limit], [20, 25, 1, 20]);
  const third = await list('?page=3&limit=10');
  assert.equal(
    third.items.map(({ name }) => name),
    ['tool 20', 'tool 21', 'tool 22', 'tool 23', 'tool 24'],
  );
  assert.is((await list('?page=9')).items.length, 0);
  assert.is((await list('?method=post')).total, 3);
  assert.is((await list('?unknown=1')).total, 25);
});

test('a hundred a minute, told with every answer; the realtime APIs are counted apart', () => {
  const clock = new FakeClock(1_700_000_010_000);
  return withPlatform(
    async (platform) => {
      const first = await send(platform, 'GET', '/v2/voice-agents');
      assert.equal(
        ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'].map((name) => first.headers.get(name)),
        ['100', '99', '1700000040'],
      );
      for (let i = 0; i < 99; i++) await send(platform, 'GET', i % 2 ? '/v1/jobs?jobId=x' : '/v2/web-tool/list');
      const refused = await send(platform, 'POST', '/v2/voice-agents', '{"name":"A"}');
      assert.is(refused.status, 429);
      assert.equal([refused.headers.get('retry-after'), refused.headers.get('x-ratelimit-remaining')], ['30', '0']);
      assert.is(((await refused.json()) as Failure).error.code, '10429');
      const realtime = await send(platform, 'POST', '/v1/realtime/stt', '{}');
      assert.equal([realtime.status, realtime.headers.get('x-ratelimit-remaining')], [400, '99']);
      clock.advance(30_000);
      assert.is((await send(platform, 'GET', '/v2/voice-agents')).status, 200);
    },
    { clock },
  );
});

test.run();
