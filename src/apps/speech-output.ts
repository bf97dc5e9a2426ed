import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Settings } from '../core/settings-table.ts';
import type { AccountGuard } from '../platform/account-guard.ts';
import { HamsaClient } from '../platform/rest/hamsa-client.ts';
import { TtsStreamClient } from '../platform/tts-stream.ts';
import { VoicePreloader } from '../platform/voice-preloader.ts';
import { PromptCache } from '../speech/prompt-cache.ts';
import type { QuotaScheduler } from '../speech/quota-scheduler.ts';
import { Synthesizer } from '../speech/synthesizer.ts';

/** A caller waits no longer than this for the quota before a reply is given up. */
const MAX_SPEECH_WAIT_MS = 30_000;
/** A cloned voice that takes longer to load is asked to speak all the same. */
const PRELOAD_TIMEOUT_MS = 10_000;

export interface SpeechOutputOptions {
  readonly settings: Settings;
  readonly apiKey: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly guard: AccountGuard;
  readonly scheduler: QuotaScheduler;
  /** Where prompts are kept; undefined: nowhere, not even in memory. */
  readonly promptFolder?: string | undefined;
}

/** Everything that turns texts into speech, wired together for one API key. */
export class SpeechOutput {
  readonly synthesizer: Synthesizer;
  readonly prompts: PromptCache | undefined;
  readonly #voices: VoicePreloader;
  readonly #voice: string;
  readonly #http: TtsStreamClient;
  readonly #rest: HamsaClient;

  constructor(options: SpeechOutputOptions) {
    const { settings, apiKey, clock, logger, guard, scheduler, promptFolder } = options;
    const { hamsaBaseUrl: baseUrl, hamsaAuthScheme: authScheme } = settings;
    this.#http = new TtsStreamClient({
      baseUrl,
      apiKey,
      authScheme,
      guard,
      clock,
      acquireSlot: ({ priority = 'turn', signal }) =>
        scheduler.acquire('tts', { priority, deadlineMs: MAX_SPEECH_WAIT_MS, signal }),
    });
    this.#rest = new HamsaClient({
      baseUrl,
      apiKey,
      authScheme,
      allowInsecure: settings.hamsaAllowInsecure,
      guard,
      clock,
      maxAttempts: 2,
      timeoutMs: PRELOAD_TIMEOUT_MS,
    });
    this.#voices = new VoicePreloader({
      preload: (voiceId) => this.#rest.extras.preloadVoice(voiceId),
      clock,
      onError: (voiceId, error) => logger.warn({ voiceId, error: error.message }, 'a cloned voice could not be loaded'),
    });
    this.#voice = settings.hamsaVoice;
    this.prompts =
      promptFolder === undefined
        ? undefined
        : new PromptCache({
            speaker: baseUrl,
            folder: promptFolder,
            onError: (error) => logger.warn({ error: error.message }, 'prompts are not kept on disk'),
          });
    this.synthesizer = new Synthesizer({
      openSpeech: this.#voices.wrap((request, speech) => this.#http.openSpeech(request, speech)),
      clock,
      voice: settings.hamsaVoice,
      dialect: settings.hamsaDialect,
      language: settings.hamsaLanguage,
      ...(this.prompts ? { prompts: this.prompts } : {}),
    });
  }

  /** Begins to load the configured voice if it is a cloned one; nobody has to wait for that. */
  start(): void {
    void this.#voices.ready(this.#voice);
  }

  async close(): Promise<void> {
    await this.#http.close();
    await this.#rest.close();
    await this.prompts?.close();
  }
}
