import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseWav, wavToPcm } from '../../../src/audio/wav.ts';
import { ALL_ENDPOINTS } from '../../../src/platform/rest/endpoints.ts';
import { HamsaClient } from '../../../src/platform/rest/hamsa-client.ts';
import { KEY, startPlatform, type TestPlatform } from '../platform.ts';
import { Receiver } from '../receiver.ts';
import { SENTENCES, wav16 } from '../sound.ts';

interface World {
  platform: TestPlatform;
  receiver: Receiver;
  client: HamsaClient;
}

/** The rows that were called so far. */
const called = new Set<string>();

const test = suite<World>('every endpoint');
test.before(async (world) => {
  world.platform = await startPlatform({ allowPrivateUrls: true, apiQuota: 10_000, realtimeQuota: 10_000 });
  world.receiver = await Receiver.start();
  world.client = recording(new HamsaClient({ apiKey: KEY, baseUrl: world.platform.url, maxAttempts: 1 }));
});
test.after(async ({ client, receiver, platform }) => {
  await client.close();
  await receiver.close();
  await platform.close();
});

/** Notes which method of which group is called. */
function recording(client: HamsaClient): HamsaClient {
  return new Proxy(client, {
    get(target, group) {
      const value: unknown = Reflect.get(target, group, target);
      if (typeof value === 'function') return value.bind(target);
      if (typeof value !== 'object' || value === null) return value;
      return new Proxy(value, {
        get(methods, verb) {
          const method: unknown = Reflect.get(methods, verb, methods);
          if (typeof method !== 'function') return method;
          called.add(`${String(group)}.${String(verb)}`);
          return method.bind(methods);
        },
      });
    },
  });
}

const { text, pcm } = SENTENCES[1]!;

test('voice agents are made, listed, changed, copied, and call', async ({ client }) => {
  const made = await client.voiceAgents.create({
    name: 'Support',
    greeting: text,
    params: { shop: 'riyadh' },
    added: 1,
  });
  assert.is(made['added'], 1);
  const listed = await client.voiceAgents.list();
  assert.is(listed.total, 1);
  assert.is(listed.items[0]?.id, made.id);
  assert.is((await client.voiceAgents.update(made.id, { language: 'ar' }))['language'], 'ar');
  const got = await client.voiceAgents.get(made.id);
  assert.equal([got.name, got.greeting, got.language], ['Support', text, 'ar']);
  const copy = await client.voiceAgents.clone({ voiceAgentId: made.id });
  assert.is(copy.name, 'Support (copy)');
  assert.is.not(copy.id, made.id);
  const call = await client.voiceAgents.call({
    voiceAgentId: made.id,
    toNumber: '+966500000000',
    params: { user: 'u' },
  });
  assert.equal([call['status'], call['to']], ['PENDING', '+966500000000']);
});

test('phone numbers are added, given to agents, call, and are deleted', async ({ client }) => {
  const { id: voiceAgentId } = await client.voiceAgents.create({ name: 'Sales' });
  const added = await client.phoneNumbers.add({ number: '+966511111111', label: 'Front desk' });
  assert.is((await client.phoneNumbers.list()).total, 1);
  await client.phoneNumbers.assign({ phoneNumberId: added.id, voiceAgentId });
  const call = await client.phoneNumbers.call({ phoneNumberId: added.id, toNumber: '+966500000001' });
  assert.equal([call['from'], call['voiceAgentId']], ['+966511111111', voiceAgentId]);
  assert.is((await client.phoneNumbers.unassign({ phoneNumberId: added.id }))['voiceAgentId'], null);
  const [listed] = (await client.extras.listPhoneNumbers()).items;
  assert.is(listed?.['voiceAgentId'], null);
  await client.phoneNumbers.delete(added.id);
  assert.is((await client.phoneNumbers.list()).total, 0);
  const twilio = await client.extras.assignTwilioNumber({ number: '+15550100', voiceAgentId });
  assert.is(
    (await client.extras.callTwilioNumber({ phoneNumberId: twilio['id'], toNumber: '+1' }))['from'],
    '+15550100',
  );
});

