import type { RequestSlot } from '../../platform/request-slot.ts';
import type { ConversationRequest } from '../../platform/voice-agent/conversation.ts';

/** The hosted agents as sessions reach them. The key is the gateway's. */
export interface AgentPlatform {
  /** Where conversations are held, each under its id: `wss://bots.tryhamsa.com/stream`. */
  readonly agentUrl: string;
  readonly apiKey: string;
  /** Longest conversation. */
  readonly maxConversationMs: number;
  /** @returns the id of the conversation. @throws GatewayError `ERR_PLATFORM_*`. */
  begin(request: ConversationRequest, signal: AbortSignal): Promise<string>;
  /** @returns what the platform tells of a conversation. @throws GatewayError `ERR_PLATFORM_*`. */
  details(jobId: string, signal: AbortSignal): Promise<unknown>;
  /** Waits until the quota has room for one more connection. @throws GatewayError `ERR_QUOTA_WAIT`, `ERR_ABORTED`. */
  acquireConnection(signal: AbortSignal): Promise<Pick<RequestSlot, 'sent' | 'answered' | 'failed'>>;
}
