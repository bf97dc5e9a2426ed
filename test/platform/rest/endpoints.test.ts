import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL_ENDPOINTS, ENDPOINTS } from '../../../src/platform/rest/endpoints.ts';
import type { HamsaClient } from '../../../src/platform/rest/hamsa-client.ts';
import { data, KEY, reply, ScriptedApi } from './scripted-api.ts';

interface World {
  api: ScriptedApi;
}

const test = suite<World>('endpoints');
test.before.each(async (world) => {
  world.api = await ScriptedApi.start();
});
test.after.each(({ api }) => api.close());

const TEXT = 'Opening hours are nine to five, from Sunday to Thursday.';
type Call = (client: HamsaClient) => Promise<unknown>;

/** Each verb by its name: how it is called, the line it must send, and the body. Written from the guide. */
const CALLS: Record<string, [Call, string, object?]> = {
  'voiceAgents.create': [(c) => c.voiceAgents.create({ name: 'A' }), 'POST /v2/voice-agents', { name: 'A' }],
  'voiceAgents.list': [(c) => c.voiceAgents.list({ page: 2, limit: 5 }), 'GET /v2/voice-agents?page=2&limit=5'],
  'voiceAgents.get': [(c) => c.voiceAgents.get('a1'), 'GET /v2/voice-agents/a1'],
  'voiceAgents.update': [
    (c) => c.voiceAgents.update('a1', { greeting: 'Hi' }),
    'PATCH /v2/voice-agents/a1',
    { greeting: 'Hi' },
  ],
  'voiceAgents.clone': [
    (c) => c.voiceAgents.clone({ voiceAgentId: 'a1' }),
    'POST /v1/voice-agents/clone',
    { voiceAgentId: 'a1' },
  ],
  'voiceAgents.call': [
    (c) => c.voiceAgents.call({ voiceAgentId: 'a1', toNumber: '+966500000000' }),
    'POST /v1/voice-agents/call',
    { voiceAgentId: 'a1', toNumber: '+966500000000' },
  ],
  'phoneNumbers.list': [(c) => c.phoneNumbers.list(), 'GET /v1/voice-agents/phone-number'],
  'phoneNumbers.add': [
    (c) => c.phoneNumbers.add({ number: '+9661', label: 'main' }),
    'POST /v1/voice-agents/phone-number',
    { number: '+9661', label: 'main' },
  ],
  'phoneNumbers.delete': [(c) => c.phoneNumbers.delete('n/1'), 'DELETE /v1/voice-agents/phone-number?id=n%2F1'],
  'phoneNumbers.assign': [
    (c) => c.phoneNumbers.assign({ phoneNumberId: 'n1', voiceAgentId: 'a1' }),
    'POST /v1/voice-agents/assign-number',
    { phoneNumberId: 'n1', voiceAgentId: 'a1' },
  ],
  'phoneNumbers.unassign': [
    (c) => c.phoneNumbers.unassign({ phoneNumberId: 'n1' }),
    'POST /v1/voice-agents/unassign',
    { phoneNumberId: 'n1' },
  ],
  'phoneNumbers.call': [
    (c) => c.phoneNumbers.call({ phoneNumberId: 'n1', toNumber: '+9662' }),
    'POST /v1/voice-agents/phone-number/call',
    { phoneNumberId: 'n1', toNumber: '+9662' },
  ],
  'knowledgeBase.create': [
    (c) => c.knowledgeBase.create({ type: 'TEXT', name: 'hours', content: TEXT }),
    'POST /v1/voice-agents/knowledge-base',
    { type: 'TEXT', name: 'hours', content: TEXT },
  ],
  'knowledgeBase.list': [(c) => c.knowledgeBase.list(), 'GET /v1/voice-agents/knowledge-base/list'],
  'knowledgeBase.get': [(c) => c.knowledgeBase.get('k1'), 'GET /v1/voice-agents/knowledge-base/k1'],
  'knowledgeBase.update': [
    (c) => c.knowledgeBase.update('k1', { name: 'times' }),
    'PATCH /v1/voice-agents/knowledge-base/k1',
    { name: 'times' },
  ],
  'knowledgeBase.delete': [(c) => c.knowledgeBase.delete('k1'), 'DELETE /v1/voice-agents/knowledge-base/k1'],
  'knowledgeBase.addUrl': [
    (c) => c.knowledgeBase.addUrl('k1', 'https://example.com/a'),
    'POST /v1/voice-agents/knowledge-base/k1/url',
    { url: 'https://example.com/a' },
  ],
  'knowledgeBase.toggleActivation': [
    (c) => c.knowledgeBase.toggleActivation('k1', false),
    'POST /v1/voice-agents/knowledge-base/toggle-activation',
    { isActive: false, id: 'k1' },
  ],
  'webTools.create': [
    (c) => c.webTools.create({ name: 'T', url: 'https://t' }),
    'POST /v2/web-tool',
    {
      name: 'T',
      url: 'https://t',
    },
  ],
  'webTools.list': [(c) => c.webTools.list(), 'GET /v2/web-tool/list'],
  'webTools.update': [(c) => c.webTools.update('t1', { method: 'POST' }), 'PATCH /v2/web-tool/t1', { method: 'POST' }],
  'webTools.test': [
    (c) => c.webTools.test({ id: 't1', params: { a: 1 } }),
    'POST /v1/voice-agents/web-tool/test-api-tool',
    { id: 't1', params: { a: 1 } },
  ],
  'webTools.toggleActivation': [
    (c) => c.webTools.toggleActivation('t1', true),
    'POST /v1/voice-agents/web-tool/toggle-activation',
    { isActive: true, id: 't1' },
  ],
  'campaigns.create': [
    (c) => c.campaigns.create({ name: 'C', contacts: [{ number: '+1' }] }),
    'POST /v1/voice-agents/campaigns',
    { name: 'C', contacts: [{ number: '+1' }] },
  ],
  'campaigns.list': [(c) => c.campaigns.list(), 'GET /v1/voice-agents/campaigns'],
  'campaigns.get': [(c) => c.campaigns.get('c1'), 'GET /v1/voice-agents/campaigns/c1'],
  'campaigns.update': [
    (c) => c.campaigns.update('c1', { name: 'D' }),
    'PATCH /v1/voice-agents/campaigns/c1',
    { name: 'D' },
  ],
  'campaigns.pause': [(c) => c.campaigns.pause('c1'), 'POST /v1/voice-agents/campaigns/c1/pause', {}],
  'campaigns.resume': [(c) => c.campaigns.resume('c1'), 'POST /v1/voice-agents/campaigns/c1/resume', {}],
  'campaigns.cancel': [(c) => c.campaigns.cancel('c1'), 'POST /v1/voice-agents/campaigns/c1/cancel', {}],
  'campaigns.retry': [(c) => c.campaigns.retry('c1'), 'POST /v1/voice-agents/campaigns/c1/retry', {}],
  'conversations.list': [
    (c) => c.conversations.list({ page: 1, status: 'COMPLETED' }),
    'POST /v1/voice-agents/conversations/list',
    { page: 1, status: 'COMPLETED' },
  ],
  'conversations.get': [(c) => c.conversations.get('v1'), 'GET /v1/voice-agents/conversation/v1'],
  'conversations.joinCall': [
    (c) => c.conversations.joinCall('v1'),
    'POST /v1/voice-agents/join-call',
    { conversationId: 'v1', jobId: 'v1' },
  ],
  'jobs.transcribe': [
    (c) => c.jobs.transcribe({ mediaUrl: 'https://m', language: 'ar' }),
    'POST /v1/jobs/transcribe',
    { mediaUrl: 'https://m', language: 'ar' },
  ],
  'jobs.textToSpeech': [
    (c) => c.jobs.textToSpeech({ text: 'مرحبا', voiceId: 'v' }),
    'POST /v1/jobs/text-to-speech',
    { text: 'مرحبا', voiceId: 'v' },
  ],
  'jobs.aiContent': [(c) => c.jobs.aiContent({ text: 't' }), 'POST /v1/jobs/ai-content', { text: 't' }],
  'jobs.get': [(c) => c.jobs.get('j&1'), 'GET /v1/jobs?jobId=j%261'],
  'jobs.list': [(c) => c.jobs.list({ page: 3 }), 'POST /v1/jobs/all', { page: 3 }],
  'realtime.tts': [
    (c) => c.realtime.tts({ text: 'hello', voiceId: 'v', speed: 1.5 }),
    'POST /v1/realtime/tts',
    { text: 'hello', voiceId: 'v', speed: 1.5 },
  ],
  'realtime.ttsStream': [
    async (c) => (await c.realtime.ttsStream({ text: 'hello', voiceId: 'v' })).bytes(),
    'POST /v1/realtime/tts-stream',
    { text: 'hello', voiceId: 'v' },
  ],
  'realtime.stt': [
    (c) => c.realtime.stt({ audio: Buffer.from('xRIFFx').subarray(1, 5), language: 'ar' }),
    'POST /v1/realtime/stt',
    { audioBase64: 'UklGRg==', isEosEnabled: false, language: 'ar' },
  ],
  'extras.voices': [(c) => c.extras.voices(), 'GET /v2/tts/voices/catalog'],
  'extras.preloadVoice': [(c) => c.extras.preloadVoice('v1'), 'POST /v2/tts/voices/custom/preload', { voiceId: 'v1' }],
  'extras.listPhoneNumbers': [(c) => c.extras.listPhoneNumbers(), 'GET /v1/voice-agents/phone-number/list'],
  'extras.assignTwilioNumber': [
    (c) => c.extras.assignTwilioNumber({ number: '+1' }),
    'POST /v1/voice-agents/twilio/assign-number',
    { number: '+1' },
  ],
  'extras.callTwilioNumber': [
    (c) => c.extras.callTwilioNumber({ toNumber: '+1' }),
    'POST /v1/voice-agents/twilio/call',
    { toNumber: '+1' },
  ],
  'extras.createWebTool': [
    (c) => c.extras.createWebTool({ name: 'T' }),
    'POST /v2/voice-agents/web-tool',
    { name: 'T' },
  ],
  'extras.listWebTools': [(c) => c.extras.listWebTools(), 'GET /v2/voice-agents/web-tool/list'],
  'extras.getWebTool': [(c) => c.extras.getWebTool('t1'), 'GET /v2/voice-agents/web-tool/t1'],
  'extras.updateWebTool': [
    (c) => c.extras.updateWebTool('t1', { name: 'U' }),
    'PATCH /v2/voice-agents/web-tool/t1',
    {
      name: 'U',
    },
  ],
  'extras.createVoiceDictionary': [
    (c) => c.extras.createVoiceDictionary({ name: 'D', words: [] }),
    'POST /v1/voice-agents/voice-dictionaries',
    { name: 'D', words: [] },
  ],
  'extras.updateVoiceDictionary': [
    (c) => c.extras.updateVoiceDictionary('d1', { name: 'E' }),
    'PATCH /v1/voice-agents/voice-dictionaries/d1',
    { name: 'E' },
  ],
  'extras.analyticsOverview': [
    (c) => c.extras.analyticsOverview({ startDate: '2026-01-01' }),
    'GET /v1/agent-analytics/overview?startDate=2026-01-01',
  ],
  'extras.analyticsPerformance': [(c) => c.extras.analyticsPerformance(), 'GET /v1/agent-analytics/performance'],
  'extras.analyticsSatisfaction': [(c) => c.extras.analyticsSatisfaction(), 'GET /v1/agent-analytics/satisfaction'],
  'extras.project': [(c) => c.extras.project(), 'GET /v1/projects/by-api-key'],
  'extras.statisticsChart': [(c) => c.extras.statisticsChart(), 'GET /v1/projects/statistics/chart'],
  'extras.statisticsNumbers': [(c) => c.extras.statisticsNumbers(), 'GET /v1/projects/statistics/numbers'],
  'extras.getAiContent': [(c) => c.extras.getAiContent('j1'), 'GET /v1/jobs/ai-content?jobId=j1'],
  'extras.customAiContent': [
    (c) => c.extras.customAiContent({ text: 't', prompt: 'p' }),
    'POST /v1/jobs/ai-content/custom',
    { text: 't', prompt: 'p' },
  ],
  'extras.estimateAiContent': [
    (c) => c.extras.estimateAiContent({ mediaUrl: 'https://m' }),
    'GET /v1/jobs/ai-content/estimate?mediaUrl=https%3A%2F%2Fm',
  ],
};

