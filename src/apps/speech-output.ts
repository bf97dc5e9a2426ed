import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Settings } from '../core/settings-table.ts';
import type { AccountGuard } from '../platform/account-guard.ts';
import { RealtimeAuth } from '../platform/realtime-auth.ts';
import { RealtimeConnection, RealtimeCounters } from '../platform/realtime-connection.ts';
import { HamsaClient } from '../platform/rest/hamsa-client.ts';
import type { OpenSpeech } from '../platform/speech-stream.ts';
import { TtsStreamClient } from '../platform/tts-stream.ts';
import { VoicePreloader } from '../platform/voice-preloader.ts';
import { PromptCache } from '../speech/prompt-cache.ts';
import type { QuotaScheduler } from '../speech/quota-scheduler.ts';
import { SpeechSockets } from '../speech/speech-sockets.ts';
import { Synthesizer } from '../speech/synthesizer.ts';

/** A caller waits no longer than this for the quota before a reply is given up. */
const MAX_SPEECH_WAIT_MS = 30_000;
/** A cloned voice that takes longer to load is asked to speak all the same. */
const PRELOAD_TIMEOUT_MS = 10_000;
/** A reply in one piece is larger than any other message of the realtime socket: a minute at 16 kHz has 2 MB. */
const MAX_MESSAGE_BYTES = 4 * 1_048_576;

/** How speech is asked for: over HTTP or over the realtime socket. */
interface Transport {
  readonly open: OpenSpeech;
  /** Connections that are open, as far as they cost slots of the quota. */
  readonly sockets: number;
  close(): Promise<void>;
}

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
  readonly #transport: Transport;
  readonly #rest: HamsaClient;

  constructor(options: SpeechOutputOptions) {
    const { settings, apiKey, clock, logger, guard, promptFolder } = options;
    const { hamsaBaseUrl: baseUrl, hamsaAuthScheme: authScheme } = settings;
    const isSocket = settings.hamsaTtsTransport === 'socket';
    this.#transport = isSocket ? socketTransport(options) : httpTransport(options);
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
            speaker: isSocket ? settings.hamsaRealtimeUrl : baseUrl,
            folder: promptFolder,
            onError: (error) => logger.warn({ error: error.message }, 'prompts are not kept on disk'),
          });
    this.synthesizer = new Synthesizer({
      openSpeech: this.#voices.wrap(this.#transport.open),
      clock,
      voice: settings.hamsaVoice,
      dialect: settings.hamsaDialect,
      language: settings.hamsaLanguage,
      ...(this.prompts ? { prompts: this.prompts } : {}),
    });
  }

  /** Connections of the realtime socket that carry speech. */
  get sockets(): number {
    return this.#transport.sockets;
  }

  /** Begins to load the configured voice if it is a cloned one; nobody has to wait for that. */
  start(): void {
    void this.#voices.ready(this.#voice);
  }

  async close(): Promise<void> {
    await this.#transport.close();
    await this.#rest.close();
    await this.prompts?.close();
  }
}

function httpTransport({ settings, apiKey, clock, guard, scheduler }: SpeechOutputOptions): Transport {
  const client = new TtsStreamClient({
    baseUrl: settings.hamsaBaseUrl,
    apiKey,
    authScheme: settings.hamsaAuthScheme,
    guard,
    clock,
    acquireSlot: ({ priority = 'turn', signal }) =>
      scheduler.acquire('tts', { priority, deadlineMs: MAX_SPEECH_WAIT_MS, signal }),
  });
  return {
    open: (request, options) => client.openSpeech(request, options),
    sockets: 0,
    close: () => client.close(),
  };
}

function socketTransport({ settings, apiKey, clock, guard, scheduler }: SpeechOutputOptions): Transport {
  const auth = new RealtimeAuth(apiKey);
  const counters = new RealtimeCounters();
  const url = settings.hamsaRealtimeUrl;
  const sockets = new SpeechSockets({
    guard,
    scheduler,
    clock,
    maxWaitMs: MAX_SPEECH_WAIT_MS,
    connect: (onClosed, onHeaders) =>
      RealtimeConnection.open({
        url,
        auth,
        clock,
        counters,
        onClosed,
        onHeaders,
        maxMessageBytes: MAX_MESSAGE_BYTES,
      }),
  });
  return {
    open: (request, options) => sockets.openSpeech(request, options),
    get sockets() {
      return sockets.size;
    },
    close: async () => sockets.close(),
  };
}
