import { VoiceActivity } from '../audio/voice-activity.ts';
import { Call } from '../call/call.ts';
import { FallbackPrompt } from '../call/fallback-prompt.ts';
import { onTranscript } from '../call/handlers.ts';
import { CallRegistry } from '../call/registry.ts';
import { SpeakingCounters } from '../call/speaking-counters.ts';
import { formatHostPort } from '../core/addresses.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { EventBus } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import { registerSecret } from '../core/secrets.ts';
import type { Settings } from '../core/settings-table.ts';
import type { Leg } from '../ingress/leg.ts';
import { SipIngress } from '../ingress/sip/sip-ingress.ts';
import { GovernedQuota } from '../platform/rest/governed-quota.ts';
import { HamsaClient } from '../platform/rest/hamsa-client.ts';
import { sttSampleRate } from '../platform/stt-request.ts';
import type { ClientTool } from '../platform/voice-agent/client-tool.ts';
import { AgentSessions } from '../server/agent-sessions/agent-sessions.ts';
import { HttpServer } from '../server/http-server.ts';
import { Metrics } from '../server/metrics.ts';
import { Admission } from '../speech/admission.ts';
import { PrebufferEstimator } from '../speech/prebuffer-estimator.ts';
import { measurements } from './measurements.ts';
import { openMediaTransport } from './media-transport.ts';
import { pageAgents } from './page-agents.ts';
import { PhoneAgents } from './phone-agents.ts';
import { SpeechPlatform } from './speech-platform.ts';

/** What is left to calls, transcripts and sockets after a stop was asked for. */
const GOODBYE_MS = 3500;

export interface GatewayOptions {
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Functions that hosted agents may call here. */
  readonly agentTools?: readonly ClientTool[];
}

/** The whole gateway: SIP and RTP in front, the platform behind, the HTTP API beside. */
export class Gateway {
  readonly events: EventBus;
  readonly calls: CallRegistry = new CallRegistry();
  readonly #settings: Settings;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #speech: SpeechPlatform;
  readonly #phoneAgents: PhoneAgents;
  readonly #fallbackPrompt: FallbackPrompt | undefined;
  /** Of the platform's speech, learned from all calls. */
  readonly #prebuffer = new PrebufferEstimator();
  readonly #speaking = new SpeakingCounters();
  readonly #client: HamsaClient;
  readonly #agentSessions: AgentSessions;
  readonly #sip: SipIngress;
  readonly #metrics: Metrics;
  readonly #http: HttpServer;
  #listening = false;
  #draining = false;

