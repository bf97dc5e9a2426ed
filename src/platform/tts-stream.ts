import { setImmediate } from 'node:timers/promises';
import { Agent, type Dispatcher } from 'undici';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { registerSecret } from '../core/secrets.ts';
import type { AccountGuard } from './account-guard.ts';
import { errorFromAnswer, errorFromNetwork, PlatformError } from './platform-errors.ts';
import type { RequestSlot } from './request-slot.ts';
import { SpeechDecoder } from './speech-decoder.ts';
import { readSpeech, SpeechWatch } from './speech-reader.ts';
import { type SpeechPriority, type SpeechRequest, type SpeechStream, speechPayload } from './speech-stream.ts';

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

type Body = Dispatcher.ResponseData['body'];

/** Kinds of audio that would be heard as noise if they were taken for bare samples. */
const COMPRESSED = /^audio\/(?:x-)?(?:mpeg|mp[34]|aac|ogg|opus|webm|flac)\b|^video\//i;
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
  /** Without timeouts of its own: those of {@link SpeechWatch} stop while nobody wants the next piece. */
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
    const watch = new SpeechWatch(clock, options.signal);
    watch.expect('the first audio', firstAudioTimeoutMs);
    const decoder = new SpeechDecoder(request);
    try {
      slot?.sent();
      const body = await this.#post(request, watch.signal, slot);
      const stream = await readSpeech(untilFree(body), { decoder, clock, watch, stallTimeoutMs });
      guard.succeeded(madeAtMs);
      return stream;
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
      body: JSON.stringify(speechPayload(request)),
      signal,
    });
    const contentType = String(headers['content-type'] ?? '');
    const isText = /json|^text\//i.test(contentType);
    if (statusCode >= 200 && statusCode < 300 && !isText) {
      slot?.answered(headers);
      if (!COMPRESSED.test(contentType)) return body;
      body.once('error', () => {}).destroy();
      throw new PlatformError('ERR_PLATFORM_PROTOCOL', `the platform answered ${contentType.slice(0, 40)}`);
    }
    throw errorFromAnswer({ status: statusCode, headers, body: await readText(body) }, clock.wallMs());
  }
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

/** All of `body`. */
async function* untilFree(body: Body): AsyncGenerator<Buffer> {
  yield* body as AsyncIterable<Buffer>;
  // The connection is free only after this turn of the event loop; what follows at once would open another.
  await setImmediate();
}
