import type { Clock } from '../../core/clock.ts';
import type { HamsaClient } from '../rest/hamsa-client.ts';
import type { AgentCounters } from './agent-counters.ts';
import type { OpenAgentLink } from './agent-link.ts';
import type { CreateAgentPlayer } from './agent-player.ts';
import type { ClientTool } from './client-tool.ts';

export interface VoiceAgentSessionOptions {
  readonly apiKey: string;
  /** Of the REST API. Default `https://api.tryhamsa.com`. */
  readonly baseUrl?: string;
  /** Of the agents' socket. Default `wss://bots.tryhamsa.com/stream`. */
  readonly agentUrl?: string;
  /** The word before the key in `Authorization`. Default `Token`. */
  readonly authScheme?: 'Token' | 'Bearer';
  /** Allows URLs without encryption beyond loopback. */
  readonly allowInsecure?: boolean;
  /** Makes the REST requests, with its quota and its retries. It stays the caller's. Default: one for each request. */
  readonly client?: HamsaClient;
  /** Another way to the agent than the vendor's WebSocket. */
  readonly openLink?: OpenAgentLink;
  /** What plays the agent's voice. Default: it is handed on in real time, through `onAudioData` and the audio events. */
  readonly createPlayer?: CreateAgentPlayer;
  /** Totals that several sessions share. */
  readonly counters?: AgentCounters;
  /** For one call of a client-side tool. Default 10 s. */
  readonly toolTimeoutMs?: number;
  readonly clock?: Clock;
  /** [0, 1), for the waits before a link is opened again; default `Math.random`. */
  readonly random?: () => number;
}

/** What of the SDK's options means something without a browser. */
export interface StartOptions {
  readonly agentId: string;
  /** Fill the agent's `{{placeholders}}`, and come back with the webhooks of the call. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Default false, as in the SDK. */
  readonly voiceEnablement?: boolean;
  readonly userId?: string;
  /** Functions that the agent may call here. */
  readonly tools?: readonly ClientTool[];
  /** Gets the agent's voice as it is heard: PCM16LE at 16 kHz, which it may keep. */
  readonly onAudioData?: (audio: Buffer) => void;
}
