import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeClock } from '../support/fake-clock.ts';
import { KEY, startPlatform, type TestPlatform } from './platform.ts';
import { Receiver } from './receiver.ts';

interface World {
  clock: FakeClock;
  platform: TestPlatform;
  receiver: Receiver;
}

interface Event {
  readonly eventType: string;
  readonly callId: string;
  readonly timestamp: string;
  readonly data?: { readonly data?: Record<string, unknown> };
  readonly [field: string]: unknown;
}

const test = suite<World>('simulated calls');
test.before.each(async (world) => {
  world.clock = new FakeClock();
  world.platform = await startPlatform({ clock: world.clock, allowPrivateUrls: true, apiQuota: 10_000 });
  world.receiver = await Receiver.start();
});
test.after.each(async ({ platform, receiver }) => {
  await receiver.close();
  await platform.close();
});

const HOUR_MS = 3_600_000;

/** Lets time pass in small steps, each after the events of the last, until `holds`. */
async function pass(clock: FakeClock, what: string, holds: () => boolean | Promise<boolean>): Promise<number> {
  const startMs = clock.nowMs();
  const giveUpAtMs = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs || clock.nowMs() - startMs > HOUR_MS) throw new Error(`in vain: ${what}`);
    clock.advance(50);
    await setImmediate();
  }
  return clock.nowMs() - startMs;
}

async function create(platform: TestPlatform, path: string, body: object): Promise<Record<string, unknown>> {
  const answer = (await (await platform.post(path, body)).json()) as { data: Record<string, unknown>; error?: object };
  assert.ok(answer.data, JSON.stringify(answer));
  return answer.data;
}

async function get(platform: TestPlatform, path: string): Promise<Record<string, unknown>> {
  const answer = await fetch(platform.url + path, { headers: { authorization: `Token ${KEY}` } });
  return ((await answer.json()) as { data: Record<string, unknown> }).data;
}

const eventsOf = (receiver: Receiver): Event[] =>
  receiver.received.filter(({ url }) => url === '/webhook').map(({ body }) => JSON.parse(body) as Event);

/** An agent that tells the receiver what happens, and a call of it that has ended. */
async function callWithEvents({ platform, receiver, clock }: World, agent: object = {}): Promise<string> {
  const webhookAuth = { authKey: 'bearer', authSecret: 'Bearer hook-secret' };
  const made = {
    name: 'Support',
    webhookUrl: `${receiver.url}/webhook`,
    webhookAuth,
    greeting: 'Hello {{application_id}}!',
    ...agent,
  };
  const { id } = await create(platform, '/v2/voice-agents', made);
  const params = { application_id: '12345' };
  const call = await create(platform, '/v1/voice-agents/call', { voiceAgentId: id, toNumber: '+966500000000', params });
  const path = `/v1/voice-agents/conversation/${String(call['id'])}`;
  await pass(clock, 'the end of the call', async () => (await get(platform, path))['status'] === 'COMPLETED');
  return String(call['id']);
}