  /** @throws GatewayError `ERR_KEY_MISSING` - without an API key. */
  constructor(settings: Settings, options: GatewayOptions) {
    if (settings.hamsaApiKey === undefined) {
      throw new GatewayError('ERR_KEY_MISSING', {
        found: 'no API key',
        needed: 'HAMSA_API_KEY',
        cure: 'set it, or run against the local platform with --platform local',
      });
    }
    registerSecret(settings.hamsaApiKey);
    this.#settings = settings;
    this.#logger = options.logger;
    this.#clock = options.clock ?? systemClock;
    this.events = new EventBus(this.#clock);
    const { events, calls } = this;
    const [clock, logger] = [this.#clock, this.#logger];
    this.#speech = new SpeechPlatform(settings, settings.hamsaApiKey, clock, logger, events, (isAway) => {
      if (isAway) this.#fallbackPrompt?.onAway();
    });
    const { scheduler, synthesizer, transcriber } = this.#speech;
    const text = settings.gatewayFallbackPrompt;
    this.#fallbackPrompt =
      text === undefined
        ? undefined
        : new FallbackPrompt({ text, synthesizer, calls, events, clock, logger, isAway: () => transcriber.isAway });
    const admission = new Admission({
      scheduler,
      clock,
      callsStartedMs: () => calls.active.map((call) => call.startedMs),
    });
    this.#client = new HamsaClient({
      apiKey: settings.hamsaApiKey,
      baseUrl: settings.hamsaBaseUrl,
      authScheme: settings.hamsaAuthScheme,
      allowInsecure: settings.hamsaAllowInsecure,
      quota: new GovernedQuota({ limit: settings.hamsaApiQuota, clock: this.#clock }),
      guard: this.#speech.guard,
      clock: this.#clock,
    });
    this.#agentSessions = new AgentSessions({
      platform: pageAgents(settings, settings.hamsaApiKey, this.#client, this.#speech.scheduler),
      clock: this.#clock,
      logger: this.#logger,
    });
    this.#phoneAgents = new PhoneAgents({
      settings,
      apiKey: settings.hamsaApiKey,
      client: this.#client,
      scheduler: this.#speech.scheduler,
      clock: this.#clock,
      events: this.events,
      logger: this.#logger,
      tools: options.agentTools ?? [],
    });
    const transport = openMediaTransport(settings, this.#clock, this.#logger);
    this.#sip = new SipIngress({
      clock: this.#clock,
      logger: this.#logger,
      address: settings.gatewaySip,
      allow: settings.gatewaySipAllow,
      advertisedAddress: settings.gatewayAdvertisedAddress,
      transport,
      mediaTimeoutMs: settings.gatewayMediaTimeoutS * 1000,
      maxCalls: settings.gatewayMaxCalls,
      refusal: settings.gatewayAdmission ? () => admission.refusal() : undefined,
      onLeg: (leg) => this.#begin(leg),
    });
    this.#metrics = new Metrics(
      measurements({
        calls: this.calls,
        speech: this.#speech,
        agents: this.#phoneAgents.counters,
        admission,
        sip: this.#sip,
        transport,
        prebuffer: this.#prebuffer,
        speaking: this.#speaking,
        agentSessions: this.#agentSessions,
        eventReaders: () => this.#http.eventReaders,
      }),
    );
    this.#http = new HttpServer({
      address: settings.gatewayHttp,
      token: settings.gatewayToken,
      logger: this.#logger,
      calls: this.calls,
      events: this.events,
      metrics: this.#metrics.registry,
      readiness: () => this.#readiness(),
      agentSessions: this.#agentSessions,
      quota: () => ({ ...this.#speech.scheduler.usage, ...this.#speech.scheduler.pressure }),
    });
  }

  /** Binds everything. @returns where it listens: an HTTP URL and SIP addresses. @throws GatewayError `ERR_LISTEN` */
  async start(): Promise<{ http: string; sip: string[] }> {
    await VoiceActivity.load();
    await this.#speech.start();
    void this.#fallbackPrompt?.load();
    const sip = await this.#sip.listen();
    const http = await this.#http.listen();
    this.#listening = true;
    this.#logger.info({ http, sip: formatHostPort(sip.address, sip.port) }, 'gateway ready');
    return { http, sip: [`sip:${formatHostPort(sip.address, sip.port)}`] };
  }

  /** Refuses new calls, says goodbye to running ones, waits a little for their transcripts, closes. Idempotent. */
  async stop(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    this.#sip.setDraining(true);
    const deadlineMs = this.#clock.nowMs() + GOODBYE_MS;
    for (const call of this.calls.active) call.hangup('shutdown');
    this.#fallbackPrompt?.close();
    await this.#speech.close(GOODBYE_MS);
    await this.#sip.close(Math.max(0, deadlineMs - this.#clock.nowMs()));
    await this.#http.close();
    await this.#client.close();
  }

  #begin(leg: Leg): void {
    const call = new Call(
      leg,
      {
        clock: this.#clock,
        events: this.events,
        logger: this.#logger,
        transcriber: this.#speech.transcriber,
        endSilence: this.#speech.endSilence,
        synthesizer: this.#speech.synthesizer,
        prebuffer: this.#prebuffer,
        speaking: this.#speaking,
        observeLatency: (word, ms) => this.#metrics.observe(word, ms),
      },
      {
        join: this.#phoneAgents.join(this.#settings.gatewayOnCall),
        sttSampleRate: sttSampleRate(this.#settings.hamsaSttFormat),
        maxCallMs: this.#settings.gatewayMaxCallS * 1000,
        voice: this.#settings.hamsaVoice,
        resumeAfterFalseAlarm: this.#settings.gatewayResumeAfterFalseAlarm,
        onTranscript: onTranscript(this.#settings.gatewayOnCall),
        onSettled: (settled) => this.calls.retire(settled),
      },
    );
    this.calls.add(call);
    void call.start();
  }

  #readiness(): { notReady: string[]; degraded: boolean } {
    const notReady: string[] = [];
    if (!this.#listening) notReady.push('not listening yet');
    if (this.#draining) notReady.push('draining');
    if (this.#speech.guard.state.keyRefused) notReady.push('the platform refuses the API key');
    return { notReady, degraded: this.#speech.degraded };
  }
}