const AUDIO = Buffer.from([1, 2, 3, 4]);

test('every row of the table is called by its verb: method, path, body and headers', async ({ api }) => {
  const rows = ALL_ENDPOINTS.map(({ group, verb }) => `${group}.${verb}`);
  assert.equal(Object.keys(CALLS).sort(), rows.sort(), 'each row has its call and each call its row');
  const client = api.client();
  for (const [name, [call, line, body]] of Object.entries(CALLS)) {
    const { maxAudioBytes } = ALL_ENDPOINTS.find(({ group, verb }) => `${group}.${verb}` === name)!;
    api.seen.length = 0;
    const isList = /list|voices/i.test(name.split('.')[1]!);
    api.script = [
      maxAudioBytes !== undefined
        ? ({ response }) => response.writeHead(200, { 'content-type': 'audio/wav' }).end(AUDIO)
        : data(isList ? [{ id: 'x1' }] : { id: 'x1', text: 'hello' }),
    ];
    const result = await call(client);
    assert.is(api.seen.length, 1, name);
    const [seen] = api.seen;
    assert.is(`${seen!.method} ${seen!.url}`, line, name);
    assert.equal(seen!.body === '' ? undefined : JSON.parse(seen!.body), body, name);
    assert.is(seen!.headers.authorization, `Token ${KEY}`, name);
    assert.is(seen!.headers['content-type'], 'application/json', name);
    assert.is(seen!.headers['accept-encoding'], undefined, name);
    assert.ok(result, name);
  }
});

