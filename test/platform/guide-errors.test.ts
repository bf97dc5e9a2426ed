import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  AuthenticationError,
  NotFoundError,
  PermissionError,
  PlatformError,
  RateLimitError,
  ServerError,
  ValidationError,
} from '../../src/platform/platform-errors.ts';
import { HamsaClient, type HamsaClientOptions } from '../../src/platform/rest/hamsa-client.ts';
import { type GuideServer, startGuideServer } from '../guide-server/server.ts';
import { rejection } from '../support/until.ts';

const KEY = 'sk_live_key_of_the_guide';

interface World {
  server: GuideServer;
  client: HamsaClient;
  open: (options?: Partial<HamsaClientOptions>) => HamsaClient;
}

const test = suite<World>('errors of the guide, by a server that was made from the guide alone');
const clients: HamsaClient[] = [];

test.before.each(async (world) => {
  world.server = await startGuideServer({ apiKey: KEY });
  world.open = (options = {}) => {
    const client = new HamsaClient({ apiKey: KEY, baseUrl: world.server.url, maxAttempts: 1, ...options });
    clients.push(client);
    return client;
  };
  world.client = world.open();
});
test.after.each(async ({ server }) => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await server.close();
});

async function failureOf(promise: Promise<unknown>): Promise<PlatformError> {
  const error = await rejection(promise);
  if (error instanceof PlatformError) return error;
  throw new Error(`${error.name} is no PlatformError`, { cause: error });
}

/** As HTTP, by which the client's own checks are passed over. */
async function send(server: GuideServer, method: string, path: string, body: string): Promise<[number, unknown]> {
  const headers = { authorization: `Token ${KEY}`, 'content-type': 'application/json' };
  const response = await fetch(server.url + path, { method, headers, body });
  return [response.status, ((await response.json()) as { error?: { code: unknown } }).error?.code];
}

/** The table of HTTP status codes: what each is here, and whether a repeat is worth it. */
const STATUSES: readonly (readonly [number, typeof PlatformError, string, number, boolean])[] = [
  [400, ValidationError, 'ERR_PLATFORM_REQUEST', 10_400, false],
  [401, AuthenticationError, 'ERR_PLATFORM_AUTH', 10_403, false],
  [403, PermissionError, 'ERR_PLATFORM_PERMISSION', 10_403, false],
  [404, NotFoundError, 'ERR_PLATFORM_NOT_FOUND', 10_404, false],
  [429, RateLimitError, 'ERR_PLATFORM_RATE', 10_429, true],
  [500, ServerError, 'ERR_PLATFORM_UNAVAILABLE', 10_500, true],
  [503, ServerError, 'ERR_PLATFORM_UNAVAILABLE', 10_503, true],
];

for (const [status, family, code, joinedCode, retryable] of STATUSES) {
  test(`${status} is a ${family.name}, of whichever kind the answer was to be`, async ({ server, client }) => {
    const speech = { text: 'Hello', voiceId: 'voice_abc123' };
    for (const call of [
      () => client.voiceAgents.list(),
      () => client.voiceAgents.create({ name: 'A' }),
      () => client.realtime.tts(speech),
      () => client.realtime.ttsStream(speech),
    ]) {
      server.failNext(status);
      const error = await failureOf(call());
      assert.instance(error, family);
      assert.equal(
        [error.code, error.status, error.joinedCode, error.part, error.retryable],
        [code, status, joinedCode, 10, retryable],
      );
      assert.is(error.retryAfterMs, status === 429 ? 1_000 : undefined);
      assert.not.match(error.message, KEY);
    }
  });

  test(`${status} is ${retryable ? 'asked again' : 'final'} for what may be repeated`, async ({ server, open }) => {
    const client = open({ maxAttempts: 3 });
    server.failNext(status);
    const list = client.voiceAgents.list();
    if (retryable) assert.equal((await list).items, []);
    else assert.instance(await failureOf(list), family);
    assert.is(server.requests.length, retryable ? 2 : 1);
  });
}

test('a wrong key is 401 with 10403, over REST', async ({ open }) => {
  const error = await failureOf(open({ apiKey: 'sk_live_wrong_key' }).voiceAgents.list());
  assert.instance(error, AuthenticationError);
  assert.equal([error.status, error.joinedCode], [401, 10_403]);
  const bearer = await failureOf(open({ authScheme: 'Bearer' }).voiceAgents.list());
  assert.instance(bearer, AuthenticationError, 'the guide knows Token only');
});

test('a hundred requests of a minute are taken, and the next one is told when to come again', async ({ client }) => {
  for (let n = 0; n < 100; n++) await client.voiceAgents.list();
  const error = await failureOf(client.voiceAgents.list());
  assert.instance(error, RateLimitError);
  assert.ok(error.retryAfterMs! > 50_000 && error.retryAfterMs! <= 60_000, `${error.retryAfterMs} ms`);
  await client.realtime.tts({ text: 'The realtime rows are counted apart', voiceId: 'v' });
});

