import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { api as runApi } from '../../src/apps/api.ts';
import { humanText, progressText } from '../../src/apps/api-output.ts';
import { ALL_ENDPOINTS } from '../../src/platform/rest/endpoints.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { data, KEY, reply, ScriptedApi } from '../platform/rest/scripted-api.ts';

interface World {
  api: ScriptedApi;
  folder: string;
}

const test = suite<World>('api command');
test.before.each(async (world) => {
  world.api = await ScriptedApi.start();
  world.folder = await mkdtemp(join(tmpdir(), 'api-'));
});
test.after.each(async ({ api, folder }) => {
  await api.close();
  await rm(folder, { recursive: true });
});

class Screen extends Writable {
  readonly isTTY: boolean;
  readonly #chunks: Buffer[] = [];

  constructor(isTTY = false) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }
}

interface Outcome {
  readonly code: number;
  readonly stdout: Screen;
  readonly stderr: Screen;
}

async function run(
  api: ScriptedApi,
  args: string[],
  env: NodeJS.ProcessEnv = {},
  screen: { readonly isTTY?: boolean; readonly clock?: FakeClock } = {},
): Promise<Outcome> {
  const { isTTY = false, clock = new FakeClock() } = screen;
  const [stdout, stderr] = [new Screen(isTTY), new Screen(isTTY)];
  const full = { HAMSA_API_KEY: KEY, HAMSA_BASE_URL: api.url, ...env };
  return { code: await runApi(args, { env: full, stdout, stderr, clock }), stdout, stderr };
}

test('lists as a table, and as JSON', async ({ api }) => {
  const agents = [
    { id: 'a1', name: 'Support', status: 'ACTIVE', tools: { x: 1 } },
    { id: 'a2', name: 'Sales' },
  ];
  api.script = [data({ total: 5, voiceAgents: agents })];
  const human = await run(api, ['voice-agents', 'list', '--page', '2']);
  assert.is(human.stdout.text, 'id  name     status\na1  Support  ACTIVE\na2  Sales\n2 of 5\n');
  assert.is(human.code, 0);
  assert.is(api.seen[0]?.url, '/v2/voice-agents?page=2');
  assert.is(api.seen[0]?.headers.authorization, `Token ${KEY}`);
  const json = await run(api, ['voice-agents', 'list', '--json']);
  assert.equal(JSON.parse(json.stdout.text), { total: 5, voiceAgents: agents });
  assert.is(json.stdout.text.trim().split('\n').length, 1);
  api.script = [data([])];
  assert.is((await run(api, ['campaigns', 'list'])).stdout.text, 'none\n');
});

test('creates from flags, from --data, and from a file, of which flags win', async ({ api, folder }) => {
  const file = join(folder, 'agent.json');
  await writeFile(file, '{"name":"from file","greeting":"hello"}');
  const sent = async (...args: string[]): Promise<unknown> => {
    const { code, stderr } = await run(api, ['voice-agents', 'create', ...args]);
    assert.is(code, 0, stderr.text);
    return JSON.parse(api.seen.at(-1)!.body);
  };
  assert.equal(await sent('--name', 'A', '--greeting', 'مرحبا', '--voice-id', 'v', '--params', '{"a":1}'), {
    name: 'A',
    greeting: 'مرحبا',
    voiceId: 'v',
    params: { a: 1 },
  });
  assert.equal(await sent('--data', '{"name":"B","unknown":[1]}'), { name: 'B', unknown: [1] });
  assert.equal(await sent('--data', `@${file}`, '--name', 'C'), { name: 'C', greeting: 'hello' });
});

