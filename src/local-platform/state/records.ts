/**
 * What the platform stores. Fields that are not named here came with a request and are kept as they are. Times are
 * ISO 8601 in UTC, ids are UUIDs.
 */
interface Base {
  readonly id: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface WebhookAuth {
  /** `bearer`, or the name of a header. */
  readonly authKey: string;
  readonly authSecret: string;
}

export interface Agent extends Base {
  readonly name: string;
  readonly preamble?: string | undefined;
  readonly greeting?: string | undefined;
  readonly language?: string | undefined;
  readonly voiceId?: string | undefined;
  /** Where the events of its calls go. */
  readonly webhookUrl?: string | null | undefined;
  readonly webhookAuth?: WebhookAuth | null | undefined;
  /** Stand in for those that a call does not give. */
  readonly params?: Params | undefined;
  readonly [field: string]: unknown;
}

export type Params = Readonly<Record<string, unknown>>;

export interface PhoneNumber extends Base {
  readonly number: string;
  readonly label?: string | undefined;
  /** Of the agent that answers it. */
  readonly voiceAgentId: string | null;
  readonly [field: string]: unknown;
}

export interface KnowledgeItem extends Base {
  readonly type: 'TEXT' | 'FILE' | 'URL';
  readonly name: string;
  readonly content?: string | undefined;
  readonly url?: string | undefined;
  readonly urls: readonly string[];
  readonly isActive: boolean;
  /** `PROCESSING` while what is behind its addresses is fetched. */
  readonly status: 'PROCESSING' | 'READY' | 'FAILED';
  /** Why it failed. */
  readonly error: string | null;
  /** Counts the changes of what it is made of. */
  readonly contentVersion: number;
  /** Of a file that was uploaded, and of what is behind the addresses. */
  readonly fileBytes: number;
  readonly pageBytes: number;
  /** What it takes of the account's storage. */
  readonly sizeBytes: number;
  readonly [field: string]: unknown;
}

export interface WebTool extends Base {
  readonly name: string;
  readonly description?: string | undefined;
  readonly url: string;
  readonly method: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly parameters?: unknown;
  readonly isActive: boolean;
  readonly [field: string]: unknown;
}

export type ContactStatus = 'PENDING' | 'CALLING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';

export interface Contact {
  readonly number: string;
  readonly params?: Params | undefined;
  readonly status: ContactStatus;
  readonly attempts: number;
  /** Of its last call. */
  readonly conversationId: string | null;
}

export type CampaignStatus = 'DRAFT' | 'RUNNING' | 'PAUSED' | 'CANCELLED' | 'COMPLETED';

export interface Campaign extends Base {
  readonly name: string;
  readonly voiceAgentId: string | null;
  readonly phoneNumberId: string | null;
  readonly status: CampaignStatus;
  readonly contacts: readonly Contact[];
  readonly [field: string]: unknown;
}

export type Speaker = 'Agent' | 'User';
/** One speaker and what was said: `{Agent: "Hello!"}`. */
export type Turn = { readonly Agent: string } | { readonly User: string };

export interface ToolCall {
  readonly name: string;
  readonly params: unknown;
  readonly ok: boolean;
  /** What the tool answered, or why it did not. */
  readonly result: unknown;
  readonly at: string;
}

/** `PENDING` until it is answered. */
export type ConversationStatus = 'PENDING' | 'ONGOING' | 'COMPLETED' | 'FAILED';

export interface Conversation extends Base {
  /** The same as `id`: clients know it by this name too. */
  readonly jobId: string;
  readonly voiceAgentId: string;
  readonly agentName: string;
  /** `phone`: simulated by the platform; `web`: somebody talks to the agent over a socket. */
  readonly channel: 'phone' | 'web';
  readonly from: string | null;
  readonly to: string | null;
  readonly phoneNumberId: string | null;
  readonly campaignId: string | null;
  readonly params: Params;
  readonly status: ConversationStatus;
  /** Why it failed. */
  readonly reason: string | null;
  readonly startedAt: string;
  readonly answeredAt: string | null;
  readonly endedAt: string | null;
  readonly durationMs: number | null;
  readonly transcription: readonly Turn[];
  readonly toolCalls: readonly ToolCall[];
  readonly outcomeResult: Params | null;
  readonly conversationRecording: string | null;
}

export type JobType = 'TRANSCRIPTION' | 'TEXT_TO_SPEECH' | 'AI_CONTENT';
export type JobStatus = 'PENDING' | 'PROCESSING' | 'COMPLETED' | 'FAILED';

export interface Job extends Base {
  /** The same as `id`. */
  readonly jobId: string;
  readonly type: JobType;
  readonly status: JobStatus;
  /** In percent. */
  readonly progress: number;
  readonly request: Params;
  readonly jobResponse: Params | null;
  /** Why it failed. */
  readonly error: string | null;
}

export interface VoiceDictionary extends Base {
  readonly name: string;
  readonly words: unknown;
  readonly [field: string]: unknown;
}