test('what the server refuses is a ValidationError or a NotFoundError', async ({ server, client }) => {
  const agent = await client.voiceAgents.create({ name: 'A' });
  const number = await client.phoneNumbers.add({ number: '+966511111111' });
  const item = await client.knowledgeBase.create({ type: 'TEXT', content: 'x'.repeat(50) });
  const campaign = await client.campaigns.create({ name: 'C' });
  await client.campaigns.cancel(campaign.id);
  const speech = { text: 'Hello', voiceId: 'v' };
  const refused: readonly (() => Promise<unknown>)[] = [
    () => client.voiceAgents.create({ name: ' ' }),
    () => client.voiceAgents.create({ name: 'A', greeting: 7 as never }),
    () => client.voiceAgents.update(agent.id, {}),
    () => client.voiceAgents.update(agent.id, { language: [] as never }),
    () => client.phoneNumbers.add({ number: 'none' }),
    () => client.phoneNumbers.call({ phoneNumberId: number.id, toNumber: 'none' }),
    () => client.phoneNumbers.call({ phoneNumberId: number.id, toNumber: '+966500000000' }),
    () => client.knowledgeBase.addUrl(item.id, 'https://example.com/'),
    () => client.webTools.create({} as never),
    () => client.campaigns.create({} as never),
    () => client.campaigns.pause(campaign.id),
    () => client.campaigns.resume(campaign.id),
    () => client.jobs.transcribe({} as never),
    () => client.realtime.tts({ ...speech, text: '' }),
    () => client.realtime.tts({ text: 'Hello' }),
    () => client.realtime.ttsStream({ ...speech, speed: 0 }),
    () => client.realtime.ttsStream({ ...speech, pitch: 1_000 }),
  ];
  for (const call of refused) {
    const error = await failureOf(call());
    assert.instance(error, ValidationError, String(call));
    assert.equal([error.status, error.joinedCode], [400, 10_400], String(call));
  }
  const unknown = 'none_0123456789ab';
  const missing: readonly (() => Promise<unknown>)[] = [
    () => client.voiceAgents.get(unknown),
    () => client.voiceAgents.update(unknown, { name: 'B' }),
    () => client.voiceAgents.clone({ voiceAgentId: unknown }),
    () => client.voiceAgents.call({ voiceAgentId: unknown, toNumber: '+966500000000' }),
    () => client.phoneNumbers.delete(unknown),
    () => client.phoneNumbers.assign({ phoneNumberId: unknown, voiceAgentId: agent.id }),
    () => client.phoneNumbers.assign({ phoneNumberId: number.id, voiceAgentId: unknown }),
    () => client.phoneNumbers.unassign({ phoneNumberId: unknown }),
    () => client.knowledgeBase.get(unknown),
    () => client.knowledgeBase.update(unknown, { name: 'B' }),
    () => client.knowledgeBase.delete(unknown),
    () => client.knowledgeBase.addUrl(unknown, 'https://example.com/'),
    () => client.knowledgeBase.toggleActivation(unknown, true),
    () => client.webTools.update(unknown, { name: 'B' }),
    () => client.webTools.toggleActivation(unknown, true),
    ...(['pause', 'resume', 'cancel', 'retry', 'get'] as const).map((verb) => () => client.campaigns[verb](unknown)),
    () => client.campaigns.update(unknown, { name: 'B' }),
    () => client.conversations.get(unknown),
    () => client.conversations.joinCall(unknown),
    () => client.jobs.get(unknown),
    () => client.extras.project(),
  ];
  for (const call of missing) {
    const error = await failureOf(call());
    assert.instance(error, NotFoundError, String(call));
    assert.equal([error.status, error.joinedCode], [404, 10_404], String(call));
  }
  for (const body of ['', '[]', '{', '"text"']) {
    assert.equal(await send(server, 'POST', '/v2/voice-agents', body), [400, '10400'], body);
  }
});

/** Items of the knowledge base, and whether the guide allows them. */
const ITEMS: readonly (readonly [Readonly<Record<string, unknown>>, boolean])[] = [
  [{ type: 'TEXT', content: 'x'.repeat(49) }, false],
  [{ type: 'TEXT', content: 'x'.repeat(50) }, true],
  [{ type: 'TEXT', content: '😀'.repeat(49) }, false],
  [{ type: 'TEXT', content: '😀'.repeat(5_000) }, true],
  [{ type: 'TEXT', content: 'x'.repeat(5_001) }, false],
  [{ type: 'URL', urls: Array.from({ length: 100 }, (_, n) => `https://example.com/${n}`) }, true],
  [{ type: 'URL', urls: Array.from({ length: 101 }, (_, n) => `https://example.com/${n}`) }, false],
  [{ type: 'VIDEO', url: 'https://example.com/' }, false],
];

test('both readings of the knowledge base’s limits are the same, and the client refuses before it sends', async ({
  server,
  client,
}) => {
  for (const [item, isAllowed] of ITEMS) {
    const label = JSON.stringify(item).slice(0, 60);
    const [status] = await send(server, 'POST', '/v1/voice-agents/knowledge-base', JSON.stringify(item));
    assert.is(status, isAllowed ? 200 : 400, label);
    const sentBefore = server.requests.length;
    const created = client.knowledgeBase.create(item as never);
    if (isAllowed) await created;
    else assert.instance(await failureOf(created), ValidationError, label);
    assert.is(server.requests.length - sentBefore, isAllowed ? 1 : 0, label);
  }
  for (const kind of ['pdf', 'docs', 'docx', 'doc', 'txt', 'html', 'epub', 'PDF', 'exe', 'png']) {
    const isAllowed = !['exe', 'png'].includes(kind);
    const form = new FormData();
    form.set('type', 'FILE');
    form.set('file', new Blob(['content']), `manual.${kind}`);
    const headers = { authorization: `Token ${KEY}` };
    const upload = await fetch(`${server.url}/v1/voice-agents/knowledge-base`, { method: 'POST', headers, body: form });
    assert.is(upload.status, isAllowed ? 200 : 400, kind);
    const created = client.knowledgeBase.create({ type: 'FILE', url: `https://example.com/manual.${kind}` });
    if (isAllowed) await created;
    else assert.instance(await failureOf(created), ValidationError, kind);
  }
});

test.run();
