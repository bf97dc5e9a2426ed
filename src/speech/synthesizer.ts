import { Resampler } from '../audio/resampler.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import { PlatformError } from '../platform/platform-errors.ts';
import type { SpeechPriority, SpeechRequest, SpeechStream } from '../platform/tts-stream.ts';
import { splitText } from './text-splitter.ts';

export interface SynthesizerOptions {
  /** `TtsStreamClient.openSpeech`. */
  readonly openSpeech: (request: SpeechRequest, options: SpeechPriority) => Promise<SpeechStream>;
  readonly clock: Clock;
  /** Used when a text names none. */
  readonly voice: string;
  readonly dialect?: string | undefined;
}

export interface SpeakOptions extends SpeechPriority {
  readonly voice?: string | undefined;
  /** What the receiver needs, in Hz. */
  readonly sampleRate: number;
}

export interface SynthesizerStatistics {
  readonly requests: number;
  readonly retries: number;
  /** Texts that ended in an error, given up ones aside. */
  readonly failed: number;
}

/** The platform's limit for one request. */
const MAX_TEXT_CHARACTERS = 2_000;
/**
 * Asked for whatever the leg needs, and resampled here. It is what the platform sends when nothing is asked, so that a
 * server that does not know `sampleRate` is still played at the right speed: bare samples do not tell their rate.
 */
const REQUESTED_RATE = 16_000;
/** A caller in a conversation waits no longer than this for a rate limit to pass. */
const MAX_RATE_WAIT_MS = 3_000;
const RETRY_PAUSE_MS = 200;

/** Turns texts into speech at the rate a leg needs. */
export class Synthesizer {
  readonly #options: SynthesizerOptions;
  #requests = 0;
  #retries = 0;
  #failed = 0;

  constructor(options: SynthesizerOptions) {
    this.#options = options;
  }

  get statistics(): SynthesizerStatistics {
    return { requests: this.#requests, retries: this.#retries, failed: this.#failed };
  }

  /**
   * `text` as 16 bit mono at `options.sampleRate`, as it comes; the receiver owns every chunk. Nothing is asked for
   * before the first chunk is. A text beyond the platform's limit is spoken in parts, one request after the other. A
   * request that fails before its first audio, and may succeed, is made once more.
   *
   * Iterating throws GatewayError `ERR_PLATFORM_*`, `ERR_TTS_TORN`, `ERR_TTS_EMPTY` or `ERR_ABORTED`.
   */
  async *speak(text: string, options: SpeakOptions): AsyncGenerator<Int16Array, undefined> {
    try {
      for (const part of splitText(text, MAX_TEXT_CHARACTERS)) {
        const stream = await this.#open(part, options);
        if (stream.sampleRate === options.sampleRate) yield* stream;
        else yield* resample(stream, options.sampleRate);
      }
    } catch (error) {
      if ((error as GatewayError).code !== 'ERR_ABORTED') this.#failed++;
      throw error;
    }
    return undefined;
  }

  async #open(text: string, options: SpeakOptions): Promise<SpeechStream> {
    const { openSpeech, voice, dialect } = this.#options;
    const { signal, priority } = options;
    const request: SpeechRequest = { text, voice: options.voice ?? voice, dialect, sampleRate: REQUESTED_RATE };
    this.#requests++;
    try {
      return await openSpeech(request, { signal, priority });
    } catch (error) {
      const pauseMs = retryPauseMs(error);
      if (pauseMs === undefined) throw error;
      await this.#wait(pauseMs, signal);
    }
    this.#requests++;
    this.#retries++;
    return openSpeech(request, { signal, priority });
  }

  /** @throws GatewayError `ERR_ABORTED` - as soon as `signal` is aborted. */
  #wait(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        timer.cancel();
        reject(new GatewayError('ERR_ABORTED', 'the speech was given up'));
      };
      const timer = this.#options.clock.after(delayMs, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
    });
  }
}

/** How long to wait before the second attempt; undefined when there is to be none. */
function retryPauseMs(error: unknown): number | undefined {
  if (!(error instanceof GatewayError) || !error.retryable || error.code === 'ERR_QUOTA_WAIT') return undefined;
  if (error.code !== 'ERR_PLATFORM_RATE') return RETRY_PAUSE_MS;
  const askedMs = (error instanceof PlatformError ? error.retryAfterMs : undefined) ?? MAX_RATE_WAIT_MS;
  return askedMs <= MAX_RATE_WAIT_MS ? askedMs : undefined;
}

/**
 * The stream at another rate, as long as before: what the filter delays is taken from its front. Where it breaks off,
 * all that came before is still yielded.
 */
async function* resample(stream: SpeechStream, outputRate: number): AsyncGenerator<Int16Array, undefined> {
  let resampler: Resampler | undefined;
  let early = 0;
  let failure: Error | undefined;
  try {
    for await (const pcm of stream) {
      if (!resampler) {
        resampler = newResampler(stream.sampleRate, outputRate);
        early = resampler.delaySamples;
      }
      const output = new Int16Array(resampler.outputSamplesFor(pcm.length));
      resampler.process(pcm, output);
      const dropped = Math.min(early, output.length);
      early -= dropped;
      if (dropped < output.length) yield output.subarray(dropped);
    }
  } catch (thrown) {
    failure = toError(thrown);
  }
  if (resampler) {
    const tail = new Int16Array(resampler.delaySamples);
    resampler.flush(tail);
    yield tail.subarray(early);
  }
  if (failure) throw failure;
  return undefined;
}

function newResampler(inputRate: number, outputRate: number): Resampler {
  try {
    return new Resampler({ inputRate, outputRate });
  } catch (cause) {
    throw new GatewayError('ERR_PLATFORM_PROTOCOL', { found: `the platform answered audio at ${inputRate} Hz`, cause });
  }
}
