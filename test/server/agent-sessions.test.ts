import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GatewayError } from '../../src/core/errors.ts';
import { redact } from '../../src/core/secrets.ts';
import { SessionStore } from '../../src/server/agent-sessions/session-store.ts';
import { until } from '../support/until.ts';
import { codeOf, KEY, TOKEN, withAgentWorld } from './agent-world.ts';

const test = suite('agent sessions');

test('gives a token for five minutes and the URLs that the SDK needs', () =>
  withAgentWorld(async ({ url, issue, clock, agentSessions }) => {
    const response = await issue();
    assert.is(response.status, 201);
    assert.is(response.headers.get('cache-control'), 'no-store');
    const { id, token, expiresAt, apiUrl, wsUrl } = (await response.json()) as Record<string, string>;
    assert.match(token!, /^hgs_[\w-]{43}$/);
    assert.match(id!, /^[0-9a-f]{64}$/);
    assert.is(Date.parse(expiresAt!), clock.wallMs() + 300_000);
    assert.is(apiUrl, `${url}/v1/agent`);
    assert.is(wsUrl, `${url.replace('http', 'ws')}/v1/agent/stream`);
    assert.is(agentSessions.statistics.issued, 1);
  }));

test('names the URLs by which a reverse proxy is reached', () =>
  withAgentWorld(async ({ issue }) => {
    const proxy = { 'x-forwarded-host': 'voice.example', 'x-forwarded-proto': 'https' };
    const { apiUrl, wsUrl } = (await (await issue({}, proxy)).json()) as Record<string, string>;
    assert.is(apiUrl, 'https://voice.example/v1/agent');
    assert.is(wsUrl, 'wss://voice.example/v1/agent/stream');
    assert.is((await issue({}, { 'x-forwarded-host': 'a/b' })).status, 400);
    assert.is((await issue({}, { 'x-forwarded-proto': 'javascript' })).status, 400);
  }));

test("asks for the gateway's own token and for fields that can be used", () =>
  withAgentWorld(async ({ url, issue, issued, begin }) => {
    assert.is((await issue({}, { authorization: 'Bearer wrong' })).status, 401);
    const { token } = await issued();
    assert.is((await issue({}, { authorization: `Bearer ${token}` })).status, 401, 'a session token is none');
    assert.is((await fetch(`${url}/v1/calls`, { headers: { authorization: `Token ${token}` } })).status, 401);
    for (const fields of [
      { agentId: '' },
      { agentId: 7 },
      { ttlS: 1 },
      { ttlS: 3601 },
      { params: [] },
      { origins: [] },
      { origins: ['*'] },
      { origins: ['https://shop.example/'] },
      { surprise: 1 },
    ]) {
      const response = await issue(fields);
      assert.is(response.status, 400, JSON.stringify(fields));
      assert.is(await codeOf(response), 'ERR_BAD_REQUEST');
    }
    const byGatewayToken = await begin({ ...(await issued()), token: TOKEN });
    assert.is(byGatewayToken.status, 401);
  }));

test('begins one conversation, with the agent and the params of the token', () =>
  withAgentWorld(async ({ issued, begin, begun }) => {
    const session = await issued({ params: { userId: 'u-7' } });
    const tools = [{ type: 'function', function: { name: 'f' } }];
    const body = { voiceAgentId: 'agent-1', params: { userId: 'forged', page: 'cart' }, voiceEnablement: true, tools };
    const response = await begin(session, body);
    assert.is(response.status, 200);
    assert.equal(await response.json(), { success: true, data: { jobId: 'job-1' } });
    assert.equal(begun, [
      { voiceAgentId: 'agent-1', params: { userId: 'u-7', page: 'cart' }, voiceEnablement: true, tools },
    ]);
    const again = await begin(session);
    assert.equal(await again.json(), { success: true, data: { jobId: 'job-1' } }, 'the way back into it');
    assert.is(begun.length, 1);
  }));