test('a call tells its webhook all five events with the guide’s payload', async (world) => {
  const { platform, receiver, clock } = world;
  receiver.answer = ({ url }) => (url === '/webhook' ? {} : { body: '{"order":"shipped"}' });
  const tool = { name: 'order', url: `${receiver.url}/order/{application_id}`, method: 'GET' };
  await create(platform, '/v2/web-tool', tool);
  const callId = await callWithEvents(world);
  await pass(clock, 'call.ended', () => eventsOf(receiver).some(({ eventType }) => eventType === 'call.ended'));
  const events = eventsOf(receiver);
  assert.equal(
    events.map(({ eventType }) => eventType),
    [
      'call.started',
      'call.answered',
      'transcription.update',
      'transcription.update',
      'tool.executed',
      'transcription.update',
      'call.ended',
    ],
  );
  assert.is(new Set(events.map(({ timestamp }) => timestamp)).size, events.length);
  for (const { headers } of receiver.received.filter(({ url }) => url === '/webhook')) {
    assert.is(headers.authorization, 'Bearer hook-secret');
    assert.is(headers['content-type'], 'application/json');
  }
  assert.ok(receiver.received.some(({ url }) => url === '/order/12345'));
  const executed = events[4]!.data?.data;
  assert.equal(
    [executed?.['toolName'], executed?.['success'], executed?.['result']],
    ['order', true, { order: 'shipped' }],
  );
  assert.equal(events[2]!.data?.data?.['transcription'], [{ Agent: 'Hello 12345!' }]);
  const { data, timestamp, projectId, agentId, agentName, ...rest } = events.at(-1)!;
  assert.equal(rest, { eventType: 'call.ended', callId });
  assert.is(agentName, 'Support');
  assert.type(projectId, 'string');
  assert.type(agentId, 'string');
  const conversation = await get(platform, `/v1/voice-agents/conversation/${callId}`);
  const { conversationId, conversationRecording, transcription, outcomeResult, ...others } = data!.data!;
  assert.equal(others, {});
  assert.equal(data, { timestamp, data: data!.data });
  assert.is(conversationId, callId);
  assert.is(conversationRecording, conversation['conversationRecording']);
  assert.equal(transcription, conversation['transcription']);
  assert.equal(outcomeResult, { application_id: '12345', resolved: true, sentiment_score: 0.8 });
  const recording = await fetch(String(conversationRecording));
  assert.is(recording.headers.get('content-type'), 'audio/wav');
  assert.ok((await recording.arrayBuffer()).byteLength > 44 + 32_000);
});

test('a delivery is repeated with backoff until it is answered with 200 within five seconds', async (world) => {
  const { receiver, clock } = world;
  const attemptsMs: number[] = [];
  receiver.answer = ({ body }) => {
    if (!body.includes('call.started')) return {};
    attemptsMs.push(clock.nowMs());
    if (attemptsMs.length === 1) return { status: 500 };
    if (attemptsMs.length === 2) return undefined;
    return attemptsMs.length === 3 ? { status: 201 } : {};
  };
  await callWithEvents(world);
  await pass(clock, 'the fourth attempt', () => attemptsMs.length === 4);
  const waitsMs = attemptsMs.slice(1).map((atMs, i) => atMs - attemptsMs[i]!);
  // 1 s; 5 s without an answer and 2 s; 4 s. The clock moves in steps while requests are under way.
  for (const [i, expectedMs] of [1000, 7000, 4000].entries()) {
    assert.ok(waitsMs[i]! >= expectedMs && waitsMs[i]! < expectedMs + 1000, `${waitsMs.join(', ')} ms`);
  }
  await pass(clock, 'nothing more', () => clock.nowMs() > attemptsMs[3]! + 60_000);
  assert.is(attemptsMs.length, 4);
  const bodies = receiver.received.filter(({ body }) => body.includes('call.started')).map(({ body }) => body);
  assert.is(new Set(bodies).size, 1, 'a repeated delivery is the same, so that it can be recognised');
});

test('after six attempts a delivery is given up', async (world) => {
  const { platform, receiver, clock } = world;
  receiver.answer = ({ body }) => ({ status: body.includes('call.ended') ? 503 : 200 });
  await callWithEvents(world);
  await pass(clock, 'giving up', () => platform.lines.some((line) => line.includes('never answered with 200')));
  assert.is(eventsOf(receiver).filter(({ eventType }) => eventType === 'call.ended').length, 6);
});

test('duplicates, partial payloads and late deliveries come on demand', async (world) => {
  const { platform, receiver, clock } = world;
  await platform.fault(
    { fault: 'duplicate', at: 'webhook', event: 'call.answered' },
    { fault: 'partial', at: 'webhook', event: 'call.ended' },
    { fault: 'delay', at: 'webhook', event: 'call.started', ms: 3000 },
  );
  await callWithEvents(world);
  await pass(clock, 'call.ended', () => eventsOf(receiver).some(({ eventType }) => eventType === 'call.ended'));
  const events = eventsOf(receiver);
  const answered = events.filter(({ eventType }) => eventType === 'call.answered');
  assert.is(answered.length, 2);
  assert.equal(answered[0], answered[1]);
  const ended = events.at(-1)!;
  assert.is(ended.data?.data?.['outcomeResult'], undefined);
  assert.ok(ended.data?.data?.['transcription']);
});

