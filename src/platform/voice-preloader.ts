import type { Clock } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import { isClonedVoice, type OpenSpeech } from './speech-stream.ts';

export interface VoicePreloaderOptions {
  /** `POST /v2/tts/voices/custom/preload`. */
  readonly preload: (voiceId: string) => Promise<unknown>;
  readonly clock: Clock;
  /** A voice could not be loaded; it is asked to speak all the same. */
  readonly onError?: (voiceId: string, error: Error) => void;
}

const MAX_VOICES = 256;
/** How long a failure to load a voice is left alone. */
const RETRY_AFTER_MS = 60_000;

/** What the platform says of a voice that is not loaded. One that does not exist is another matter. */
const NOT_LOADED = /\bpre-?load|\bvoice\b.{0,80}\bnot\b.{0,20}\b(?:loaded|ready)\b|\bnot\b.{0,20}\bloaded\b/i;

/** Loads cloned voices before they first speak, each once, and again when the platform has forgotten one. */
export class VoicePreloader {
  readonly #options: VoicePreloaderOptions;
  /** Voices that are loaded or being loaded, the oldest first; and until when one that failed is left alone. */
  readonly #voices = new Map<string, { readonly loading: Promise<void>; retryAtMs: number }>();

  constructor(options: VoicePreloaderOptions) {
    this.#options = options;
  }

  /** Resolves when `voice` may speak: at once unless it is a cloned one. Never rejects. */
  ready(voice: string): Promise<void> {
    if (!isClonedVoice(voice)) return Promise.resolve();
    const known = this.#voices.get(voice);
    if (known && this.#options.clock.nowMs() < known.retryAtMs) return known.loading;
    const entry = { loading: this.#load(voice), retryAtMs: Number.POSITIVE_INFINITY };
    this.#voices.delete(voice);
    this.#voices.set(voice, entry);
    for (const oldest of this.#voices.keys()) {
      if (this.#voices.size <= MAX_VOICES) break;
      this.#voices.delete(oldest);
    }
    return entry.loading;
  }

  /** `openSpeech` for voices that have to be loaded first. */
  wrap(openSpeech: OpenSpeech): OpenSpeech {
    return async (request, options) => {
      if (!isClonedVoice(request.voice)) return openSpeech(request, options);
      await unlessAborted(this.ready(request.voice), options.signal);
      try {
        return await openSpeech(request, options);
      } catch (thrown) {
        if (!(thrown instanceof GatewayError) || !NOT_LOADED.test(thrown.found)) throw thrown;
        this.#voices.delete(request.voice);
        await unlessAborted(this.ready(request.voice), options.signal);
        return openSpeech(request, options);
      }
    };
  }

  async #load(voice: string): Promise<void> {
    const { preload, clock, onError } = this.#options;
    try {
      await preload(voice);
    } catch (thrown) {
      const entry = this.#voices.get(voice);
      if (entry) entry.retryAtMs = clock.nowMs() + RETRY_AFTER_MS;
      onError?.(voice, toError(thrown));
    }
  }
}

/** @throws GatewayError `ERR_ABORTED` - as soon as `signal` is aborted. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return work;
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new GatewayError('ERR_ABORTED', 'the speech was given up'));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
