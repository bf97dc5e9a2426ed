import { z } from 'zod';
import type { AudioStream } from '../audio-stream.ts';
import type { Caller, CallOptions } from '../caller.ts';
import { ENDPOINTS } from '../endpoints.ts';
import { aliased, type Details, details, id, type MaybeText, type Page, pageOf, text } from './answers.ts';

const endpoints = ENDPOINTS.conversations;

export interface Conversation {
  readonly id?: string | undefined;
  readonly status?: MaybeText;
  readonly voiceAgentId?: MaybeText;
  /** Turns, one speaker a turn: `{Agent: "…"}` or `{User: "…"}`. */
  readonly transcription?: unknown;
  readonly [field: string]: unknown;
}

export interface ConversationFilter {
  readonly page?: number;
  readonly limit?: number;
  readonly voiceAgentId?: string;
  readonly status?: string;
  readonly [field: string]: unknown;
}

/** A call that was joined. Without `audio`, `details` says how to listen: the platform may give a token of its media server. */
export interface JoinedCall {
  readonly audio: AudioStream | undefined;
  readonly details: Details;
}

const conversation: z.ZodType<Conversation> = aliased(
  { id: ['conversationId', 'jobId', 'callId'], voiceAgentId: ['agentId'] },
  z.looseObject({ id: id.optional(), status: text, voiceAgentId: text }),
);

/** Calls of agents, past and present. All methods throw as {@link Caller.json} does. */
export class Conversations {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  list(filter: ConversationFilter = {}, options?: CallOptions): Promise<Page<Conversation>> {
    return this.#caller.json(endpoints.list, { body: filter }, pageOf(conversation), options);
  }

  get(conversationId: string, options?: CallOptions): Promise<Conversation> {
    return this.#caller.json(endpoints.get, { id: conversationId }, conversation, options);
  }

  /** Listens to a call that is up. `options.signal` ends the listening. */
  async joinCall(conversationId: string, options?: CallOptions): Promise<JoinedCall> {
    const answer = await this.#caller.audio(endpoints.joinCall, { id: conversationId }, options);
    if (answer.audio !== undefined) return { audio: answer.audio, details: {} };
    return { audio: undefined, details: this.#caller.check(endpoints.joinCall, answer.details, details) };
  }
}
