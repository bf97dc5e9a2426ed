import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { api } from '../../src/apps/api.ts';
import { kebab } from '../../src/apps/api-arguments.ts';
import { parseWav } from '../../src/audio/wav.ts';
import { waitingClock } from '../../src/platform/rest/waiting-clock.ts';
import { ALL_ENDPOINTS } from '../../src/platform/rest/endpoints.ts';
import { fillIn, SAMPLES } from '../local-platform/api/samples.ts';
import { KEY, startPlatform, type TestPlatform } from '../local-platform/platform.ts';
import { Receiver } from '../local-platform/receiver.ts';
import { SENTENCES } from '../local-platform/sound.ts';

interface World {
  platform: TestPlatform;
  receiver: Receiver;
  folder: string;
}

const test = suite<World>('api command against the local platform');
test.before(async (world) => {
  world.platform = await startPlatform({ allowPrivateUrls: true, apiQuota: 10_000 });
  world.receiver = await Receiver.start();
  world.folder = await mkdtemp(join(tmpdir(), 'api-local-'));
});
test.after(async ({ platform, receiver, folder }) => {
  await platform.close();
  await receiver.close();
  await rm(folder, { recursive: true });
});

class Screen extends Writable {
  readonly isTTY: boolean;
  readonly #chunks: Buffer[] = [];

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

async function run(
  { platform, folder }: World,
  args: readonly string[],
  isTTY = false,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [new Screen(false), new Screen(isTTY)];
  const env = { HAMSA_API_KEY: KEY, HAMSA_BASE_URL: platform.url, GATEWAY_DATA: folder, HAMSA_API_QUOTA: '10000' };
  const code = await api(args, { env, stdout, stderr, clock: waitingClock });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

test('every verb does on the platform what it says', async (world) => {
  const ids = new Map([['receiver', world.receiver.url]]);
  const left = new Set(ALL_ENDPOINTS);
  for (const [name, sample] of Object.entries(SAMPLES)) {
    const endpoint = ALL_ENDPOINTS.find(({ group, verb }) => `${group}.${verb}` === name)!;
    left.delete(endpoint);
    const { id, query, body } = fillIn(sample, ids);
    const out = join(world.folder, 'audio');
    const args = [kebab(endpoint.group), kebab(endpoint.verb), ...(id === undefined ? [] : [id]), '--json'];
    if (query !== undefined || body !== undefined) args.push('--data', JSON.stringify(query ?? body));
    if (endpoint.maxAudioBytes !== undefined) args.push('--out', out);
    const { code, stdout, stderr } = await run(world, args);
    assert.is(code, 0, `${args.join(' ')}: ${stderr}`);
    if (endpoint.maxAudioBytes !== undefined) {
      assert.ok((await readFile(out)).length > 44, name);
      continue;
    }
    const answer = JSON.parse(stdout) as { id: string };
    if (sample.makes !== undefined) ids.set(sample.makes, answer.id);
  }
  assert.equal([...left], []);
});

test('flags, a wait with a bar, and the audio that came of it', async (world) => {
  const { text } = SENTENCES[2]!;
  const args = ['jobs', 'text-to-speech', '--text', text, '--voice-id', 'v', '--wait', '--json'];
  const { code, stdout, stderr } = await run(world, args, true);
  assert.is(code, 0, stderr);
  assert.match(stderr, /\[#+-*\] \d+ %/);
  const job = JSON.parse(stdout) as { status: string; jobResponse: { mediaUrl: string } };
  assert.is(job.status, 'COMPLETED');
  const file = await fetch(job.jobResponse.mediaUrl);
  assert.is(parseWav(new Uint8Array(await file.arrayBuffer())).sampleRate, 16_000);
  const failed = await run(world, ['jobs', 'transcribe', '--media-url', 'http://127.0.0.1:1/a.wav', '--wait']);
  assert.is(failed.code, 1);
  assert.match(failed.stderr, 'ERR_PLATFORM_JOB');
});

test('what is named once is done once, and its result is shown again', async (world) => {
  const create = ['voice-agents', 'create', '--name', 'Once', '--json', '--once', 'deploy-7'];
  const first = await run(world, create);
  assert.is(first.code, 0, first.stderr);
  assert.is((await run(world, create)).stdout, first.stdout);
  assert.is.not((await run(world, [...create.slice(0, -1), 'deploy-8'])).stdout, first.stdout);
  const list = await run(world, ['voice-agents', 'list', '--data', '{"name":"Once"}', '--json']);
  assert.is((JSON.parse(list.stdout) as { total: number }).total, 2);
  assert.is((await run(world, ['voice-agents', 'list', '--once', 'x'])).code, 2, 'reading is no operation');
  for (const name of await readdir(world.folder, { recursive: true })) assert.not.match(name, KEY);
});

test('the key is in nothing that was printed or logged', async (world) => {
  const refused = await run(world, ['voice-agents', 'get', 'none']);
  assert.is(refused.code, 1);
  assert.match(refused.stderr, 'ERR_PLATFORM_NOT_FOUND');
  assert.not.match(refused.stderr + refused.stdout, KEY);
  for (const line of world.platform.lines) assert.not.match(line, KEY);
});

test.run();
