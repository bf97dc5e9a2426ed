import { setImmediate } from 'node:timers/promises';
import { Agent, type Dispatcher } from 'undici';
import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { registerSecret } from '../core/secrets.ts';
import type { AccountGuard } from './account-guard.ts';
import { errorFromAnswer, errorFromNetwork, PlatformError } from './platform-errors.ts';
import type { RequestSlot } from './request-slot.ts';
import { SpeechDecoder } from './speech-decoder.ts';

export interface TtsStreamOptions {
  /** `https://api.tryhamsa.com`; redirects are not followed. */
  readonly baseUrl: string;
  readonly apiKey: string;
  /** The word before the key in `Authorization`. */
  readonly authScheme: string;
  readonly guard: AccountGuard;
  /** Waits for the quota's leave to make one request. Default: it is not asked. */
  readonly acquireSlot?: (options: SpeechPriority) => Promise<RequestSlot>;
  readonly clock: Clock;
  /** From the request to the first audio, connecting included. Default 15 s. */
  readonly firstAudioTimeoutMs?: number;
  /** Longest wait for the next piece of audio while it is wanted. Default 5 s. */
  readonly stallTimeoutMs?: number;
}

export interface SpeechPriority {
  /** Default `turn`: a caller waits for the answer to what he said. */
  readonly priority?: 'turn' | 'greeting' | 'batch' | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface SpeechRequest {
  /** At most 2,000 characters. */
  readonly text: string;
  /** A UUID or `voice_…` is sent as `voiceId`, anything else as `speaker`. */
  readonly voice: string;
  readonly dialect?: string | undefined;
  /** What is asked for; what comes is told by {@link SpeechStream.sampleRate}. */
  readonly sampleRate: 8000 | 16_000;
  /** Asks for µ-law at 8 kHz instead, half the bytes. It arrives decoded. */
  readonly mulaw?: boolean;
}

/**
 * Audio as it comes, 16 bit mono, to be iterated once. The receiver owns every chunk. Leaving the loop, or aborting the
 * signal it was opened with, ends the request at once.
 *
 * Iterating throws GatewayError `ERR_TTS_TORN` where the audio breaks off, after all that came was yielded, and
 * `ERR_ABORTED` once the signal is aborted.
 */
export interface SpeechStream extends AsyncIterable<Int16Array> {
  readonly sampleRate: number;
}

type Body = Dispatcher.ResponseData['body'];

/** Ten minutes at 16 kHz; 2,000 characters take two to four. */
const MAX_BODY_BYTES = 19_200_000;
const MAX_REFUSAL_BYTES = 65_536;
/** Requests at once; the quota allows 100 a minute. */
const MAX_CONNECTIONS = 64;
/** Keeps connections warm between the turns of a call: opening one costs up to 1.5 s. */
const KEEP_ALIVE_MS = 60_000;

/** The client of `POST /v1/realtime/tts-stream`, over kept-alive connections. */
export class TtsStreamClient {
  readonly #options: TtsStreamOptions;
  readonly #origin: string;
  readonly #path: string;
  /** Without timeouts of its own: those of {@link RequestWatch} stop while nobody wants the next piece. */
  readonly #agent = new Agent({
    connections: MAX_CONNECTIONS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  constructor(options: TtsStreamOptions) {
    const url = new URL(options.baseUrl);
    this.#options = options;
    this.#origin = url.origin;
    this.#path = `${url.pathname.replace(/\/$/, '')}/v1/realtime/tts-stream`;
    registerSecret(options.apiKey);
  }