test('two requests at once begin one conversation', () =>
  withAgentWorld(async ({ issued, begin, begun, script }) => {
    const session = await issued();
    let answer = (_jobId: string): void => {};
    script.begin = () => new Promise((resolve) => (answer = resolve));
    const first = begin(session);
    await until(() => begun.length === 1, 'the first');
    const second = await begin(session);
    assert.is(second.status, 409);
    assert.is(await codeOf(second), 'ERR_WRONG_STATE');
    answer('job-1');
    assert.is((await first).status, 200);
    assert.is(begun.length, 1);
  }));

test('refuses another agent, and takes a page that names none', () =>
  withAgentWorld(async ({ issued, begin, begun }) => {
    const session = await issued();
    const other = await begin(session, { voiceAgentId: 'agent-2' });
    assert.is(other.status, 403);
    assert.is(await codeOf(other), 'ERR_SESSION_SCOPE');
    assert.is(begun.length, 0);
    assert.is((await begin(session, {})).status, 200);
    assert.is(begun[0]!.voiceAgentId, 'agent-1');
  }));

test('a conversation that could not be begun may be tried again, and its error says nothing of the key', () =>
  withAgentWorld(async ({ issued, begin, script, log }) => {
    const session = await issued();
    script.begin = () => Promise.reject(new GatewayError('ERR_PLATFORM_AUTH', `the key ${KEY} is refused`));
    const refused = await begin(session);
    assert.is(refused.status, 502);
    assert.not.ok((await refused.text()).includes(KEY));
    script.begin = () => Promise.reject(new Error(`crashed with ${KEY}`));
    const crashed = await begin(session);
    assert.is(crashed.status, 500);
    assert.not.ok((await crashed.text()).includes(KEY));
    delete script.begin;
    assert.is((await begin(session)).status, 200);
    assert.not.ok(redact(log()).includes(KEY));
  }));

test('tells of its own conversation only, without the key', () =>
  withAgentWorld(async ({ issued, begin, script }) => {
    const session = await issued();
    const ask = async (jobId: string, token = session.token): Promise<Response> =>
      fetch(`${session.apiUrl}/v1/voice-agents/conversation/${jobId}?jobId=${jobId}`, {
        headers: { authorization: `Token ${token}`, 'content-type': 'application/json' },
      });
    assert.is((await ask('undefined')).status, 403, 'nothing is begun');
    await begin(session);
    script.details = async () => ({ status: 'COMPLETED', url: `https://x.example/?api_key=${KEY}`, note: 'token=abc' });
    const response = await ask('job-1');
    assert.is(response.status, 200);
    assert.equal(await response.json(), {
      success: true,
      data: { status: 'COMPLETED', url: 'https://x.example/?api_key=[redacted]', note: 'token=abc' },
    });
    assert.is((await ask('job-2')).status, 403);
    assert.is((await ask('job-1', (await issued()).token)).status, 403);
    assert.is((await ask('job-1', 'hgs_nothing')).status, 401);
  }));

test('a token ends with its time, and lives for five minutes after its conversation was begun', () =>
  withAgentWorld(async ({ issued, begin, clock }) => {
    const late = await issued({ ttlS: 60 });
    const kept = await issued({ ttlS: 60 });
    clock.advance(59_000);
    assert.is((await begin(kept)).status, 200);
    clock.advance(1000);
    assert.is((await begin(late)).status, 401);
    clock.advance(298_000);
    assert.is((await begin(kept)).status, 200);
    clock.advance(1000);
    assert.is((await begin(kept)).status, 401);
  }));

test('a session is revoked by its id or by its token', () =>
  withAgentWorld(async ({ url, issued, begin }) => {
    const remove = (id: string): Promise<Response> =>
      fetch(`${url}/v1/agent-sessions/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${TOKEN}` } });
    const [one, two] = [await issued(), await issued()];
    assert.is((await remove(one.id)).status, 204);
    assert.is((await remove(two.token)).status, 204);
    for (const session of [one, two]) {
      assert.is((await begin(session)).status, 401);
      assert.is((await remove(session.id)).status, 404);
    }
    assert.is((await fetch(`${url}/v1/agent-sessions/${one.id}`, { method: 'DELETE' })).status, 401);
  }));

