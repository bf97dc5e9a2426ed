import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import { redact } from '../core/secrets.ts';
import type { Settings } from '../core/settings-table.ts';
import { isRecord, PlatformError } from '../platform/platform-errors.ts';
import type { AudioStream } from '../platform/rest/audio-stream.ts';
import type { Endpoint } from '../platform/rest/endpoint.ts';
import { GovernedQuota } from '../platform/rest/governed-quota.ts';
import { HamsaClient } from '../platform/rest/hamsa-client.ts';
import type { Input } from '../platform/rest/request.ts';
import { waitingClock } from '../platform/rest/waiting-clock.ts';
import type { Store } from '../store/store.ts';
import { endpointsOf, flagsOf, kebab, readInput, usage } from './api-arguments.ts';
import { generalHelp, resourceHelp, verbHelp } from './api-help.ts';
import { humanText, jsonText, progressText } from './api-output.ts';
import { type CommandLine, readCommandLine } from './command-line.ts';
import { openResultStore } from './result-store.ts';

type Output = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** What the command reads and writes, for tests. */
export interface ApiSurroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly clock?: Clock;
}

const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/**
 * `hamsa-gateway api RESOURCE VERB …`: one call of the REST API. The key comes from the environment or the settings file
 * and never from an argument, which every process of the machine could read.
 *
 * @returns 0 when it was done, 1 when it was refused or failed, 2 when the command is wrong, 130 when interrupted.
 */