test('the guide’s groups have as many rows as the guide', () => {
  const counts = Object.entries(ENDPOINTS).map(([group, verbs]) => [group, Object.keys(verbs).length]);
  assert.equal(Object.fromEntries(counts.filter(([group]) => group !== 'extras')), {
    voiceAgents: 6,
    phoneNumbers: 6,
    knowledgeBase: 7,
    webTools: 5,
    campaigns: 8,
    conversations: 3,
    jobs: 5,
    realtime: 3,
  });
});

test('ids are encoded into paths, and those that would change the path are refused', async ({ api }) => {
  const client = api.client();
  const seen = async (id: string): Promise<string> => {
    await client.campaigns.pause(id);
    return api.seen.at(-1)!.url;
  };
  assert.is(await seen('a/b?c#d%2F..'), '/v1/voice-agents/campaigns/a%2Fb%3Fc%23d%252F../pause');
  assert.is(await seen('حملة 1'), `/v1/voice-agents/campaigns/${encodeURIComponent('حملة 1')}/pause`);
  assert.is(await seen('$&'), '/v1/voice-agents/campaigns/%24%26/pause');
  const sent = api.seen.length;
  for (const id of ['', '.', '..', '\ud800', 'x'.repeat(513)]) {
    const error = await client.campaigns.pause(id).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    assert.is(error?.name, 'ValidationError', JSON.stringify(id));
  }
  assert.is(api.seen.length, sent);
});

