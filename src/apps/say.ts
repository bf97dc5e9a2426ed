import { rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { WavWriter } from '../audio/wav-writer.ts';
import { GatewayError, toError } from '../core/errors.ts';
import { createLogger } from '../core/logger.ts';
import { redact } from '../core/secrets.ts';
import { startLocalPlatform } from '../local-platform/server.ts';
import { AccountGuard } from '../platform/account-guard.ts';
import { waitingClock } from '../platform/rest/waiting-clock.ts';
import { SENTENCE_END } from '../speech/playback.ts';
import { QuotaScheduler } from '../speech/quota-scheduler.ts';
import { openAccountQuota } from './account-quota.ts';
import { readCommandLine } from './command-line.ts';
import { LOCAL_KEY } from './platform.ts';
import { againstLocal } from './serve.ts';
import { SoundPlayer } from './sound-player.ts';
import { SpeechOutput } from './speech-output.ts';

/** What the command reads and writes, for tests. */
export interface SaySurroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: Readable;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/** What the platform sends, which is kept as it comes. */
const SAMPLE_RATE = 16_000;
const MAX_STDIN_CHARACTERS = 1_048_576;

/** Where the speech goes; given up, nothing is left of it. */
interface Sink {
  write(pcm: Int16Array): Promise<void>;
  /** All of it was written. */
  finish(): Promise<void>;
  giveUp(): Promise<void>;
}

/**
 * `hamsa-gateway say TEXT [--out FILE.wav] [--voice VOICE] [--json]`: a text as speech, into a file or to the ear. The
 * text `-` is read from standard input. Without a key the local platform speaks. Exit code 0 when all of it was spoken.
 */
export async function say(args: readonly string[], surroundings: SaySurroundings = process): Promise<number> {
  const { env, stdout, stderr } = surroundings;
  const { settings, warnings, flags, words } = readCommandLine(
    args,
    { out: 'string', voice: 'string', json: 'boolean' },
    env,
  );
  for (const warning of warnings) stderr.write(`warning: ${redact(warning)}\n`);
  const text = await readText(words, surroundings.stdin);
  const out = typeof flags['out'] === 'string' ? flags['out'] : undefined;
  // Before anything is paid for.
  const sink = out === undefined ? SoundPlayer.start(SAMPLE_RATE, env) : await openFile(out);

  const interrupted = new AbortController();
  const onSignal = (): void => interrupted.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const log = createLogger(settings.gatewayLogLevel === 'info' ? 'warn' : settings.gatewayLogLevel);
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const local =
      settings.hamsaApiKey === undefined ? await startLocalPlatform({ port: 0, apiKey: LOCAL_KEY, log }) : undefined;
    if (local) {
      closers.push(() => local.close());
      stderr.write(`no HAMSA_API_KEY: the local platform speaks (voice: ${local.voice})\n`);
    }
    const used = local ? againstLocal(settings, local) : settings;
    const apiKey = used.hamsaApiKey ?? LOCAL_KEY;
    const quota = openAccountQuota(used, apiKey, waitingClock, log);
    closers.push(() => quota.close());
    await quota.start();
    const output = new SpeechOutput({
      settings: used,
      apiKey,
      clock: waitingClock,
      logger: log,
      guard: new AccountGuard(),
      scheduler: new QuotaScheduler({ quota: quota.source, clock: waitingClock }),
    });
    closers.push(() => output.close());
    const voice = typeof flags['voice'] === 'string' ? flags['voice'] : used.hamsaVoice;
    const { signal } = interrupted;
    let samples = 0;
    for await (const item of output.synthesizer.speak(text, { sampleRate: SAMPLE_RATE, voice, signal })) {
      if (item === SENTENCE_END) continue;
      samples += item.length;
      await sink.write(item);
    }
    if (samples === 0) throw nothingToSay();
    await sink.finish();
    const durationMs = Math.round((samples * 1000) / SAMPLE_RATE);
    if (flags['json']) {
      stdout.write(`${JSON.stringify({ file: out ?? null, voice, sampleRate: SAMPLE_RATE, durationMs })}\n`);
    } else if (out !== undefined) {
      stdout.write(`${out}: ${(durationMs / 1000).toFixed(1)} s\n`);
    }
    return 0;
  } catch (error) {
    await sink.giveUp();
    throw error;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    for (const close of closers.reverse()) await close();
  }
}

/** @throws GatewayError `ERR_BAD_REQUEST` - there is no text, or too much. */
async function readText(words: readonly string[], stdin: Readable): Promise<string> {
  let text = words.join(' ');
  if (text === '-') {
    text = '';
    stdin.setEncoding('utf8');
    for await (const chunk of stdin) {
      text += String(chunk);
      if (text.length > MAX_STDIN_CHARACTERS) {
        const found = `more than ${MAX_STDIN_CHARACTERS} characters on standard input`;
        throw new GatewayError('ERR_BAD_REQUEST', { found, needed: 'less', cure: 'speak it in parts' });
      }
    }
  }
  if (text.trim() === '') throw nothingToSay();
  return text;
}

function nothingToSay(): GatewayError {
  return new GatewayError('ERR_BAD_REQUEST', {
    found: 'nothing to say',
    needed: 'a text with words in it',
    cure: "hamsa-gateway say 'Hello' --out hello.wav, or - for the text on standard input",
  });
}

/** A WAV file that is there when all of it is. @throws GatewayError `ERR_OUTPUT` */
async function openFile(path: string): Promise<Sink> {
  const part = `${path}.${process.pid}.part`;
  const guarded = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      const found = `'${path}' can not be written: ${toError(cause).message}`;
      throw new GatewayError('ERR_OUTPUT', { found, needed: 'a file in a folder that can be written', cause });
    }
  };
  const wav = await guarded(WavWriter.create(part, { format: 'linear16', sampleRate: SAMPLE_RATE }));
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await wav.close();
  };
  return {
    write: (pcm) => guarded(wav.write(pcm)),
    async finish() {
      await guarded(close());
      await guarded(rename(part, path));
    },
    async giveUp() {
      await close().catch(() => {});
      await rm(part, { force: true });
    },
  };
}
