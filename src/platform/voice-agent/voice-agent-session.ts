import { EventEmitter } from 'node:events';
import { rms } from '../../audio/level.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import { AbortedError } from '../platform-errors.ts';
import { readBaseUrl, readSocketUrl } from '../rest/base-url.ts';
import type { Conversation } from '../rest/groups/conversations.ts';
import { HamsaClient } from '../rest/hamsa-client.ts';
import { waitingClock } from '../rest/waiting-clock.ts';
import { AgentCounters } from './agent-counters.ts';
import type { AgentLink, AgentLinkHandlers, ToolCall } from './agent-link.ts';
import type { AgentPlayer, AgentPlayerHandlers } from './agent-player.ts';
import { type CallAnalytics, CallTimes } from './call-analytics.ts';
import { type ClientTool, ClientTools } from './client-tool.ts';
import { type ConnectionMetrics, type ConnectionQuality, qualityOf, RoundTrips } from './connection-quality.ts';
import { beginConversation, conversationDetails } from './conversation.ts';
import { asGatewayError, KeptLink, type KeptLinkListener } from './kept-link.ts';
import { PacedPlayer } from './paced-player.ts';
import { PcmStream } from './pcm-stream.ts';
import type { AgentSessionEvents, AgentState } from './session-events.ts';
import type { StartOptions, VoiceAgentSessionOptions } from './session-options.ts';
import { Uplink } from './uplink.ts';
import { webSocketLinks } from './websocket-link.ts';

const DEFAULT_AGENT_URL = 'wss://bots.tryhamsa.com/stream';
const TOOL_TIMEOUT_MS = 10_000;
/** What an agent has said before its goodbye is heard out, within reason. */
const MAX_FAREWELL_MS = 60_000;
const LEVEL_FRESH_MS = 200;

/** `leaving`: the agent said goodbye, and its last words are still to be heard. */
type Phase = 'new' | 'starting' | 'up' | 'leaving' | 'over';

/**
 * One conversation with a hosted voice agent: the vendor's browser SDK, without a browser. The program gives the
 * caller's voice to {@link sendAudio} and gets the agent's from `onAudioData`, in real time.
 *
 * ```
 *  sendAudio ─► uplink (mute, what was said without a link) ─► link ─► agent
 *  onAudioData ◄─ player (real time, marks, clear) ◄─────────── link ◄─ agent
 * ```
 *
 * A link that is lost is opened again within the same conversation. Not there: `getInputByteFrequencyData` and its
 * sister, which draw pictures of a page's audio graph; `connectionDelay` and `preferHeadphonesForIosDevices`, which are
 * about telephones.
 */
export class VoiceAgentSession extends EventEmitter<AgentSessionEvents> {
  readonly #options: VoiceAgentSessionOptions;
  readonly #clock: Clock;
  readonly #counters: AgentCounters;
  readonly #link: KeptLink;
  readonly #player: AgentPlayer;
  readonly #uplink: Uplink;
  readonly #times = new CallTimes();
  /** Breaks off what is under way when the conversation is over. */
  readonly #over = new AbortController();
  #phase: Phase = 'new';
  #state: AgentState = 'idle';
  #jobId: string | undefined;
  #voiceEnablement = false;
  #onAudioData: ((audio: Buffer) => void) | undefined;
  #tools: ClientTools | undefined;
  #roundTrips = new RoundTrips();
  #quality: ConnectionQuality | undefined;
  #hasToldBadFrame = false;
  #isPaused = false;
  #volume = 1;
  #agentLevel = 0;
  #agentLevelAtMs = Number.NEGATIVE_INFINITY;
  #remoteStream: PcmStream | undefined;
  #localStream: PcmStream | undefined;
  #farewell: Timer | undefined;

