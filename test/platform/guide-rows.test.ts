import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HamsaClient } from '../../src/platform/rest/hamsa-client.ts';
import { allRoutes } from '../guide-server/router.ts';
import { type GuideServer, startGuideServer } from '../guide-server/server.ts';

const KEY = 'sk_live_key_of_the_guide';
/** Stands in the guide's first example and in none of its tables. */
const NO_ROW = 'GET /v1/voice-agents';

interface World {
  server: GuideServer;
  client: HamsaClient;
}

const test = suite<World>('every row of the guide, against a server that was made from the guide alone');
test.before(async (world) => {
  world.server = await startGuideServer({ apiKey: KEY });
  world.client = new HamsaClient({ apiKey: KEY, baseUrl: world.server.url, maxAttempts: 1 });
});
test.after(async ({ server, client }) => {
  await client.close();
  await server.close();
});

test('voice agents', async ({ client }) => {
  const settings = {
    name: 'Customer Support Agent',
    preamble: 'You are a helpful customer support agent...',
    greeting: 'Hello! How can I help you today?',
    language: 'en-US',
    voiceId: 'voice_abc123',
  };
  const made = await client.voiceAgents.create(settings);
  assert.equal(made, { ...settings, id: made.id });
  assert.equal(await client.voiceAgents.get(made.id), made);
  assert.equal((await client.voiceAgents.update(made.id, { greeting: 'Hi' }))['greeting'], 'Hi');
  const copy = await client.voiceAgents.clone({ voiceAgentId: made.id, name: 'Copy' });
  assert.equal([copy.name, copy.greeting, copy.id === made.id], ['Copy', 'Hi', false]);
  assert.equal(
    (await client.voiceAgents.list()).items.map(({ name }) => name),
    ['Customer Support Agent', 'Copy'],
  );
  const call = await client.voiceAgents.call({ voiceAgentId: made.id, toNumber: '+966500000000', params: { a: '1' } });
  const details = await client.conversations.get(String(call['conversationId']));
  assert.equal([details.id, details['outcomeResult']], [call['conversationId'], { a: '1' }]);
});

test('phone numbers', async ({ client }) => {
  const { id: voiceAgentId } = await client.voiceAgents.create({ name: 'Sales' });
  const added = await client.phoneNumbers.add({ number: '+966511111111', label: 'Front desk' });
  assert.is((await client.phoneNumbers.list()).items.length, 1);
  await client.phoneNumbers.assign({ phoneNumberId: added.id, voiceAgentId });
  assert.is((await client.phoneNumbers.list()).items[0]?.voiceAgentId, voiceAgentId);
  const call = await client.phoneNumbers.call({ phoneNumberId: added.id, toNumber: '+966500000001' });
  assert.is((await client.conversations.get(String(call['callId'])))['agentId'], voiceAgentId);
  assert.is((await client.phoneNumbers.unassign({ phoneNumberId: added.id }))['agentId'], undefined);
  assert.equal(await client.phoneNumbers.delete(added.id), {});
  assert.equal((await client.phoneNumbers.list()).items, []);
});

test('knowledge base', async ({ client }) => {
  const { knowledgeBase } = client;
  const text = await knowledgeBase.create({ type: 'TEXT', name: 'Hours', content: 'x'.repeat(50) });
  const file = await knowledgeBase.create({ type: 'FILE', name: 'Manual', url: 'https://example.com/manual.pdf' });
  const pages = await knowledgeBase.create({ type: 'URL', name: 'Site', urls: ['https://example.com/a'] });
  assert.equal((await knowledgeBase.addUrl(pages.id, ['https://example.com/b']))['urls'], [
    'https://example.com/a',
    'https://example.com/b',
  ]);
  assert.is((await knowledgeBase.addUrl(pages.id, 'https://example.com/c'))['id'], pages.id);
  assert.is((await knowledgeBase.update(text.id, { content: 'y'.repeat(5_000) }))['content'], 'y'.repeat(5_000));
  assert.is((await knowledgeBase.get(text.id)).type, 'TEXT');
  assert.is((await knowledgeBase.toggleActivation(file.id, false))['isActive'], false);
  assert.is((await knowledgeBase.list()).items.length, 3);
  assert.equal(await knowledgeBase.delete(file.id), {});
  assert.is((await knowledgeBase.list()).items.length, 2);
});

