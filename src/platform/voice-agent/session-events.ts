import type { Readable } from 'node:stream';
import type { GatewayError } from '../../core/errors.ts';
import type { RawMessage } from './agent-link.ts';
import type { ConnectionMetrics, ConnectionQuality } from './connection-quality.ts';

/** What the agent is doing, as far as this side can tell. */
export type AgentState = 'idle' | 'initializing' | 'listening' | 'thinking' | 'speaking';

/** Events of a session: the names of the vendor's SDK 0.3, and those of the guide. */
export interface AgentSessionEvents {
  /** The conversation has begun: the agent can hear and be heard. */
  callStarted: [{ readonly jobId: string }];
  /** It is over, whoever ended it; once. With the failure that ended it, if there was one. */
  callEnded: [failure?: GatewayError];
  callPaused: [];
  callResumed: [];
  /** A link to the agent is open; also after it was lost. */
  start: [];
  /** The last link is closed; follows `callEnded`. */
  closed: [];
  /** What the platform understood of the caller. */
  transcriptionReceived: [string];
  /** What the agent says, as text. */
  answerReceived: [string];
  /** The caller hears the agent, and hears it no more. */
  speaking: [];
  listening: [];
  agentStateChanged: [AgentState];
  /** The caller interrupted the agent: what was not heard yet is not played any more. */
  cleared: [];
  info: [RawMessage];
  /** A message of a kind that has no event of its own. `tool_execution` tells of a client-side tool that was called. */
  customEvent: [
    eventType: string,
    eventData: unknown,
    metadata: { readonly timestamp: number; readonly participant: 'agent' | 'user' },
  ];
  connectionQualityChanged: [{ readonly quality: ConnectionQuality; readonly metrics: ConnectionMetrics }];
  /** The link was lost and is being opened again, and is back. */
  reconnecting: [];
  reconnected: [];
  dtmfSent: [digit: string];
  /** PCM16LE at 16 kHz: the agent's voice as the caller hears it, the caller's as the agent is sent it. */
  remoteAudioStreamAvailable: [Readable];
  localAudioStreamAvailable: [Readable];
  /** What went wrong. The conversation goes on unless `callEnded` follows. Without a listener it is not thrown. */
  error: [GatewayError];
}
