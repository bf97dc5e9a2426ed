import type { Clock } from '../core/clock.ts';
import { type GatewayError, toError } from '../core/errors.ts';
import type { EventBus } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import type { LegMedia } from '../ingress/leg.ts';
import type { CreateAgentPlayer } from '../platform/voice-agent/agent-player.ts';
import type { ClientTool } from '../platform/voice-agent/client-tool.ts';
import type { VoiceAgentSession } from '../platform/voice-agent/voice-agent-session.ts';
import type { PrebufferEstimator } from '../speech/prebuffer-estimator.ts';
import { AgentEar } from './agent-ear.ts';
import { AgentVoice } from './agent-voice.ts';
import type { Call, CallPartner } from './call.ts';

/** What every call to an agent shares. */
export interface AgentServices {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly logger: Logger;
  /** Of the agents' voices, learned from all calls. */
  readonly prebuffer: PrebufferEstimator;
  /** Functions that agents may call here. */
  readonly tools: readonly ClientTool[];
  createSession(createPlayer: CreateAgentPlayer): VoiceAgentSession;
}

/** A phone drops what is in its jitter buffer when it is hung up: the agent's last word. */
const FAREWELL_MS = 250;
/** Longest wait for what the platform makes of an ended conversation. */
const OUTCOME_TIMEOUT_MS = 60_000;

/**
 * Joins a phone call to a hosted agent: voices both ways, digits, hold, and the end of one as the end of the other. What
 * is said and done is told as `platform.event`: `transcription`, `answer`, `agentState`, `link`, `tool`, `info`,
 * `custom`, and `conversation` at the end.
 *
 * A `transcript.final` would need utterances with their times, which the agent keeps to itself.
 */
export class AgentBridge implements CallPartner {
  readonly #call: Call;
  readonly #services: AgentServices;
  readonly #logger: Logger;
  readonly #session: VoiceAgentSession;
  readonly #ear: AgentEar;
  #isOver = false;

  constructor(call: Call, media: LegMedia, agentId: string, services: AgentServices) {
    const { clock, events, prebuffer } = services;
    this.#call = call;
    this.#services = services;
    this.#logger = services.logger.child({ callId: call.id });
    this.#session = services.createSession(
      (handlers) => new AgentVoice({ callId: call.id, media, clock, events, prebuffer, handlers }),
    );
    this.#ear = new AgentEar(media.capture, clock, (pcm) => this.#session.sendAudio(pcm));
    this.#follow();
    void this.#start(agentId);
  }

  onAudio(): void {
    this.#ear.onAudio();
  }

  onDtmf(digit: string): void {
    if (/^[0-9*#A-D]$/.test(digit)) this.#session.sendDTMF(digit);
  }

  setHeld(held: boolean): void {
    this.#ear.setHeld(held);
    if (held) this.#session.pause();
    else this.#session.resume();
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ear.close();
    this.#session.end();
    if (this.#session.getJobId() !== null) await this.#tellOutcome();
  }

  async #start(agentId: string): Promise<void> {
    const { from, to, parameters } = this.#call.leg;
    try {
      await this.#session.start({
        agentId,
        voiceEnablement: true,
        params: { ...parameters, from, to, callId: this.#call.id },
        tools: this.#services.tools,
      });
    } catch (thrown) {
      // Told by the `error` event, but for options that the session refuses outright.
      this.#logger.warn({ error: toError(thrown) }, 'the call could not be joined to the agent');
      this.#hangup('error');
    }
  }

  #follow(): void {
    this.#session
      .on('callStarted', ({ jobId }) => this.#logger.info({ jobId }, 'call joined to an agent'))
      .on('callEnded', (failure) => this.#onSessionEnded(failure))
      .on('error', (error) => this.#onError(error))
      .on('transcriptionReceived', (content) => this.#tell({ type: 'transcription', content }))
      .on('answerReceived', (content) => this.#tell({ type: 'answer', content }))
      .on('agentStateChanged', (state) => this.#tell({ type: 'agentState', state }))
      .on('info', (content) => this.#tell({ type: 'info', content }))
      .on('customEvent', (name, content) =>
        this.#tell(name === 'tool_execution' ? { type: 'tool', content } : { type: 'custom', name, content }),
      )
      .on('reconnecting', () => this.#tell({ type: 'link', state: 'reconnecting' }))
      .on('reconnected', () => this.#tell({ type: 'link', state: 'reconnected' }));
  }

  #onError(error: GatewayError): void {
    const { code, message, retryable } = error;
    this.#logger.warn({ error }, 'an agent failed');
    if (!this.#isOver) this.#services.events.emit('error', this.#call.id, { code, message, retryable });
  }

  #onSessionEnded(failure: GatewayError | undefined): void {
    if (failure) this.#hangup('error');
    else this.#services.clock.after(FAREWELL_MS, () => this.#hangup('gateway'));
  }

  #hangup(reason: 'gateway' | 'error'): void {
    if (!this.#isOver) this.#call.hangup(reason);
  }

  #tell(event: Readonly<Record<string, unknown>>): void {
    const jobId = this.#session.getJobId();
    this.#services.events.emit('platform.event', this.#call.id, { event: { ...event, jobId } });
  }

  async #tellOutcome(): Promise<void> {
    try {
      const details = await this.#session.getJobDetails({ signal: AbortSignal.timeout(OUTCOME_TIMEOUT_MS) });
      this.#tell({ type: 'conversation', content: details });
    } catch (thrown) {
      this.#logger.warn({ error: toError(thrown) }, 'what became of the conversation is not known');
    }
  }
}