export async function api(args: readonly string[], surroundings: ApiSurroundings = process): Promise<number> {
  const { stderr } = surroundings;
  const interrupted = new AbortController();
  const onSignal = (): void => interrupted.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    return await run(args, surroundings, interrupted.signal);
  } catch (thrown) {
    const error = toError(thrown);
    if (!(error instanceof GatewayError)) throw error;
    const asJson = args.includes('--json');
    stderr.write(asJson ? redact(jsonText(errorFields(error))) : redact(`${error.code}: ${error.message}\n`));
    if (error.code === 'ERR_BAD_REQUEST' && !asJson) stderr.write("see 'hamsa-gateway api --help'\n");
    if (interrupted.signal.aborted) return EXIT.interrupted;
    return error.code === 'ERR_BAD_REQUEST' ? EXIT.usage : EXIT.failed;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

async function run(args: readonly string[], surroundings: ApiSurroundings, signal: AbortSignal): Promise<number> {
  const { env, stdout, stderr } = surroundings;
  const [resource, verb, ...rest] = args;
  if (resource === undefined) throw usage('no resource', 'RESOURCE VERB');
  if (isHelp(resource)) return print(stdout, generalHelp());
  const endpoints = endpointsOf(resource);
  if (endpoints.length === 0) throw usage(`the resource '${resource}'`, 'a resource of the list');
  if (isHelp(verb)) return print(stdout, resourceHelp(resource));
  const endpoint = endpoints.find((candidate) => kebab(candidate.verb) === verb);
  if (endpoint === undefined) {
    throw usage(`the verb '${verb ?? ''}' of ${resource}`, endpoints.map((known) => kebab(known.verb)).join(', '));
  }
  if (rest.includes('--help')) return print(stdout, verbHelp(endpoint));

  const { settings, warnings, flags, words } = readCommandLine(rest, flagsOf(endpoint), env);
  for (const warning of warnings) stderr.write(`warning: ${redact(warning)}\n`);
  const input = readInput(endpoint, words, flags);
  if (endpoint.maxAudioBytes !== undefined && flags['out'] === undefined && stdout.isTTY) {
    throw usage('audio for a terminal', '--out FILE, or a pipe');
  }
  const clock = surroundings.clock ?? waitingClock;
  const apiKey = requireKey(settings);
  const store = flags['once'] === undefined ? undefined : await openResultStore(settings, apiKey, clock);
  const client = makeClient(settings, apiKey, clock, store);
  try {
    await call(client, endpoint, input, flags, surroundings, signal);
  } finally {
    await client.close();
    await store?.close();
  }
  return EXIT.done;
}

function isHelp(word: string | undefined): boolean {
  return word === 'help' || word === '--help' || word === '-h';
}

/** @throws GatewayError `ERR_KEY_MISSING`. */
function requireKey({ hamsaApiKey }: Settings): string {
  if (hamsaApiKey !== undefined) return hamsaApiKey;
  throw new GatewayError('ERR_KEY_MISSING', {
    found: 'no API key',
    needed: 'HAMSA_API_KEY in the environment or the settings file',
  });
}

function makeClient(settings: Settings, apiKey: string, clock: Clock, store: Store | undefined): HamsaClient {
  const { hamsaBaseUrl: baseUrl, hamsaAuthScheme: authScheme } = settings;
  return new HamsaClient({
    apiKey,
    baseUrl,
    authScheme,
    allowInsecure: settings.hamsaAllowInsecure,
    quota: new GovernedQuota({ limit: settings.hamsaApiQuota, clock }),
    realtimeQuota: new GovernedQuota({ limit: settings.hamsaRealtimeQuota, clock }),
    clock,
    ...(store && { store }),
  });
}

async function call(
  client: HamsaClient,
  endpoint: Endpoint,
  input: Input,
  flags: CommandLine['flags'],
  { stdout, stderr, clock = waitingClock }: ApiSurroundings,
  signal: AbortSignal,
): Promise<void> {
  const show = (data: unknown): number => print(stdout, flags['json'] ? jsonText(data) : humanText(data));
  if (endpoint.maxAudioBytes !== undefined) {
    const answer = await client.requestAudio(endpoint, input, { signal });
    if (answer.audio === undefined) show(answer.details);
    else await save(answer.audio, flags['out'], stdout);
    return;
  }
  const ask = (): Promise<unknown> => client.request(endpoint, input, { signal });
  const { once } = flags;
  const operation = `${endpoint.group}.${endpoint.verb}:${String(once)}`;
  let data = once === undefined ? await ask() : await client.idempotentOperation(operation, ask);
  if (flags['wait']) data = await waitForJob(client, jobIdOf(data), stderr, clock, signal);
  show(data);
}

function jobIdOf(data: unknown): string {
  const id = isRecord(data) ? (data['jobId'] ?? data['id']) : undefined;
  if (typeof id === 'string' || typeof id === 'number') return String(id);
  throw new PlatformError('ERR_PLATFORM_PROTOCOL', 'the platform answered without the id of the job');
}

/** Waits for a job; on a terminal a line shows how far it is. */
async function waitForJob(
  client: HamsaClient,
  id: string,
  stderr: Output,
  clock: Clock,
  signal: AbortSignal,
): Promise<unknown> {
  const startedAtMs = clock.nowMs();
  // Back to the start of the line, and away with what is longer than the next text.
  const draw = (text: string): void => void (stderr.isTTY && stderr.write(`\r\u001b[K${text}`));
  try {
    return await client.jobs.waitFor(id, {
      signal,
      onProgress: (job) => draw(progressText(job, clock.nowMs() - startedAtMs)),
    });
  } finally {
    draw('');
  }
}

/** Writes audio as it comes. What breaks off leaves no file behind. */
async function save(audio: AudioStream, out: string | boolean | undefined, stdout: Output): Promise<void> {
  try {
    await (typeof out === 'string' ? pipeline(audio, createWriteStream(out)) : pipeline(audio, stdout, { end: false }));
  } catch (thrown) {
    if (typeof out !== 'string') throw thrown instanceof GatewayError ? thrown : nobodyReads();
    if (!(thrown instanceof GatewayError)) throw usage(`'${out}': ${toError(thrown).message}`, 'a file to write to');
    await rm(out, { force: true });
    throw thrown;
  }
}

/** The program behind the pipe has ended. */
function nobodyReads(): GatewayError {
  return new GatewayError('ERR_ABORTED', 'nobody reads the audio any more');
}

function errorFields(error: GatewayError): object {
  const { code, message, retryable } = error;
  if (!(error instanceof PlatformError)) return { error: { code, message, retryable } };
  const { status, joinedCode, part, reason, retryAfterMs, requestId, details } = error;
  const facts = { status, joinedCode, part, reason, retryAfterMs, requestId, details };
  return { error: { code, message, retryable, ...facts } };
}

function print(output: Output, text: string): number {
  output.write(redact(text));
  return EXIT.done;
}