  /** @throws GatewayError `ERR_SETTINGS_INVALID` - a URL can not be used. @throws TypeError - the key can not be sent. */
  constructor(options: VoiceAgentSessionOptions) {
    super();
    const { apiKey, allowInsecure = false, clock = waitingClock, counters = new AgentCounters(), random } = options;
    if (!/^[\x21-\x7e]+$/.test(apiKey)) throw new TypeError('Expected printable ASCII without spaces for apiKey');
    if (options.baseUrl !== undefined) readBaseUrl(options.baseUrl, allowInsecure);
    const url = readSocketUrl(options.agentUrl ?? DEFAULT_AGENT_URL, allowInsecure);
    this.#options = options;
    this.#clock = clock;
    this.#counters = counters;
    this.#uplink = new Uplink(clock, counters);
    this.#link = new KeptLink({
      openLink: options.openLink ?? webSocketLinks({ url, apiKey, clock }),
      clock,
      times: this.#times,
      over: this.#over.signal,
      random,
      handlers: this.#linkHandlers(),
      listener: this.#linkListener(),
    });
    const createPlayer = options.createPlayer ?? ((handlers) => new PacedPlayer(clock, handlers));
    this.#player = createPlayer(this.#playerHandlers());
  }

  /**
   * Begins the conversation. Resolves when the agent can hear and be heard, after `callStarted`.
   *
   * @throws GatewayError `ERR_PLATFORM_*`, told as `error` too; `ERR_ABORTED` - it was ended; `ERR_WRONG_STATE` - it was
   *   started before. @throws TypeError - the options can not be used.
   */
  async start(options: StartOptions): Promise<void> {
    const { agentId, params = {}, voiceEnablement = false, userId, tools = [], onAudioData } = options;
    if (typeof agentId !== 'string' || agentId === '')
      throw new TypeError(`Expected an agentId but received '${agentId}'`);
    if (this.#phase !== 'new') {
      throw new GatewayError('ERR_WRONG_STATE', {
        found: 'the session was started before',
        needed: 'a session of its own for each conversation',
      });
    }
    const clientTools = this.#makeTools(tools);
    this.#tools = clientTools;
    this.#voiceEnablement = voiceEnablement;
    this.#onAudioData = onAudioData;
    this.#phase = 'starting';
    this.#counters.sessions++;
    this.#counters.active++;
    this.#times.start(this.#clock.nowMs());
    this.#setState('initializing');
    try {
      const described = clientTools.describe();
      const request = { voiceAgentId: agentId, params, voiceEnablement, tools: described, ...(userId && { userId }) };
      const { signal } = this.#over;
      this.#jobId = await this.#withClient((client) => beginConversation(client, request, signal));
      await this.#link.open(this.#jobId);
    } catch (thrown) {
      const error = asGatewayError(thrown);
      this.#finish(error);
      throw error;
    }
  }

  /** Ends the conversation. Idempotent. */
  end(): void {
    if (this.#phase !== 'new') this.#finish(undefined);
  }

  /** Nothing of the caller is sent and nothing of the agent is heard until {@link resume}. The agent is not told. */
  pause(): void {
    if (this.#isPaused || !this.#isUp) return;
    this.#isPaused = true;
    this.#uplink.setPaused(true);
    this.#player.pause();
    this.emit('callPaused');
  }

  resume(): void {
    if (!this.#isPaused || !this.#isUp) return;
    this.#isPaused = false;
    this.#uplink.setPaused(false);
    this.#player.resume();
    this.emit('callResumed');
  }

  /**
   * Breaks the link off, if there is one, and opens it anew within the same conversation.
   *
   * @throws GatewayError `ERR_WRONG_STATE` - there is no conversation; `ERR_PLATFORM_*` - it was given up, and is over.
   */
  async reconnect(): Promise<void> {
    if (this.#phase !== 'up') throw new GatewayError('ERR_WRONG_STATE', { found: 'there is no conversation to go on' });
    await this.#link.reopen();
  }

  /** 16 bit mono at 16 kHz, in pieces of any length, in real time. `pcm` is not kept. */
  sendAudio(pcm: Int16Array): void {
    if (this.#phase !== 'starting' && this.#phase !== 'up') return;
    this.#uplink.sendAudio(pcm);
    if (!this.#isPaused && !this.#uplink.isMuted) this.#localStream?.write(pcm);
  }

  /** A digit of the caller. @throws RangeError - if it is not one of 0-9, `*`, `#` and A-D. */
  sendDTMF(digit: string): void {
    if (!/^[0-9*#A-D]$/.test(digit))
      throw new RangeError(`Expected a digit of 0-9, *, # and A-D but received '${digit}'`);
    if (!this.#isUp) return;
    this.#uplink.sendDtmf(digit);
    this.emit('dtmfSent', digit);
  }

  /** @throws RangeError - if the volume is not 0-1. */
  setVolume(volume: number): void {
    if (!(volume >= 0 && volume <= 1)) throw new RangeError(`Expected a volume of 0-1 but received ${volume}`);
    this.#volume = volume;
    this.#player.setVolume(volume);
  }

  /** What was set. How loud the agent is now: {@link getCallAnalytics}, `agentAudioLevel`. */
  getOutputVolume(): number {
    return this.#volume;
  }

  /** How loud the caller is now, 0 … 1. */
  getInputVolume(): number {
    return this.#uplink.level;
  }

  /** A muted caller is silent to the agent, and not gone. */
  setMicMuted(muted: boolean): void {
    this.#uplink.setMuted(muted);
  }

  isMicMuted(): boolean {
    return this.#uplink.isMuted;
  }

  getJobId(): string | null {
    return this.#jobId ?? null;
  }

  getCallAnalytics(): CallAnalytics {
    const nowMs = this.#clock.nowMs();
    const times = this.#times;
    const isConnected = this.#link.current !== undefined;
    const connectionTime = times.durationMs(nowMs);
    return {
      connectionStats: {
        quality: this.#quality,
        isConnected,
        connectionAttempts: times.connectionAttempts,
        reconnectionAttempts: times.reconnectionAttempts,
        connectionEstablishedTime: times.connectionEstablishedMs,
        roundTripTime: this.#roundTrips.roundTripMs,
      },
      audioMetrics: {
        userAudioLevel: this.getInputVolume(),
        agentAudioLevel: nowMs - this.#agentLevelAtMs < LEVEL_FRESH_MS ? this.#agentLevel : 0,
        agentSpeakingTime: times.spokenMs(nowMs),
        isPaused: this.#isPaused,
        volume: this.#volume,
      },
      performanceMetrics: {
        callDuration: connectionTime,
        responseTime: times.responseMs,
        averageResponseTime: times.meanResponseMs,
        reconnectionCount: times.reconnections,
      },
      participants: isConnected
        ? [
            { identity: 'user', connectionTime },
            { identity: 'agent', connectionTime },
          ]
        : [],
      trackStats: { totalTracks: 2, activeTracks: isConnected ? 2 : 0 },
      callStats: {
        totalBytesSent: this.#link.bytesSent,
        totalBytesReceived: this.#link.bytesReceived,
      },
    };
  }

  /**
   * What became of the conversation: asks until the platform has worked it out, for about 15 s.
   *
   * @throws GatewayError `ERR_WRONG_STATE` - there was none; `ERR_PLATFORM_*`; `ERR_ABORTED` - by `signal`.
   */
  async getJobDetails(options: { readonly signal?: AbortSignal } = {}): Promise<Conversation> {
    const jobId = this.#jobId;
    if (jobId === undefined) throw new GatewayError('ERR_WRONG_STATE', { found: 'there was no conversation' });
    const { signal = new AbortController().signal } = options;
    return this.#withClient((client) => conversationDetails(client, jobId, this.#clock, signal));
  }

  get #isUp(): boolean {
    return this.#phase === 'up' || this.#phase === 'leaving';
  }

  #makeTools(tools: readonly ClientTool[]): ClientTools {
    return new ClientTools(tools, {
      clock: this.#clock,
      timeoutMs: this.#options.toolTimeoutMs ?? TOOL_TIMEOUT_MS,
      onOutcome: ({ name, succeeded, durationMs }) => {
        this.#counters.toolCalls++;
        if (!succeeded) this.#counters.toolErrors++;
        const metadata = { timestamp: this.#clock.wallMs(), participant: 'user' } as const;
        this.emit('customEvent', 'tool_execution', { toolName: name, succeeded, durationMs }, metadata);
      },
    });
  }

  async #withClient<T>(run: (client: HamsaClient) => Promise<T>): Promise<T> {
    const { client, apiKey, baseUrl, authScheme, allowInsecure } = this.#options;
    if (client) return run(client);
    const own = new HamsaClient({
      apiKey,
      ...(baseUrl === undefined ? {} : { baseUrl }),
      ...(authScheme === undefined ? {} : { authScheme }),
      ...(allowInsecure === undefined ? {} : { allowInsecure }),
    });
    try {
      return await run(own);
    } finally {
      await own.close();
    }
  }

  #linkListener(): KeptLinkListener {
    return {
      onOpen: (link) => this.#adopt(link),
      onGone: () => this.#uplink.setLink(undefined),
      onGoodbye: () => this.#takeLeave(),
      onLost: () => {
        this.#counters.linksLost++;
      },
      onReconnecting: () => {
        this.emit('reconnecting');
        this.#judgeQuality();
      },
      onBack: () => {
        this.#times.reconnections++;
        this.#counters.reconnects++;
        this.emit('reconnected');
      },
      onGivenUp: (error) => this.#finish(error),
    };
  }

  #adopt(link: AgentLink): void {
    const isFirst = this.#phase === 'starting';
    this.#roundTrips = new RoundTrips();
    this.#hasToldBadFrame = false;
    this.#times.connected(this.#clock.nowMs());
    this.#uplink.setLink(link);
    if (isFirst) this.#phase = 'up';
    this.emit('start');
    if (isFirst) this.#begin();
  }

  #begin(): void {
    this.emit('callStarted', { jobId: this.#jobId ?? '' });
    if (this.listenerCount('remoteAudioStreamAvailable') > 0) {
      this.#remoteStream = new PcmStream();
      this.emit('remoteAudioStreamAvailable', this.#remoteStream.readable);
    }
    if (this.listenerCount('localAudioStreamAvailable') > 0) {
      this.#localStream = new PcmStream();
      this.emit('localAudioStreamAvailable', this.#localStream.readable);
    }
    if (this.#state === 'initializing') this.#setState('listening');
  }

  #linkHandlers(): Omit<AgentLinkHandlers, 'onClosed'> {
    const metadata = (): { timestamp: number; participant: 'agent' } => ({
      timestamp: this.#clock.wallMs(),
      participant: 'agent',
    });
    return {
      onAudio: (pcm) => this.#player.play(pcm),
      onClear: () => {
        this.#player.clear();
        this.emit('cleared');
      },
      onMark: (name) => this.#player.mark(name),
      onTranscription: (text) => {
        this.#times.transcribed(this.#clock.nowMs());
        if (this.#state !== 'speaking') this.#setState('thinking');
        this.emit('transcriptionReceived', text);
      },
      onAnswer: (text) => {
        // An agent without a voice has said all of it; another one is still to be heard.
        if (!this.#voiceEnablement && this.#state === 'thinking') this.#setState('listening');
        this.emit('answerReceived', text);
      },
      onInfo: (message) => this.emit('info', message),
      onTools: (calls) => void this.#runTools(calls),
      onCustom: (type, message) => this.emit('customEvent', type, message, metadata()),
      onBadFrame: (error) => {
        this.#counters.badFrames++;
        if (!this.#hasToldBadFrame) this.#tell(error);
        this.#hasToldBadFrame = true;
      },
      onRoundTrip: (roundTripMs) => {
        this.#roundTrips.add(roundTripMs);
        this.#judgeQuality();
      },
    };
  }

  #playerHandlers(): AgentPlayerHandlers {
    return {
      onSpeaking: () => {
        this.#times.speaking(this.#clock.nowMs());
        this.#setState('speaking');
        this.emit('speaking');
      },
      onListening: () => {
        this.#times.listening(this.#clock.nowMs());
        if (this.#phase === 'over') return;
        this.#setState('listening');
        this.emit('listening');
        if (this.#phase === 'leaving' && !this.#player.isPlaying) this.#finish(undefined);
      },
      onMark: (name) => this.#uplink.sendMark(name),
      onPlayed: (pcm) => {
        this.#agentLevel = rms(pcm) / 32768;
        this.#agentLevelAtMs = this.#clock.nowMs();
        this.#remoteStream?.write(pcm);
        this.#onAudioData?.(Buffer.from(new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength)));
      },
    };
  }

  async #runTools(calls: readonly ToolCall[]): Promise<void> {
    const tools = this.#tools;
    if (!tools) return;
    const results = await Promise.all(calls.map((call) => tools.run(call)));
    this.#uplink.sendToolResults(results);
  }

  /** The agent said goodbye: what it said before is heard out. */
  #takeLeave(): void {
    if (!this.#player.isPlaying || this.#isPaused) {
      this.#finish(undefined);
      return;
    }
    this.#phase = 'leaving';
    this.#farewell = this.#clock.after(MAX_FAREWELL_MS, () => this.#finish(undefined));
  }

  #finish(error: GatewayError | undefined): void {
    if (this.#phase === 'over') return;
    const hadBegun = this.#isUp;
    this.#phase = 'over';
    this.#over.abort(new AbortedError('the conversation'));
    this.#farewell?.cancel();
    this.#link.end();
    this.#player.close();
    this.#times.end(this.#clock.nowMs());
    this.#counters.active--;
    this.#counters.droppedDownMs += this.#player.droppedMs;
    this.#remoteStream?.end();
    this.#localStream?.end();
    this.#setState('idle');
    const failures = error && error.code !== 'ERR_ABORTED' ? ([error] as const) : ([] as const);
    for (const failure of failures) {
      this.#counters.failed++;
      this.#tell(failure);
    }
    if (!hadBegun) return;
    this.emit('callEnded', ...failures);
    this.emit('closed');
  }

  #judgeQuality(): void {
    const { roundTripMs, jitterMs } = this.#roundTrips;
    const bufferedBytes = this.#link.current?.bufferedBytes ?? 0;
    const metrics: ConnectionMetrics = { roundTripMs, jitterMs, bufferedBytes, reconnects: this.#times.reconnections };
    const quality = this.#link.current ? qualityOf(metrics) : 'lost';
    if (quality === this.#quality) return;
    this.#quality = quality;
    this.emit('connectionQualityChanged', { quality, metrics });
  }

  #setState(state: AgentState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.emit('agentStateChanged', state);
  }

  /** An `error` event that nobody listens to would be thrown. */
  #tell(error: GatewayError): void {
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }
}
