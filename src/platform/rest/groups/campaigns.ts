import { z } from 'zod';
import type { Caller, CallOptions } from '../caller.ts';
import { ENDPOINTS } from '../endpoints.ts';
import { type Details, details, id, type MaybeText, type Page, pageOf, text } from './answers.ts';
import type { ListQuery } from './voice-agents.ts';

const endpoints = ENDPOINTS.campaigns;

export interface Campaign {
  readonly id: string;
  readonly name?: MaybeText;
  readonly status?: MaybeText;
  readonly voiceAgentId?: MaybeText;
  readonly phoneNumberId?: MaybeText;
  readonly [field: string]: unknown;
}

export interface Contact {
  readonly number: string;
  readonly params?: Details;
}

export interface CampaignSettings {
  readonly name?: string;
  readonly voiceAgentId?: string;
  readonly phoneNumberId?: string;
  readonly contacts?: readonly Contact[];
  readonly [field: string]: unknown;
}

const campaign: z.ZodType<Campaign> = z.looseObject({
  id,
  name: text,
  status: text,
  voiceAgentId: text,
  phoneNumberId: text,
});

/** Campaigns, which call many contacts. All methods throw as {@link Caller.json} does. */
export class Campaigns {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  create(body: CampaignSettings & { readonly name: string }, options?: CallOptions): Promise<Campaign> {
    return this.#caller.json(endpoints.create, { body }, campaign, options);
  }

  list(query: ListQuery = {}, options?: CallOptions): Promise<Page<Campaign>> {
    return this.#caller.json(endpoints.list, { query }, pageOf(campaign), options);
  }

  get(campaignId: string, options?: CallOptions): Promise<Campaign> {
    return this.#caller.json(endpoints.get, { id: campaignId }, campaign, options);
  }

  update(campaignId: string, body: CampaignSettings, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.update, { id: campaignId, body }, details, options);
  }

  pause(campaignId: string, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.pause, { id: campaignId }, details, options);
  }

  resume(campaignId: string, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.resume, { id: campaignId }, details, options);
  }

  cancel(campaignId: string, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.cancel, { id: campaignId }, details, options);
  }

  /** Calls the contacts again that could not be reached. */
  retry(campaignId: string, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.retry, { id: campaignId }, details, options);
  }
}
