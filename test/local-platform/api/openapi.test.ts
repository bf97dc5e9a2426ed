import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Endpoint, group, post } from '../../../src/platform/rest/endpoint.ts';
import { ALL_ENDPOINTS } from '../../../src/platform/rest/endpoints.ts';
import { buildRequest } from '../../../src/platform/rest/request.ts';
import { KEY, startPlatform, type TestPlatform } from '../platform.ts';
import { Receiver } from '../receiver.ts';
import { fillIn, type Sample, SAMPLES } from './samples.ts';

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: object } } };
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: object }> }>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: { readonly Failure: object } };
}

interface World {
  platform: TestPlatform;
  receiver: Receiver;
  document: Document;
}

const test = suite<World>('OpenAPI document');
test.before(async (world) => {
  world.platform = await startPlatform({ allowPrivateUrls: true, apiQuota: 10_000 });
  world.receiver = await Receiver.start();
  world.document = (await (await fetch(`${world.platform.url}/openapi.json`)).json()) as Document;
});
test.after(async ({ platform, receiver }) => {
  await receiver.close();
  await platform.close();
});

/** The client's table, and what the vendor's SDK begins a conversation with, which is none of its rows. */
const ENDPOINTS: readonly Endpoint[] = [
  ...ALL_ENDPOINTS,
  group('extras', { beginConversation: post('once', '/v1/voice-agents/conversation-init', 'Begin a conversation.') })
    .beginConversation,
];

const BEGIN: Sample = { body: { voiceAgentId: '@agent', voiceEnablement: true, params: { a: 1 }, tools: [] } };

const lineOf = (method: string, path: string): string => `${method.toUpperCase()} ${path}`;

function operations({ paths }: Document): Map<string, Operation> {
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [lineOf(method, path), operation]),
  );
  return new Map(rows);
}

test('it has every endpoint, under its name, and no other', ({ document }) => {
  const described = [...operations(document)].map(([line, { operationId }]) => `${line} ${operationId}`);
  const table = ENDPOINTS.map(({ method, path, group, verb }) => `${lineOf(method, path)} ${group}.${verb}`);
  assert.equal(described.sort(), table.sort());
  assert.is(document.openapi, '3.1.0');
});

test('extras are marked', ({ document }) => {
  for (const { operationId, tags } of operations(document).values()) {
    assert.is(tags.includes('extras'), operationId.startsWith('extras.'), operationId);
  }
});

/** Formats are left out: ajv knows them by a package of its own. A uuid has a pattern besides. */
function compile(schema: object): ValidateFunction {
  return new Ajv2020({ allErrors: true, validateFormats: false }).compile(schema);
}

test('every operation takes what it says and answers what it says', async ({ platform, receiver, document }) => {
  const described = operations(document);
  const ids = new Map([['receiver', receiver.url]]);
  const left = new Set(ENDPOINTS.map(({ group, verb }) => `${group}.${verb}`));
  for (const [name, sample] of Object.entries({ ...SAMPLES, 'extras.beginConversation': BEGIN })) {
    const endpoint = ENDPOINTS.find(({ group, verb }) => `${group}.${verb}` === name)!;
    const operation = described.get(lineOf(endpoint.method, endpoint.path))!;
    left.delete(name);
    const input = fillIn(sample, ids);
    const { method, path, body } = buildRequest(endpoint, input);
    const bodySchema = operation.requestBody?.content['application/json'].schema;
    if (bodySchema && body !== undefined) {
      const isBody = compile(bodySchema);
      assert.ok(isBody(JSON.parse(body)), `${name}: ${JSON.stringify(isBody.errors)}`);
    }
    const headers = { authorization: `Token ${KEY}`, 'content-type': 'application/json' };
    const answer = await fetch(platform.url + path, { method, headers, ...(body === undefined ? {} : { body }) });
    const content = operation.responses['200']!.content!;
    const type = answer.headers.get('content-type')!.split(';', 1)[0]!;
    assert.is(answer.status, 200, `${name}: ${answer.status === 200 ? '' : await answer.text()}`);
    assert.ok(type in content, `${name}: ${type}`);
    assert.is(answer.headers.get('x-ratelimit-limit'), endpoint.group === 'realtime' ? '100' : '10000', name);
    if (type !== 'application/json') {
      await answer.arrayBuffer();
      continue;
    }
    const json = (await answer.json()) as { data: { id: string } };
    const isAnswer = compile(content[type]!.schema);
    assert.ok(isAnswer(json), `${name}: ${JSON.stringify(isAnswer.errors)} ${JSON.stringify(json)}`);
    if (sample.makes !== undefined) ids.set(sample.makes, json.data.id);
  }
  assert.equal([...left], []);
});

test('refusals are what it says they are', async ({ platform, document }) => {
  const isFailure = compile(document.components.schemas.Failure);
  for (const [line] of operations(document)) {
    const [method, path] = line.split(' ') as [string, string];
    const answer = await fetch(platform.url + path.replace('{id}', 'none'), { method });
    assert.is(answer.status, 401, line);
    assert.ok(isFailure(await answer.json()), line);
  }
});

test.run();
