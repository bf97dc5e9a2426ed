import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Turn } from '../call/timeline.ts';
import { LATENCY_WORDS, type LatencyWord } from '../call/timeline.ts';
import { GatewayError } from '../core/errors.ts';
import type { GatewayEvent } from '../core/events.ts';
import { createLogger } from '../core/logger.ts';
import { startLocalPlatform } from '../local-platform/server.ts';
import { readCommandLine } from './command-line.ts';
import { Gateway } from './gateway.ts';
import { LOCAL_KEY } from './platform.ts';
import { againstLocal } from './serve.ts';

const SPEECH = new URL('../../fixtures/speech/', import.meta.url);
const HEARD_FILE = 'demo-caller-heard.wav';
/** Sentences of one demo call. */
const SENTENCES = 3;
const CALL_WITHIN_MS = 90_000;

interface Sentence {
  readonly file: string;
  readonly text: string;
}

/**
 * `hamsa-gateway demo`: one whole call on this machine, in echo mode. Exit code 0 when every sentence was transcribed
 * and every reply heard.
 */
export async function demo(args: readonly string[]): Promise<number> {
  const { settings, warnings } = readCommandLine(args);
  const logger = createLogger(settings.gatewayLogLevel === 'info' ? 'warn' : settings.gatewayLogLevel);
  for (const warning of warnings) logger.warn(warning);
  const print = (line: string): void => void process.stdout.write(`${line}\n`);

  const local =
    settings.hamsaApiKey === undefined
      ? await startLocalPlatform({ port: 0, apiKey: LOCAL_KEY, log: createLogger(logger.level as 'warn') })
      : undefined;
  if (local)
    print(`no HAMSA_API_KEY: using the local platform at ${local.url} (ears: ${local.ears}, voice: ${local.voice})`);
  const gateway = new Gateway(
    {
      ...(local ? againstLocal(settings, local) : settings),
      hamsaLanguage: 'en',
      gatewayHttp: { host: '127.0.0.1', port: 0 },
      gatewayToken: undefined,
      gatewaySip: { host: '127.0.0.1', port: 0 },
      gatewaySipAllow: [],
      gatewayOnCall: 'echo',
    },
    { logger },
  );
  try {
    const { http, sip } = await gateway.start();
    print(`gateway: ${sip[0]}, ${http}`);
    const sentences = (await readSentences()).slice(0, SENTENCES);
    const transcripts = follow(gateway, print);
    const callerError = await callWith(sip[0] ?? '', sentences, print);
    await gateway.stop();
    printLatencies(gateway, print);
    return report(sentences, transcripts, callerError, print);
  } finally {
    await gateway.stop();
    await local?.close();
  }
}

async function readSentences(): Promise<readonly Sentence[]> {
  return JSON.parse(await readFile(new URL('sentences.json', SPEECH), 'utf8')) as Sentence[];
}

/** Prints what happens in the call. @returns the transcripts, which grow. */
function follow(gateway: Gateway, print: (line: string) => void): readonly string[] {
  const transcripts: string[] = [];
  gateway.events.subscribe((event: GatewayEvent) => {
    if (event.type === 'call.answered') print('call answered');
    if (event.type === 'transcript.final') {
      transcripts.push(event.text);
      print(`  gateway heard: “${event.text}” (${Math.round(event.latencyMs)} ms after the last word)`);
    }
    if (event.type === 'playback.started') print('  gateway speaks it back');
    if (event.type === 'error') print(`  error ${event.code}: ${event.message}`);
    if (event.type === 'call.ended') print(`call ended: ${event.reason}`);
  });
  return transcripts;
}

/** Places the call from a process of its own. @returns why it failed, or undefined. */
async function callWith(
  target: string,
  sentences: readonly Sentence[],
  print: (line: string) => void,
): Promise<string | undefined> {
  for (const { file, text } of sentences) print(`  caller will say: “${text}” (${file})`);
  const program = fileURLToPath(
    new URL(`demo-caller${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
  );
  const files = sentences.map(({ file }) => fileURLToPath(new URL(file, SPEECH)));
  const child = spawn(
    process.execPath,
    [...process.execArgv, program, target.replace('sip:', 'sip:echo@'), HEARD_FILE, ...files],
    {
      stdio: ['ignore', 'inherit', 'pipe'],
      timeout: CALL_WITHIN_MS,
    },
  );
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => {
    words += chunk.toString();
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0 ? undefined : words.trim() || `the caller did not finish within ${CALL_WITHIN_MS / 1000} s`;
}

function printLatencies(gateway: Gateway, print: (line: string) => void): void {
  print('latencies in ms:');
  for (const { callId } of gateway.calls.list()) {
    for (const turn of gateway.calls.describe(callId)?.turns ?? []) print(`  ${formatTurn(turn)}`);
  }
}

function formatTurn(turn: Turn): string {
  const words = Object.keys(LATENCY_WORDS) as LatencyWord[];
  return words.map((word) => `${word} ${turn[word] === undefined ? '–' : Math.round(turn[word])}`).join(' · ');
}

function report(
  sentences: readonly Sentence[],
  transcripts: readonly string[],
  callerError: string | undefined,
  print: (line: string) => void,
): number {
  const spoken = transcripts.filter((text) => text !== '');
  print(`what the caller heard: ${resolve(HEARD_FILE)}`);
  if (callerError !== undefined) throw new GatewayError('ERR_DEMO', { found: callerError });
  if (spoken.length < sentences.length) {
    throw new GatewayError('ERR_DEMO', { found: `${spoken.length} of ${sentences.length} sentences were transcribed` });
  }
  print(`${spoken.length} sentences transcribed and answered (${basename(HEARD_FILE)})`);
  return 0;
}
