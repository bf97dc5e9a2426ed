import { z } from 'zod';
import type { Caller, CallOptions } from '../caller.ts';
import { ENDPOINTS } from '../endpoints.ts';
import type { QueryValue } from '../request.ts';
import { type Details, details, id, type MaybeText, type Page, pageOf, text } from './answers.ts';

const endpoints = ENDPOINTS.voiceAgents;

export type ListQuery = Readonly<Record<string, QueryValue>>;

export interface VoiceAgent {
  readonly id: string;
  readonly name?: MaybeText;
  readonly preamble?: MaybeText;
  readonly greeting?: MaybeText;
  readonly language?: MaybeText;
  readonly voiceId?: MaybeText;
  readonly webhookUrl?: MaybeText;
  readonly [field: string]: unknown;
}

export interface VoiceAgentSettings {
  readonly name?: string;
  /** What the agent is and how it behaves. */
  readonly preamble?: string;
  /** What it says first. */
  readonly greeting?: string;
  readonly language?: string;
  readonly voiceId?: string;
  readonly webhookUrl?: string;
  readonly webhookAuth?: { readonly authKey: string; readonly authSecret: string };
  readonly params?: Details;
  readonly [field: string]: unknown;
}

export interface AgentCall {
  readonly voiceAgentId: string;
  readonly toNumber: string;
  /** Come back with the events of the call. */
  readonly params?: Details;
  readonly [field: string]: unknown;
}

const agent: z.ZodType<VoiceAgent> = z.looseObject({
  id,
  name: text,
  preamble: text,
  greeting: text,
  language: text,
  voiceId: text,
  webhookUrl: text,
});

/** Voice agents. All methods throw as {@link Caller.json} does. */
export class VoiceAgents {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  create(body: VoiceAgentSettings & { readonly name: string }, options?: CallOptions): Promise<VoiceAgent> {
    return this.#caller.json(endpoints.create, { body }, agent, options);
  }

  list(query: ListQuery = {}, options?: CallOptions): Promise<Page<VoiceAgent>> {
    return this.#caller.json(endpoints.list, { query }, pageOf(agent), options);
  }

  get(agentId: string, options?: CallOptions): Promise<VoiceAgent> {
    return this.#caller.json(endpoints.get, { id: agentId }, agent, options);
  }

  update(agentId: string, body: VoiceAgentSettings, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.update, { id: agentId, body }, details, options);
  }

  /** @returns the copy. */
  clone(
    body: { readonly voiceAgentId: string; readonly name?: string; readonly [field: string]: unknown },
    options?: CallOptions,
  ): Promise<VoiceAgent> {
    return this.#caller.json(endpoints.clone, { body }, agent, options);
  }

  /** Lets an agent call a number. */
  call(body: AgentCall, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.call, { body }, details, options);
  }
}