test('knowledge base items are kept, counted, switched and deleted', async ({ client }) => {
  const content = 'Opening hours are nine to five, from Sunday to Thursday.';
  const item = await client.knowledgeBase.create({ type: 'TEXT', name: 'Hours', content });
  assert.is(item['sizeBytes'], Buffer.byteLength(`Hours${content}`));
  const pages = await client.knowledgeBase.create({ type: 'URL', urls: ['https://example.com/a'] });
  assert.equal((await client.knowledgeBase.addUrl(pages.id, 'https://example.com/b'))['urls'], [
    'https://example.com/a',
    'https://example.com/b',
  ]);
  assert.is((await client.knowledgeBase.toggleActivation(item.id, false))['isActive'], false);
  await client.knowledgeBase.update(item.id, { name: 'Opening' });
  const got = await client.knowledgeBase.get(item.id);
  assert.equal([got.name, got.isActive, got['content']], ['Opening', false, content]);
  assert.is((await client.knowledgeBase.list()).total, 2);
  await client.knowledgeBase.delete(item.id);
  assert.equal(
    (await client.knowledgeBase.list()).items.map(({ id }) => id),
    [pages.id],
  );
});

test('web tools are made, changed, and really called', async ({ client, receiver }) => {
  receiver.answer = () => ({ body: '{"temperature":31}' });
  const tool = await client.webTools.create({
    name: 'weather',
    url: `${receiver.url}/weather/{city}`,
    headers: [{ name: 'X-API-Key', value: 'tool-secret' }],
  });
  await client.webTools.update(tool.id, { parameters: [{ name: 'unit', default: 'C' }] });
  assert.is((await client.webTools.list()).items.length, 1);
  const result = await client.webTools.test({ id: tool.id, params: { city: 'الرياض', days: 2 } });
  assert.equal([result['ok'], result['status'], result['body']], [true, 200, { temperature: 31 }]);
  const [seen] = receiver.received;
  assert.is(seen?.url, `/weather/${encodeURIComponent('الرياض')}?days=2&unit=C`);
  assert.is(seen?.headers['x-api-key'], 'tool-secret');
  assert.is((await client.webTools.toggleActivation(tool.id, false))['isActive'], false);
  const posted = await client.extras.createWebTool({ name: 'book', url: `${receiver.url}/book`, method: 'POST' });
  await client.extras.updateWebTool(String(posted['id']), { description: 'Books a table' });
  assert.is((await client.extras.getWebTool(String(posted['id'])))['description'], 'Books a table');
  assert.is((await client.extras.listWebTools()).total, 2);
  await client.webTools.test({ id: String(posted['id']), params: { guests: 4 } });
  assert.equal([receiver.received[1]?.method, receiver.received[1]?.body], ['POST', '{"guests":4}']);
});

test('campaigns run, and take every command', async ({ client }) => {
  const { id: voiceAgentId } = await client.voiceAgents.create({ name: 'Surveyor' });
  const campaign = await client.campaigns.create({
    name: 'Survey',
    voiceAgentId,
    contacts: [{ number: '+966522222222' }],
  });
  assert.is(campaign.status, 'RUNNING');
  assert.is((await client.campaigns.pause(campaign.id))['status'], 'PAUSED');
  assert.is((await client.campaigns.update(campaign.id, { name: 'Survey 2' }))['status'], 'PAUSED');
  assert.is((await client.campaigns.resume(campaign.id))['status'], 'RUNNING');
  assert.is((await client.campaigns.cancel(campaign.id))['status'], 'CANCELLED');
  assert.is((await client.campaigns.retry(campaign.id))['status'], 'CANCELLED');
  const got = await client.campaigns.get(campaign.id);
  assert.equal([got.name, got.status], ['Survey 2', 'CANCELLED']);
  assert.is((await client.campaigns.list()).total, 1);
});