test('a secret without Bearer gets it, and another key is the name of a header', async (world) => {
  const { receiver } = world;
  await callWithEvents(world, { webhookAuth: { authKey: 'bearer', authSecret: 'bare' } });
  assert.is(receiver.received[0]?.headers.authorization, 'Bearer bare');
  const before = receiver.received.length;
  await callWithEvents(world, { webhookAuth: { authKey: 'X-Hook-Key', authSecret: 'own' } });
  assert.equal(
    [receiver.received[before]?.headers['x-hook-key'], receiver.received[before]?.headers.authorization],
    ['own', undefined],
  );
  for (const line of world.platform.lines) assert.not.match(line, /hook-secret|"own"|bare/);
});

test('neither webhooks nor tools reach this machine unless that is allowed', async ({ receiver, clock }) => {
  const platform = await startPlatform({ clock, apiQuota: 10_000 });
  try {
    await callWithEvents({ platform, receiver, clock });
    const tool = { name: 'T', url: receiver.url };
    const { id } = await create(platform, '/v2/web-tool', tool);
    for (const body of [{ id }, tool, { url: 'http://169.254.169.254/latest/meta-data' }, { url: 'http://[::1]/' }]) {
      const answer = await platform.post('/v1/voice-agents/web-tool/test-api-tool', body);
      assert.is(answer.status, 400);
      assert.match(await answer.text(), 'may not be called');
    }
    const job = await create(platform, '/v1/jobs/transcribe', { mediaUrl: `${receiver.url}/a.wav` });
    await pass(
      clock,
      'the job',
      async () => (await get(platform, `/v1/jobs?jobId=${String(job['id'])}`))['status'] === 'FAILED',
    );
    assert.is(receiver.received.length, 0);
  } finally {
    await platform.close();
  }
});

test('a tool that fails is told as that, and the call goes on', async (world) => {
  const { platform, receiver } = world;
  receiver.answer = ({ url }) => (url === '/broken' ? { status: 500, body: 'oops' } : {});
  await create(platform, '/v2/web-tool', { name: 'broken', url: `${receiver.url}/broken` });
  await create(platform, '/v2/web-tool', { name: 'nowhere', url: 'http://127.0.0.1:1/' });
  await create(platform, '/v2/web-tool', {
    name: 'needs',
    url: receiver.url,
    parameters: [{ name: 'x', required: true }],
  });
  const id = await callWithEvents(world);
  const { toolCalls } = await get(platform, `/v1/voice-agents/conversation/${id}`);
  const told = (toolCalls as { name: string; ok: boolean }[]).map(({ name, ok }) => `${name} ${ok}`);
  assert.equal(told, ['broken false', 'nowhere false', 'needs false']);
});

