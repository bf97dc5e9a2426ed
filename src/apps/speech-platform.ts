import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { EventBus } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import type { Settings } from '../core/settings-table.ts';
import { AccountGuard } from '../platform/account-guard.ts';
import { RealtimeAuth } from '../platform/realtime-auth.ts';
import { RealtimeConnection, RealtimeCounters } from '../platform/realtime-connection.ts';
import { buildSttRequest } from '../platform/stt-request.ts';
import { EndSilence, quotaPressure } from '../speech/end-silence.ts';
import { LateTranscription } from '../speech/late-transcription.ts';
import { QuotaScheduler } from '../speech/quota-scheduler.ts';
import type { Synthesizer } from '../speech/synthesizer.ts';
import { Transcriber } from '../speech/transcriber.ts';
import { type AccountQuota, openAccountQuota } from './account-quota.ts';
import { SpeechOutput } from './speech-output.ts';

/** A hundred answers a minute fit through while each takes less than 2.4 s. */
const MAX_SOCKETS = 4;
/** Below GATEWAY_DATA. */
const PROMPT_FOLDER = 'prompts';
const LATE_FOLDER = 'late';

/** Everything of the gateway that talks to the platform, wired together for one API key. */
export class SpeechPlatform {
  readonly guard: AccountGuard = new AccountGuard();
  readonly realtime: RealtimeCounters = new RealtimeCounters();
  /** The account's quota, which everything here asks before it costs a slot. */
  readonly scheduler: QuotaScheduler;
  readonly endSilence: EndSilence;
  readonly transcriber: Transcriber;
  /** What callers say while the platform is away. */
  readonly late: LateTranscription;
  readonly output: SpeechOutput;
  readonly #quota: AccountQuota;

  constructor(
    settings: Settings,
    apiKey: string,
    clock: Clock,
    logger: Logger,
    events: EventBus,
    onOutage: (isAway: boolean) => void,
  ) {
    const auth = new RealtimeAuth(apiKey);
    const { guard, realtime: counters } = this;
    this.#quota = openAccountQuota(settings, apiKey, clock, logger);
    const scheduler = new QuotaScheduler({
      quota: this.#quota.source,
      clock,
      onPressure: (pressure) => events.emit('quota.pressure', null, pressure),
    });
    this.scheduler = scheduler;
    this.endSilence = new EndSilence(settings.gatewayEndSilenceMs, scheduler, clock);
    this.transcriber = new Transcriber({
      clock,
      guard,
      scheduler,
      maxSockets: MAX_SOCKETS,
      hedge: settings.hamsaSttHedge,
      keep: (utterance, error) => this.late.keep(utterance, error),
      onOutage: (isAway) => {
        if (isAway) logger.error('the platform is away; what callers say is kept for later');
        else logger.info('the platform is back');
        onOutage(isAway);
        this.late.resume();
      },
      connect: (onClosed, onHeaders) =>
        RealtimeConnection.open({ url: settings.hamsaRealtimeUrl, auth, clock, counters, onClosed, onHeaders }),
      encode: (pcm, sampleRate) =>
        buildSttRequest(pcm, sampleRate, { language: settings.hamsaLanguage, format: settings.hamsaSttFormat }),
    });
    this.late = new LateTranscription({
      clock,
      events,
      logger,
      transcriber: this.transcriber,
      hasRoom: () => quotaPressure(scheduler.usage, scheduler.pressure.waiting) < 1,
      // What callers said to one platform is never sent to another.
      folder: join(settings.gatewayData, LATE_FOLDER, new URL(settings.hamsaRealtimeUrl).host.replace(':', '-')),
    });
    this.output = new SpeechOutput({
      settings,
      apiKey,
      clock,
      logger,
      guard,
      scheduler,
      promptFolder: join(settings.gatewayData, PROMPT_FOLDER),
    });
  }

  get synthesizer(): Synthesizer {
    return this.output.synthesizer;
  }

  /** To be awaited before the first call. */
  async start(): Promise<void> {
    await this.#quota.start();
    await this.late.open();
    this.output.start();
  }

  /** Whether the platform is failing at the moment, for `/health/ready`. */
  get degraded(): boolean {
    return this.transcriber.degraded || this.guard.refusal !== undefined || this.#quota.isAlone;
  }

  /** Waits at most `deadlineMs` for the transcripts that are under way, then closes everything. */
  async close(deadlineMs: number): Promise<void> {
    this.endSilence.close();
    this.late.stop();
    await this.transcriber.drain(deadlineMs);
    await this.late.close();
    await this.output.close();
    await this.#quota.close();
  }
}