test('every verb of the table can be called, with its id where it has one', async ({ api, folder }) => {
  const file = join(folder, 'utterance.wav');
  await writeFile(file, 'RIFF');
  for (const endpoint of ALL_ENDPOINTS) {
    const { group, verb, id, fields, maxAudioBytes, method } = endpoint;
    const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const example = { text: 'txt', number: '3', flag: 'true', list: 'https://a.example,https://b.example', json: '{}' };
    const flags = Object.entries(fields).flatMap(([field, kind]) => {
      const text = field === 'type' ? 'URL' : field === 'url' ? 'https://a.example' : undefined;
      const value = text ?? (kind === 'base64' ? file : example[kind]);
      return id?.names.includes(field) ? [] : [`--${kebab(field)}`, value];
    });
    api.script = [
      maxAudioBytes === undefined
        ? data({ id: 'x' })
        : ({ response }) => response.writeHead(200, { 'content-type': 'audio/wav' }).end('PCM'),
    ];
    const args = [kebab(group), kebab(verb), ...(id ? ['the-id'] : []), ...flags];
    const { code, stderr } = await run(api, args);
    assert.is(code, 0, `${args.join(' ')}: ${stderr.text}`);
    const seen = api.seen.at(-1)!;
    assert.is(seen.method, method);
    if (id) assert.match(id.in === 'body' ? seen.body : seen.url, 'the-id');
    if (fields['page']) assert.match(seen.url + seen.body, /page[=":]+3/);
  }
});

test('says done when the platform says nothing else', async ({ api }) => {
  api.script = [reply(200, { success: true, message: 'paused' })];
  const { code, stdout } = await run(api, ['campaigns', 'pause', 'c 1']);
  assert.is(stdout.text, 'done\n');
  assert.is(code, 0);
  assert.is(api.seen[0]?.url, '/v1/voice-agents/campaigns/c%201/pause');
});

test('waits for a job and draws how far it is, on a terminal only', async ({ api }) => {
  const states = [
    data({ id: 'j1', status: 'PENDING' }),
    data({ id: 'j1', status: 'PROCESSING', progress: 50 }),
    data({ id: 'j1', status: 'COMPLETED', progress: 100, jobResponse: { text: 'hello' } }),
  ];
  api.script = states;
  const clock = new FakeClock();
  const args = ['jobs', 'transcribe', '--media-url', 'https://m', '--wait', '--json'];
  const showing = run(api, args, {}, { isTTY: true, clock });
  while (api.seen.length < 3) {
    clock.advance(100);
    await setImmediate();
  }
  const shown = await showing;
  assert.is(shown.code, 0, shown.stderr.text);
  assert.equal(JSON.parse(shown.stdout.text).jobResponse, { text: 'hello' });
  assert.match(shown.stderr.text, '[############------------] 50 %  PROCESSING');
  assert.equal(
    api.seen.map(({ method, url }) => `${method} ${url}`),
    ['POST /v1/jobs/transcribe', 'GET /v1/jobs?jobId=j1', 'GET /v1/jobs?jobId=j1'],
  );
  api.script = [data({ jobId: 'j1', status: 'FAILED', reason: 'no audio' })];
  const failed = await run(api, ['jobs', 'get', 'j1', '--wait']);
  assert.is(failed.code, 1);
  assert.match(failed.stderr.text, 'ERR_PLATFORM_JOB');
  assert.not.match(failed.stderr.text, '\r');
});

test('progress is read as a part of one and in percent', () => {
  const at = (progress: unknown): string => progressText({ id: 'j', jobId: 'j', status: 'RUNNING', progress }, 12_345);
  assert.is(at(0.5), '[############------------] 50 %  RUNNING  12 s');
  assert.is(at(50), '[############------------] 50 %  RUNNING  12 s');
  assert.is(at(500), `[${'#'.repeat(24)}] 100 %  RUNNING  12 s`);
  assert.is(at(undefined), 'RUNNING  12 s');
});

test('writes audio to a file or a pipe, not to a terminal, and leaves no half of a file', async ({ api, folder }) => {
  const out = join(folder, 'speech.wav');
  const speak = ['realtime', 'tts-stream', '--text', 'hello', '--speed', '1.5'];
  api.script = [
    ({ response }) => response.writeHead(200, { 'content-type': 'audio/wav' }).end(Buffer.from([0, 255, 7])),
  ];
  assert.is((await run(api, [...speak, '--out', out])).code, 0);
  assert.equal(await readFile(out), Buffer.from([0, 255, 7]));
  assert.equal(JSON.parse(api.seen[0]!.body), { text: 'hello', speed: 1.5 });
  assert.equal((await run(api, speak)).stdout.bytes, Buffer.from([0, 255, 7]));
  const sent = api.seen.length;
  assert.is((await run(api, speak, {}, { isTTY: true })).code, 2);
  assert.is(api.seen.length, sent);
  await rm(out);
  api.script = [
    ({ response }) => {
      response.writeHead(200, { 'content-type': 'audio/wav', 'content-length': '100' });
      response.write('abc', () => response.destroy());
    },
  ];
  const broken = await run(api, ['realtime', 'tts', '--text', 'a', '--out', out]);
  assert.is(broken.code, 1);
  assert.equal(await readdir(folder), []);
  api.script = [({ response }) => response.writeHead(200, { 'content-type': 'audio/wav' }).end('abc')];
  assert.is((await run(api, [...speak, '--out', join(folder, 'no', 'such', 'folder')])).code, 2);
});

test('refusals exit 1 and say what they are, for people and for programs', async ({ api }) => {
  api.script = [
    reply(404, { success: false, error: { code: 10404, message: 'no such campaign' } }, { 'x-request-id': 'r-5' }),
  ];
  const human = await run(api, ['campaigns', 'get', 'c1']);
  assert.is(human.code, 1);
  assert.is(human.stdout.text, '');
  assert.match(human.stderr.text, /^ERR_PLATFORM_NOT_FOUND: .*no such campaign/);
  const { error } = JSON.parse((await run(api, ['campaigns', 'get', 'c1', '--json'])).stderr.text);
  assert.equal([error.code, error.status, error.joinedCode, error.part], ['ERR_PLATFORM_NOT_FOUND', 404, 10404, 10]);
  assert.is(error.requestId, 'r-5');
  const limits = await run(api, ['knowledge-base', 'create', '--type', 'TEXT', '--content', 'short']);
  assert.is(limits.code, 1);
  assert.match(limits.stderr.text, '5 characters');
});

test('a wrong command exits 2 and says what is needed', async ({ api }) => {
  for (const [args, words] of [
    [[], 'RESOURCE VERB'],
    [['voice-agent', 'list'], "'voice-agent'"],
    [['constructor', 'list'], "'constructor'"],
    [['voice-agents', 'destroy'], 'create, list, get, update, clone, call'],
    [['voice-agents', 'toString'], 'create, list'],
    [['voice-agents'], 'create, list'],
    [['campaigns', 'pause'], 'an ID'],
    [['campaigns', 'pause', 'a', 'b'], "'b'"],
    [['voice-agents', 'list', 'a'], "'a'"],
    [['voice-agents', 'create', '--nmae', 'A'], '--nmae'],
    [['voice-agents', 'create', '--name'], '--name'],
    [['voice-agents', 'list', '--page', 'two'], 'a number'],
    [['web-tools', 'toggle-activation', 't', '--is-active', 'yes'], 'true or false'],
    [['voice-agents', 'create', '--data', '{'], 'no JSON'],
    [['voice-agents', 'create', '--data', '[1]'], 'JSON object'],
    [['voice-agents', 'create', '--data', '@/no/such/file'], 'can not be read'],
    [['realtime', 'stt', '--audio-base64', '/no/such/file'], 'can not be read'],
    [['voice-agents', 'list', '--data', '{"a":{"b":1}}'], 'an object'],
  ] as const) {
    const { code, stderr, stdout } = await run(api, [...args]);
    assert.is(code, 2, args.join(' '));
    assert.match(stderr.text, words, args.join(' '));
    assert.is(stdout.text, '');
  }
  assert.is(api.seen.length, 0);
});

test('the key comes from the environment or a file and appears nowhere', async ({ api, folder }) => {
  const none = await run(api, ['voice-agents', 'list'], { HAMSA_API_KEY: undefined });
  assert.is(none.code, 1);
  assert.match(none.stderr.text, 'ERR_KEY_MISSING');
  const argument = await run(api, ['voice-agents', 'list', `--api-key=${KEY}`], { HAMSA_API_KEY: undefined });
  assert.is(argument.code, 2);
  assert.not.match(argument.stderr.text, KEY);
  const file = join(folder, 'settings.json');
  await writeFile(file, JSON.stringify({ hamsaApiKey: KEY, hamsaBaseUrl: api.url, hamsaAuthScheme: 'Bearer' }));
  const unset = { HAMSA_API_KEY: undefined, HAMSA_BASE_URL: undefined };
  api.script = [data({ id: 'a', echoed: KEY }), reply(401, `Token ${KEY} is no good`)];
  const echoed = await run(api, ['voice-agents', 'get', 'a', '--config', file, '--json'], unset);
  assert.is(echoed.code, 0, echoed.stderr.text);
  assert.is(api.seen[0]?.headers.authorization, `Bearer ${KEY}`);
  const refused = await run(api, ['voice-agents', 'get', 'a', '--config', file], unset);
  assert.is(refused.code, 1);
  for (const { stdout, stderr } of [echoed, refused]) assert.not.match(stdout.text + stderr.text, KEY);
});

test('an interrupt gives up what is under way and exits 130', async ({ api }) => {
  api.script = [() => {}];
  const running = run(api, ['voice-agents', 'list']);
  await api.requests(1);
  process.emit('SIGINT');
  const { code, stderr } = await running;
  assert.is(code, 130);
  assert.match(stderr.text, 'ERR_ABORTED');
  assert.is(process.listenerCount('SIGINT'), 0);
});

test('help is there for the command, each resource and each verb, and needs no key', async ({ api }) => {
  const help = async (...args: string[]): Promise<string> => {
    const { code, stdout } = await run(api, args, { HAMSA_API_KEY: undefined });
    assert.is(code, 0, args.join(' '));
    return stdout.text;
  };
  const general = await help('--help');
  for (const resource of ['voice-agents', 'phone-numbers', 'knowledge-base', 'jobs', 'realtime', 'extras']) {
    assert.match(general, resource);
    assert.match(await help(resource, '--help'), `api ${resource} VERB`);
  }
  const verb = await help('voice-agents', 'create', '--help');
  assert.match(verb, 'POST /v2/voice-agents');
  assert.match(verb, '--voice-id TEXT');
  assert.not.match(verb, '--wait');
  assert.match(await help('jobs', 'transcribe', '--help'), '--wait');
  assert.match(await help('campaigns', 'pause', '--help'), 'pause ID');
  for (const line of general.split('\n')) assert.ok(line.length <= 140, line);
});

test('what the platform says can not command the terminal', async ({ api }) => {
  const evil = 'a\u001b[2Jb\u009b31mc\u202ed\r\n';
  assert.is(humanText([{ id: evil, name: 'n' }]), 'id              name\na [2Jb 31mc d   n\n');
  api.script = [data({ id: evil })];
  for (const args of [[], ['--json']]) {
    const { stdout } = await run(api, ['voice-agents', 'get', 'a', ...args]);
    for (const character of ['\u001b', '\u009b', '\r']) assert.not.match(stdout.text, character);
  }
});

test.run();