test('issues a hundred a minute and keeps a thousand', () => {
  const sessions = new SessionStore();
  const terms = { agentId: 'agent-1', params: {}, origins: undefined, ttlMs: 3_600_000 };
  const issue = (atMs: number) => sessions.issue(terms, atMs);
  for (let round = 0; round < 10; round++) {
    for (let n = 0; n < 100; n++) assert.ok(sessions.find(issue(round * 60_000).token, round * 60_000));
    assert.throws(() => issue(round * 60_000 + 59_999), /100 were issued within a minute/);
  }
  assert.throws(() => issue(600_000), /1000 are valid/);
  assert.equal([sessions.size, sessions.issued, sessions.refused], [1000, 1000, 11]);
  issue(3_600_000);
  assert.is(sessions.size, 901);
});

test('answers 429 when too many are issued', () =>
  withAgentWorld(async ({ issue }) => {
    for (let n = 0; n < 100; n++) assert.is((await issue()).status, 201);
    const refused = await issue();
    assert.is(refused.status, 429);
    assert.is(await codeOf(refused), 'ERR_TOO_MANY_SESSIONS');
  }));

test('answers pages of this host and of loopback, and no other', () =>
  withAgentWorld(async ({ issued, begin, url }) => {
    const preflight = (origin: string): Promise<Response> =>
      fetch(`${url}/v1/agent/v1/voice-agents/conversation-init`, { method: 'OPTIONS', headers: { origin } });
    assert.is((await preflight('http://localhost:3000')).status, 401, 'no session is valid');
    const session = await issued();
    for (const origin of ['http://localhost:3000', 'http://127.0.0.1', 'http://[::1]:1']) {
      const allowed = await preflight(origin);
      assert.is(allowed.status, 204);
      assert.is(allowed.headers.get('access-control-allow-origin'), origin);
      assert.is(allowed.headers.get('vary'), 'Origin');
      assert.match(allowed.headers.get('access-control-allow-headers')!, /authorization/i);
    }
    for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example', 'x']) {
      assert.is((await preflight(origin)).status, 401);
      const refused = await begin(session, {}, { origin });
      assert.is(refused.status, 401);
      assert.is(refused.headers.get('access-control-allow-origin'), null);
      assert.is(await codeOf(refused), 'ERR_FORBIDDEN_ORIGIN');
    }
    const answer = await begin(session, {}, { origin: 'http://localhost:3000' });
    assert.is(answer.status, 200);
    assert.is(answer.headers.get('access-control-allow-origin'), 'http://localhost:3000');
  }));

test('with a list of origins answers exactly those', () =>
  withAgentWorld(async ({ issued, begin }) => {
    const session = await issued({ origins: ['https://shop.example', 'https://shop.example:8443'] });
    for (const origin of ['https://shop.example:444', 'http://shop.example', 'http://localhost:3000']) {
      assert.is((await begin(session, {}, { origin })).status, 401, origin);
    }
    const refused = await begin(session, { voiceAgentId: 'x' }, { origin: 'https://shop.example' });
    assert.is(refused.headers.get('access-control-allow-origin'), 'https://shop.example', 'a page may read an error');
    assert.is((await begin(session, {}, { origin: 'https://shop.example:8443' })).status, 200);
  }));

test('nothing else can be reached with a session token', () =>
  withAgentWorld(async ({ url, issued }) => {
    const { token } = await issued();
    const headers = { authorization: `Token ${token}` };
    for (const path of [
      '/v1/agent/v1/voice-agents',
      '/v1/agent/v2/voice-agents',
      '/v1/agent/v1/realtime/tts',
      '/metrics',
    ]) {
      const response = await fetch(url + path, { headers });
      assert.ok(response.status === 401 || response.status === 404, `${path}: ${response.status}`);
    }
    const huge = await fetch(`${url}/v1/agent/v1/voice-agents/conversation-init`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: `{"params":{"x":"${'x'.repeat(300_000)}"}}`,
    });
    assert.is(huge.status, 400);
  }));

test('no log line holds a token', () =>
  withAgentWorld(async ({ issued, begin, log }) => {
    const session = await issued();
    await begin(session);
    assert.not.ok(log().includes(session.token));
    assert.is(redact(`failed: ${session.wsUrl}/job?api_key=${session.token}`).includes(session.token), false);
    assert.is(redact(`the token ${session.token} is`), 'the token hgs_[redacted] is');
  }));

test.run();
