import type { GatewayError } from '../../core/errors.ts';

/** Of all audio between a session and its agent: 16 bit mono. */
export const AGENT_SAMPLE_RATE = 16_000;

/** A client-side function that the agent wants called. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON of an object, as the agent's model wrote it. */
  readonly arguments: string;
}

/** The answer to a {@link ToolCall}, as it goes over the wire. `response` can be written as JSON. */
export interface ToolResult {
  readonly id: string;
  readonly function: { readonly name: string; readonly response: unknown };
}

/** A message that no kind of this protocol has, as it came. */
export type RawMessage = Readonly<Record<string, unknown>>;

/** What a link tells its session, in the order in which it came. */
export interface AgentLinkHandlers {
  /** The agent's voice. `pcm` is valid during the call only. It may come in bursts, far ahead of real time. */
  onAudio(pcm: Int16Array): void;
  /** What was not played yet is not to be played any more: the caller interrupted the agent. */
  onClear(): void;
  /** To be answered once all audio before it was played. */
  onMark(name: string): void;
  onTranscription(text: string): void;
  onAnswer(text: string): void;
  onInfo(message: RawMessage): void;
  onTools(calls: readonly ToolCall[]): void;
  onCustom(type: string, message: RawMessage): void;
  /** Something came that is nothing of this protocol; it was ignored. */
  onBadFrame(error: GatewayError): void;
  /** The time that a message takes to the agent and back. */
  onRoundTrip(roundTripMs: number): void;
  /** The link is gone, and not by `end` or `drop`; told once. Without an error the agent said goodbye. */
  onClosed(error: GatewayError | undefined): void;
}

/**
 * One connection to an agent in a conversation. Which protocol it speaks is its own affair: the vendor's SDK up to 0.3
 * has a WebSocket, later ones LiveKit.
 */
export interface AgentLink {
  /** What was given to send and has not left. */
  readonly bufferedBytes: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** The caller's voice. `pcm` is not kept. */
  sendAudio(pcm: Int16Array): void;
  sendMark(name: string): void;
  sendToolResults(results: readonly ToolResult[]): void;
  sendDtmf(digit: string): void;
  /** Says goodbye: the conversation is over. */
  end(): void;
  /** Breaks the connection off, so that the conversation can go on over another one. */
  drop(): void;
}

/**
 * Connects to the agent of a conversation. Resolves once the agent can hear and be heard.
 *
 * Rejects with GatewayError `ERR_PLATFORM_*`, or with the reason of `signal`.
 */
export type OpenAgentLink = (jobId: string, handlers: AgentLinkHandlers, signal: AbortSignal) => Promise<AgentLink>;