test('a call can be listened to while it is up, and read afterwards', async ({ client }) => {
  const { id: voiceAgentId } = await client.voiceAgents.create({ name: 'Listener', greeting: text });
  const { id } = await client.voiceAgents.call({ voiceAgentId, toNumber: '+966533333333' });
  const { audio } = await client.conversations.joinCall(String(id));
  assert.is(audio?.contentType, 'audio/wav');
  const heard = parseWav(await audio!.bytes());
  assert.equal([heard.format, heard.sampleRate, heard.channels], ['linear16', 16_000, 1]);
  const samples = wavToPcm(heard);
  // The greeting is in it as it was spoken, wherever it begins.
  const loudest = pcm.indexOf(pcm.reduce((most, sample) => Math.max(most, sample), 0));
  const window = pcm.subarray(loudest - 40, loudest + 40).join();
  const at = samples.findIndex(
    (_, i) => samples[i] === pcm[loudest - 40] && samples.subarray(i, i + 80).join() === window,
  );
  assert.ok(at > 0, 'the greeting was heard');
  const call = await client.conversations.get(String(id));
  assert.is(call.status, 'COMPLETED');
  assert.equal((call.transcription as object[])[0], { Agent: text });
  assert.is((call.transcription as object[]).length, 3);
  const page = await client.conversations.list({ voiceAgentId, limit: 5 });
  assert.equal([page.total, page.items[0]?.id], [1, id]);
});

test('jobs really transcribe, speak and write', async ({ client, receiver }) => {
  receiver.answer = () => ({ body: Buffer.from(wav16(pcm), 'base64') });
  const done = async (job: { id: string }): Promise<Record<string, unknown>> =>
    (await client.jobs.waitFor(job.id)).jobResponse as Record<string, unknown>;
  const heard = await done(await client.jobs.transcribe({ mediaUrl: `${receiver.url}/a.wav`, language: 'en' }));
  assert.is(heard['text'], text);
  const spoken = await done(await client.jobs.textToSpeech({ text, voiceId: 'v' }));
  const file = await fetch(String(spoken['mediaUrl']));
  assert.is(wavToPcm(parseWav(new Uint8Array(await file.arrayBuffer()))).join(), pcm.join());
  const job = await client.jobs.aiContent({ text: 'Rain. More rain fell.', parts: ['title', 'keywords'] });
  assert.equal((await done(job))['parts'], { title: 'Rain.', keywords: ['rain', 'more', 'fell'] });
  assert.is((await client.extras.getAiContent(job.id))['status'], 'COMPLETED');
  assert.is((await client.extras.customAiContent({ text: 'a', prompt: 'b' }))['type'], 'AI_CONTENT');
  assert.is((await client.extras.estimateAiContent({ text: 'x'.repeat(1001) }))['units'], 2);
  assert.is((await client.jobs.list({ status: 'COMPLETED' })).items.length >= 3, true);
  assert.is((await client.jobs.get(job.id)).jobId, job.id);
});

test('speech at once, both ways', async ({ client }) => {
  const { audio } = await client.realtime.tts({ text });
  assert.is(wavToPcm(parseWav(audio)).join(), pcm.join());
  const streamed = await (await client.realtime.ttsStream({ text })).bytes();
  assert.is(streamed.length, pcm.byteLength);
  assert.equal(await client.realtime.stt({ audio: Buffer.from(wav16(pcm), 'base64'), language: 'en' }), { text });
});

test('the extras that are about the account', async ({ client }) => {
  assert.ok((await client.extras.voices({ limit: 100 })).items.some(({ name }) => name === 'Salem'));
  assert.is((await client.extras.preloadVoice('voice_1'))['status'], 'READY');
  const dictionary = await client.extras.createVoiceDictionary({ name: 'Places', words: [] });
  assert.is((await client.extras.updateVoiceDictionary(String(dictionary['id']), { name: 'Towns' }))['name'], 'Towns');
  assert.ok(Number((await client.extras.analyticsOverview())['totalCalls']) >= 3);
  assert.type((await client.extras.analyticsPerformance())['successRate'], 'number');
  assert.type((await client.extras.analyticsSatisfaction())['averageSentiment'], 'number');
  assert.ok((await client.extras.project())['id']);
  assert.ok(Array.isArray((await client.extras.statisticsChart())['points']));
  assert.type((await client.extras.statisticsNumbers())['agents'], 'number');
});

test('no row of the table was left out', () => {
  const rows = ALL_ENDPOINTS.map(({ group, verb }) => `${group}.${verb}`);
  assert.equal(
    rows.filter((row) => !called.has(row)),
    [],
  );
});

test.run();