test('a campaign calls its contacts one after the other, and retry calls those again who did not answer', async (world) => {
  const { platform, clock } = world;
  await platform.fault({ fault: 'unanswered', at: 'call', number: '+2', reason: 'busy' });
  const { id: voiceAgentId } = await create(platform, '/v2/voice-agents', { name: 'Surveyor' });
  const contacts = ['+1', '+2', '+3'].map((number) => ({ number, params: { number } }));
  const { id } = await create(platform, '/v1/voice-agents/campaigns', { name: 'Survey', voiceAgentId, contacts });
  const path = `/v1/voice-agents/campaigns/${String(id)}`;
  const campaign = async (): Promise<{ status: string; contacts: Record<string, unknown>[] }> =>
    (await get(platform, path)) as never;
  let mostAtOnce = 0;
  await pass(clock, 'the campaign', async () => {
    const { status, contacts: now } = await campaign();
    mostAtOnce = Math.max(mostAtOnce, now.filter((contact) => contact['status'] === 'CALLING').length);
    return status === 'COMPLETED';
  });
  assert.is(mostAtOnce, 1);
  const { contacts: called } = await campaign();
  assert.equal(
    called.map(({ status, attempts }) => `${String(status)} ${String(attempts)}`),
    ['COMPLETED 1', 'FAILED 1', 'COMPLETED 1'],
  );
  const failed = await get(platform, `/v1/voice-agents/conversation/${String(called[1]!['conversationId'])}`);
  assert.equal([failed['status'], failed['reason'], failed['transcription']], ['FAILED', 'busy', []]);
  const reached = await get(platform, `/v1/voice-agents/conversation/${String(called[2]!['conversationId'])}`);
  assert.is((reached['transcription'] as object[]).length, 3);
  assert.equal(reached['params'], { number: '+3' });
  for (const verb of ['pause', 'resume', 'cancel', 'cancel']) {
    assert.is((await create(platform, `${path}/${verb}`, {}))['status'], 'COMPLETED', verb);
  }
  assert.is((await create(platform, `${path}/retry`, {}))['status'], 'RUNNING');
  await pass(clock, 'the retry', async () => (await campaign()).status === 'COMPLETED');
  assert.equal(
    (await campaign()).contacts.map(({ status, attempts }) => `${String(status)} ${String(attempts)}`),
    ['COMPLETED 1', 'COMPLETED 2', 'COMPLETED 1'],
  );
  assert.is((await create(platform, `${path}/retry`, {}))['status'], 'COMPLETED');
  const page = await create(platform, '/v1/voice-agents/conversations/list', { campaignId: id, status: 'completed' });
  assert.is(page['total'], 3);
});

test('a paused campaign calls nobody until it is resumed, and a cancelled one nobody any more', async (world) => {
  const { platform, clock } = world;
  const { id: voiceAgentId } = await create(platform, '/v2/voice-agents', { name: 'Surveyor' });
  const contacts = ['+1', '+2', '+3'].map((number) => ({ number }));
  const { id, status } = await create(platform, '/v1/voice-agents/campaigns', { name: 'Survey', contacts });
  assert.is(status, 'DRAFT');
  const path = `/v1/voice-agents/campaigns/${String(id)}`;
  const update = await fetch(platform.url + path, {
    method: 'PATCH',
    headers: { authorization: `Token ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ voiceAgentId }),
  });
  assert.is(((await update.json()) as { data: { status: string } }).data.status, 'RUNNING');
  const statuses = async (): Promise<unknown[]> =>
    ((await get(platform, path))['contacts'] as { status: string }[]).map((contact) => contact.status);
  for (const _ of [1, 2]) assert.is((await create(platform, `${path}/pause`, {}))['status'], 'PAUSED');
  await pass(clock, 'the first call', async () => (await statuses())[0] === 'COMPLETED');
  const pausedAtMs = clock.nowMs();
  await pass(clock, 'a minute', () => clock.nowMs() > pausedAtMs + 60_000);
  assert.equal(await statuses(), ['COMPLETED', 'PENDING', 'PENDING']);
  for (const _ of [1, 2]) assert.is((await create(platform, `${path}/resume`, {}))['status'], 'RUNNING');
  await pass(clock, 'the second call', async () => (await statuses())[1] === 'CALLING');
  for (const _ of [1, 2]) assert.is((await create(platform, `${path}/cancel`, {}))['status'], 'CANCELLED');
  await pass(clock, 'its end', async () => (await statuses())[1] === 'COMPLETED');
  assert.equal(await statuses(), ['COMPLETED', 'COMPLETED', 'CANCELLED']);
});

test('calls, jobs and deliveries end with the platform', async ({ platform, receiver, clock }) => {
  receiver.answer = () => undefined;
  const { id: voiceAgentId } = await create(platform, '/v2/voice-agents', { name: 'A', webhookUrl: receiver.url });
  await create(platform, '/v1/voice-agents/call', { voiceAgentId, toNumber: '+1' });
  const contacts = [{ number: '+1' }, { number: '+2' }];
  await create(platform, '/v1/voice-agents/campaigns', { name: 'C', voiceAgentId, contacts });
  for (let i = 0; i < 4; i++) await create(platform, '/v1/jobs/transcribe', { mediaUrl: receiver.url });
  await pass(clock, 'the requests', () => receiver.received.length >= 3);
  await platform.close();
  assert.is(clock.timers, 0);
});

test.run();