  /**
   * Asks for `request.text` as speech. Resolves when its first audio has come; the caller then iterates it.
   *
   * @throws GatewayError `ERR_PLATFORM_*` - refused, unreachable, too slow, or the answer is no audio.
   * @throws GatewayError `ERR_TTS_EMPTY` - the answer held no audio; `ERR_TTS_TORN` - it broke off in the first 20 ms.
   * @throws GatewayError `ERR_ABORTED` - the signal was aborted; `ERR_QUOTA_WAIT` - the quota had no room in time.
   */
  async openSpeech(request: SpeechRequest, options: SpeechPriority = {}): Promise<SpeechStream> {
    const { guard, acquireSlot, clock, firstAudioTimeoutMs = 15_000, stallTimeoutMs = 5_000 } = this.#options;
    const refusal = guard.admit(clock.nowMs());
    if (refusal) throw refusal;
    const slot = await acquireSlot?.(options);
    const madeAtMs = clock.nowMs();
    const watch = new RequestWatch(clock, options.signal);
    watch.expect('the first audio', firstAudioTimeoutMs);
    const decoder = new SpeechDecoder(request);
    try {
      slot?.sent();
      const chunks = readSpeech(await this.#post(request, watch.signal, slot), decoder, watch, stallTimeoutMs);
      const first = await chunks.next();
      guard.succeeded(madeAtMs);
      return {
        sampleRate: decoder.sampleRate,
        [Symbol.asyncIterator]: () => concatenate(first.value ?? new Int16Array(0), chunks),
      };
    } catch (thrown) {
      watch.end();
      const error = thrown instanceof GatewayError ? thrown : errorFromNetwork('the request for speech', thrown);
      guard.failed(error, clock.nowMs());
      slot?.failed(error);
      throw error;
    }
  }

  /** Breaks off every request and closes the connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** @returns the body of an answer that may be audio. */
  async #post(request: SpeechRequest, signal: AbortSignal, slot: RequestSlot | undefined): Promise<Body> {
    const { apiKey, authScheme, clock } = this.#options;
    const { statusCode, headers, body } = await this.#agent.request({
      origin: this.#origin,
      path: this.#path,
      method: 'POST',
      headers: { authorization: `${authScheme} ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(payloadOf(request)),
      signal,
    });
    const isText = /json|^text\//i.test(String(headers['content-type'] ?? ''));
    if (statusCode >= 200 && statusCode < 300 && !isText) {
      slot?.answered(headers);
      return body;
    }
    throw errorFromAnswer({ status: statusCode, headers, body: await readText(body) }, clock.wallMs());
  }
}

function payloadOf(request: SpeechRequest): Record<string, string | boolean> {
  const { text, voice, dialect, sampleRate, mulaw } = request;
  const isId = /^voice_|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(voice);
  return {
    text,
    [isId ? 'voiceId' : 'speaker']: voice,
    ...(dialect === undefined ? {} : { dialect }),
    ...(mulaw ? { mulaw } : { sampleRate: sampleRate === 8000 ? '8k' : '16k' }),
  };
}

async function readText(body: Body): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_REFUSAL_BYTES) break;
  }
  return Buffer.concat(chunks).toString();
}

async function* readSpeech(
  body: Body,
  decoder: SpeechDecoder,
  watch: RequestWatch,
  stallTimeoutMs: number,
): AsyncGenerator<Int16Array, undefined> {
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) {
        throw new PlatformError('ERR_PLATFORM_PROTOCOL', `the platform answered more than ${MAX_BODY_BYTES} bytes`);
      }
      const pcm = decoder.push(chunk);
      if (pcm.length === 0) continue;
      watch.met();
      yield pcm;
      watch.expect('more audio', stallTimeoutMs);
    }
    decoder.end();
    // The connection is free only after this turn of the event loop; what follows at once would open another.
    await setImmediate();
  } catch (thrown) {
    throw explain(thrown, decoder.hasAudio);
  } finally {
    watch.end();
  }
  return undefined;
}

function explain(thrown: unknown, hasAudio: boolean): GatewayError {
  const error = thrown instanceof GatewayError ? thrown : errorFromNetwork('reading the audio', thrown);
  if (error.code === 'ERR_WAV_INVALID') return new PlatformError('ERR_PLATFORM_PROTOCOL', error.found);
  if (!hasAudio || error.code === 'ERR_ABORTED' || error.code.startsWith('ERR_TTS_')) return error;
  return new GatewayError('ERR_TTS_TORN', { found: `the audio broke off: ${error.found}`, cause: error });
}

async function* concatenate(
  first: Int16Array,
  rest: AsyncGenerator<Int16Array, undefined>,
): AsyncGenerator<Int16Array> {
  try {
    yield first;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

/** Aborts a request when its caller does, or when what is expected next does not come in time. */
class RequestWatch {
  readonly #clock: Clock;
  readonly #outer: AbortSignal | undefined;
  readonly #controller = new AbortController();
  readonly #onAbort = (): void => this.#controller.abort(new GatewayError('ERR_ABORTED', 'the speech was given up'));
  #timer: Timer | undefined;

  constructor(clock: Clock, outer: AbortSignal | undefined) {
    this.#clock = clock;
    this.#outer = outer;
    if (outer?.aborted) this.#onAbort();
    outer?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Its reason is the GatewayError that the request then fails with. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  expect(what: string, timeoutMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(timeoutMs, () =>
      this.#controller.abort(new PlatformError('ERR_PLATFORM_TIMEOUT', `${what} did not come within ${timeoutMs} ms`)),
    );
  }

  met(): void {
    this.#timer?.cancel();
  }

  end(): void {
    this.#timer?.cancel();
    this.#outer?.removeEventListener('abort', this.#onAbort);
  }
}
