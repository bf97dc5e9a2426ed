import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { errorFromNetwork, PlatformError } from './platform-errors.ts';
import type { SpeechDecoder } from './speech-decoder.ts';
import type { SpeechStream } from './speech-stream.ts';

/** Ten minutes at 16 kHz; 2,000 characters take two to four. */
const MAX_BODY_BYTES = 19_200_000;

export interface SpeechReaderOptions {
  readonly decoder: SpeechDecoder;
  readonly clock: Clock;
  readonly watch: SpeechWatch;
  /** Longest wait for the next piece of audio while it is wanted. */
  readonly stallTimeoutMs: number;
}

/**
 * Reads `body` up to its first audio. Timeouts stop while nobody wants the next piece, so that a reply that waits
 * behind a long one does not count as stalled.
 *
 * @throws GatewayError `ERR_TTS_EMPTY`, `ERR_TTS_TORN`, `ERR_ABORTED`, or `ERR_PLATFORM_*` before any audio.
 */
export async function readSpeech(body: AsyncIterable<Uint8Array>, options: SpeechReaderOptions): Promise<SpeechStream> {
  const { decoder, clock } = options;
  let firstByteAtMs: number | undefined;
  const onBytes = (): void => {
    firstByteAtMs ??= clock.nowMs();
  };
  const chunks = decodeChunks(body, options, onBytes);
  const first = await chunks.next();
  return {
    sampleRate: decoder.sampleRate,
    firstByteAtMs: firstByteAtMs ?? clock.nowMs(),
    [Symbol.asyncIterator]: () => concatenate(first.value ?? new Int16Array(0), chunks),
  };
}

async function* decodeChunks(
  body: AsyncIterable<Uint8Array>,
  { decoder, watch, stallTimeoutMs }: SpeechReaderOptions,
  onBytes: () => void,
): AsyncGenerator<Int16Array, undefined> {
  let bytes = 0;
  try {
    for await (const chunk of body) {
      onBytes();
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
export class SpeechWatch {
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
