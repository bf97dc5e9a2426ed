import type { Clock } from '../core/clock.ts';
import type { Settings } from '../core/settings-table.ts';
import { AccountGuard } from '../platform/account-guard.ts';
import { RealtimeAuth } from '../platform/realtime-auth.ts';
import { RealtimeConnection, RealtimeCounters } from '../platform/realtime-connection.ts';
import { buildSttRequest } from '../platform/stt-request.ts';
import { TtsStreamClient } from '../platform/tts-stream.ts';
import { Synthesizer } from '../speech/synthesizer.ts';
import { Transcriber } from '../speech/transcriber.ts';

/** Everything of the gateway that talks to the platform, wired together for one API key. */
export class SpeechPlatform {
  readonly guard: AccountGuard = new AccountGuard();
  readonly realtime: RealtimeCounters = new RealtimeCounters();
  readonly transcriber: Transcriber;
  readonly synthesizer: Synthesizer;
  readonly #tts: TtsStreamClient;

  constructor(settings: Settings, apiKey: string, clock: Clock) {
    const auth = new RealtimeAuth(apiKey);
    const { guard, realtime: counters } = this;
    this.transcriber = new Transcriber({
      clock,
      guard,
      connect: (onClosed) =>
        RealtimeConnection.open({ url: settings.hamsaRealtimeUrl, auth, clock, counters, onClosed }),
      encode: (pcm, sampleRate) =>
        buildSttRequest(pcm, sampleRate, { language: settings.hamsaLanguage, format: settings.hamsaSttFormat }),
    });
    this.#tts = new TtsStreamClient({
      baseUrl: settings.hamsaBaseUrl,
      apiKey,
      authScheme: settings.hamsaAuthScheme,
      guard,
      clock,
    });
    this.synthesizer = new Synthesizer({
      openSpeech: (request, options) => this.#tts.openSpeech(request, options),
      clock,
      voice: settings.hamsaVoice,
      dialect: settings.hamsaDialect,
    });
  }

  /** Whether the platform is failing at the moment, for `/health/ready`. */
  get degraded(): boolean {
    return this.transcriber.degraded || this.guard.refusal !== undefined;
  }

  /** Waits at most `deadlineMs` for the transcripts that are under way, then closes everything. */
  async close(deadlineMs: number): Promise<void> {
    await this.transcriber.drain(deadlineMs);
    await this.#tts.close();
  }
}
