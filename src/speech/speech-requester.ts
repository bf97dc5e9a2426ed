import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { PlatformError } from '../platform/platform-errors.ts';
import type { OpenSpeech, SpeechPriority, SpeechRequest, SpeechStream } from '../platform/speech-stream.ts';
import { CheckedSpeech } from './checked-speech.ts';

export interface SpeechRequesterOptions {
  readonly openSpeech: OpenSpeech;
  readonly clock: Clock;
}

/** A caller in a conversation waits no longer than this for a rate limit to pass. */
const MAX_RATE_WAIT_MS = 3_000;
const RETRY_PAUSE_MS = 200;
/** Requests for one text, the first included: audio that was cut silently is worth one more. */
const MAX_ATTEMPTS = 2;
const MAX_SHORT_ATTEMPTS = 3;

/**
 * Asks for the speech of a text again where that helps and nothing of it was heard yet: after a failure that may pass,
 * and when the audio is far too short for the text, which the platform does not tell.
 */
export class SpeechRequester {
  readonly #options: SpeechRequesterOptions;
  /** Requests that were made. */
  requests = 0;
  /** Those that were made again. */
  retries = 0;
  /** Answers whose audio was missing or far too short. */
  short = 0;

  constructor(options: SpeechRequesterOptions) {
    this.#options = options;
  }

  /**
   * Resolves when enough audio has come to be worth playing. Iterating the stream throws what its own would, and
   * `ERR_TTS_SHORT` where it ends too early all the same.
   *
   * @throws GatewayError `ERR_PLATFORM_*`, `ERR_TTS_*`, `ERR_QUOTA_WAIT` or `ERR_ABORTED` - the last attempt failed.
   */
  async open(request: SpeechRequest, options: SpeechPriority): Promise<SpeechStream> {
    const { openSpeech, clock } = this.#options;
    for (let attempt = 1; ; attempt++) {
      this.requests++;
      try {
        const speech = new CheckedSpeech(await openSpeech(request, options), request.text, () => this.short++);
        await speech.hold(clock);
        return speech;
      } catch (error) {
        if ((error as GatewayError).code === 'ERR_TTS_EMPTY') this.short++;
        const pauseMs = retryPauseMs(error, attempt);
        if (pauseMs === undefined) throw error;
        await waitFor(pauseMs, clock, options.signal);
        this.retries++;
      }
    }
  }
}

/** How long to wait before the next attempt; undefined when there is to be none. */
function retryPauseMs(error: unknown, attempt: number): number | undefined {
  if (!(error instanceof GatewayError) || !error.retryable || error.code === 'ERR_QUOTA_WAIT') return undefined;
  const isShort = error.code === 'ERR_TTS_SHORT' || error.code === 'ERR_TTS_EMPTY';
  if (attempt >= (isShort ? MAX_SHORT_ATTEMPTS : MAX_ATTEMPTS)) return undefined;
  if (error.code !== 'ERR_PLATFORM_RATE') return RETRY_PAUSE_MS;
  const askedMs = (error instanceof PlatformError ? error.retryAfterMs : undefined) ?? MAX_RATE_WAIT_MS;
  return askedMs <= MAX_RATE_WAIT_MS ? askedMs : undefined;
}

/** @throws GatewayError `ERR_ABORTED` - as soon as `signal` is aborted. */
function waitFor(delayMs: number, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let timer: Timer | undefined;
    const onAbort = (): void => {
      timer?.cancel();
      reject(new GatewayError('ERR_ABORTED', 'the speech was given up'));
    };
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}