test('Bearer and headers of one’s own are sent, and a path in the base URL is kept', async ({ api }) => {
  const client = api.client({
    authScheme: 'Bearer',
    headers: { 'X-Client-ID': 'client_123' },
    baseUrl: `${api.url}/proxy/`,
  });
  await client.voiceAgents.get('a');
  const { url, headers } = api.seen[0]!;
  assert.is(url, '/proxy/v2/voice-agents/a');
  assert.is(headers.authorization, `Bearer ${KEY}`);
  assert.is(headers['x-client-id'], 'client_123');
});

test('lists come in every shape that was seen', async ({ api }) => {
  const client = api.client();
  const items = [{ id: '1', name: 'A', added: { later: true } }, { id: 2 }];
  for (const [body, total] of [
    [{ success: true, data: items }, undefined],
    [{ success: true, data: { items, total: 12 } }, 12],
    [{ success: true, data: { total: 12, filtered: 2, voiceAgents: items } }, 12],
    [items, undefined],
    [{ items, total: 2 }, 2],
    [{ data: items }, undefined],
  ] as const) {
    api.script = [reply(200, body)];
    const page = await client.voiceAgents.list();
    assert.is(page.total, total, JSON.stringify(body));
    assert.equal(page.items, [items[0], { id: '2' }], JSON.stringify(body));
  }
  api.script = [data({ items: [] })];
  assert.equal(await client.voiceAgents.list(), { items: [], total: undefined });
});

test('an answer may be bare, and may say nothing but that it was done', async ({ api }) => {
  const client = api.client();
  api.script = [reply(200, { id: 'a1', name: 'A', data: 'a field of its own' })];
  assert.is((await client.voiceAgents.get('a1')).name, 'A');
  api.script = [reply(200, { message: 'ok', previewUrl: 'x', data: { id: 'j', status: 'PENDING' } })];
  assert.is((await client.jobs.get('j')).status, 'PENDING');
  for (const body of [
    '',
    '{}',
    '{"success":true}',
    '{"success":true,"message":"paused"}',
    '{"success":true,"data":null}',
  ]) {
    api.script = [reply(200, body)];
    assert.equal(await client.campaigns.pause('c'), {}, body);
  }
  api.script = [({ response }) => response.writeHead(204).end()];
  assert.equal(await client.campaigns.pause('c'), {});
  api.script = [({ response }) => response.writeHead(200, { 'content-type': 'text/plain' }).end('OK')];
  assert.equal(await client.campaigns.pause('c'), { value: 'OK' });
});

test('all three shapes of a transcript are read, and bare text', async ({ api }) => {
  const client = api.client();
  for (const body of [
    { success: true, data: { text: 'hello there' } },
    { success: true, data: [{ text: 'hello' }, { text: 'there' }] },
    { text: 'hello there' },
  ]) {
    api.script = [reply(200, body)];
    const { text } = await client.realtime.stt({ audio: AUDIO, language: 'ar' });
    assert.is(text, 'hello there', JSON.stringify(body));
  }
  api.script = [({ response }) => response.writeHead(200, { 'content-type': 'text/plain' }).end('hello there')];
  assert.is((await client.realtime.stt({ audio: AUDIO, language: 'ar' })).text, 'hello there');
});

test('a job has both of its ids whichever the platform gives', async ({ api }) => {
  const client = api.client();
  for (const ids of [{ id: 'j1' }, { jobId: 'j1' }, { id: 'j1', jobId: 'j1' }]) {
    api.script = [data(ids)];
    const { id, jobId } = await client.jobs.transcribe({ mediaUrl: 'https://m' });
    assert.equal([id, jobId], ['j1', 'j1']);
  }
});

test.run();