test('web tools', async ({ client }) => {
  const headers = [{ name: 'X-API-Key', value: 'your_custom_api_key' }];
  const made = await client.webTools.create({ name: 'Orders', url: 'https://api.example.com', method: 'GET', headers });
  assert.equal(made['headers'], headers);
  assert.is((await client.webTools.update(made.id, { description: 'D' }))['description'], 'D');
  assert.equal(await client.webTools.test({ id: made.id, params: { id: '7' } }), {});
  assert.is((await client.webTools.toggleActivation(made.id, true))['isActive'], true);
  assert.is((await client.webTools.list()).items[0]?.id, made.id);
});

test('campaigns', async ({ client }) => {
  const { id: voiceAgentId } = await client.voiceAgents.create({ name: 'Caller' });
  const contacts = [{ number: '+966500000002', params: { name: 'A' } }];
  const { id } = await client.campaigns.create({ name: 'Spring', voiceAgentId, contacts });
  assert.equal((await client.campaigns.get(id))['contacts'], contacts);
  assert.is((await client.campaigns.update(id, { name: 'Summer' }))['name'], 'Summer');
  for (const verb of ['pause', 'resume', 'cancel', 'retry'] as const) {
    assert.is((await client.campaigns[verb](id))['id'], id, verb);
  }
  assert.is((await client.campaigns.list()).items.length, 1);
});

test('conversations', async ({ client }) => {
  const { id: voiceAgentId } = await client.voiceAgents.create({ name: 'Talker', greeting: 'Welcome' });
  const call = await client.voiceAgents.call({ voiceAgentId, toNumber: '+966500000003' });
  const [listed] = (await client.conversations.list({ voiceAgentId, page: 1, limit: 10 })).items;
  assert.equal([listed?.id, listed?.voiceAgentId], [call['conversationId'], voiceAgentId]);
  const id = listed?.id ?? '';
  const details = await client.conversations.get(id);
  assert.equal(details.transcription, [{ Agent: 'Welcome' }]);
  const joined = await client.conversations.joinCall(id);
  assert.is(joined.audio, undefined);
  assert.equal(joined.details['conversationId'], id);
});

test('jobs', async ({ client }) => {
  const made = await client.jobs.transcribe({ mediaUrl: 'https://example.com/a.mp3', language: 'ar' });
  assert.is(made.status, 'PENDING');
  const seen: (string | null | undefined)[] = [];
  const done = await client.jobs.waitFor(made.id, { onProgress: ({ status }) => seen.push(status) });
  assert.equal([done.id, seen.at(-1)], [made.id, 'COMPLETED']);
  await client.jobs.textToSpeech({ text: 'Hello', voiceId: 'voice_abc123' });
  await client.jobs.aiContent({ text: 'A text.', parts: ['summary'] });
  assert.is((await client.jobs.get(made.jobId)).status, 'COMPLETED');
  assert.is((await client.jobs.list({ page: 1 })).items.length, 3);
});

test('realtime speech', async ({ client }) => {
  const speech = { text: 'Hello, how can I help you today?', voiceId: 'voice_abc123', speed: 1.0, pitch: 1.0 };
  const { audio, contentType } = await client.realtime.tts(speech);
  assert.equal([Buffer.from(audio.subarray(0, 4)).toString(), contentType], ['RIFF', 'audio/wav']);
  const stream = await client.realtime.ttsStream({ text: speech.text, voiceId: speech.voiceId });
  assert.is((await stream.bytes()).length, audio.length);
});

test('no row was left out, and each request was as the guide asks', async ({ server }) => {
  const rows = allRoutes()
    .map(({ method, path }) => `${method} ${path}`)
    .filter((row) => row !== NO_ROW);
  assert.is(rows.length, 6 + 6 + 7 + 5 + 8 + 3 + 5 + 2);
  const patterns = rows.map((row) => ({ row, pattern: new RegExp(`^${row.replaceAll('{id}', '[^/]+')}$`) }));
  const called = new Set<string>();
  for (const { method, path, headers, body } of server.requests) {
    // A literal path stands before one with an id: `…/knowledge-base/list`.
    const match = patterns.filter(({ pattern }) => pattern.test(`${method} ${path}`));
    called.add((match.find(({ row }) => row === `${method} ${path}`) ?? match[0])?.row ?? `${method} ${path}`);
    assert.is(headers['authorization'], `Token ${KEY}`);
    if (body !== undefined) assert.is(headers['content-type'], 'application/json');
  }
  assert.equal([...called].sort(), rows.sort());
});

test.run();
