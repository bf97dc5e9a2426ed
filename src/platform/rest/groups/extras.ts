import { type Details, details, type Page, pageOf } from './answers.ts';
import type { Caller, CallOptions } from '../caller.ts';
import type { Endpoint } from '../endpoint.ts';
import { ENDPOINTS } from '../endpoints.ts';
import type { ListQuery } from './voice-agents.ts';

const endpoints = ENDPOINTS.extras;

/**
 * What the platform's guide does not have and its reference or other integrations do. Nothing of their answers is
 * checked but that they are objects. All methods throw as {@link Caller.json} does.
 */
export class Extras {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  voices(query: ListQuery = {}, options?: CallOptions): Promise<Page<Details>> {
    return this.#list(endpoints.voices, query, options);
  }

  /** Loads a cloned voice, which it needs before it speaks. */
  preloadVoice(voiceId: string, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.preloadVoice, { id: voiceId }, details, options);
  }

  listPhoneNumbers(query: ListQuery = {}, options?: CallOptions): Promise<Page<Details>> {
    return this.#list(endpoints.listPhoneNumbers, query, options);
  }

  assignTwilioNumber(body: Details, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.assignTwilioNumber, { body }, details, options);
  }

  callTwilioNumber(body: Details, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.callTwilioNumber, { body }, details, options);
  }

  createWebTool(body: Details, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.createWebTool, { body }, details, options);
  }

  listWebTools(query: ListQuery = {}, options?: CallOptions): Promise<Page<Details>> {
    return this.#list(endpoints.listWebTools, query, options);
  }

  getWebTool(toolId: string, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.getWebTool, { id: toolId }, details, options);
  }

  updateWebTool(toolId: string, body: Details, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.updateWebTool, { id: toolId, body }, details, options);
  }

  createVoiceDictionary(body: Details, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.createVoiceDictionary, { body }, details, options);
  }

  updateVoiceDictionary(dictionaryId: string, body: Details, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.updateVoiceDictionary, { id: dictionaryId, body }, details, options);
  }

  analyticsOverview(query: ListQuery = {}, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.analyticsOverview, { query }, details, options);
  }

  analyticsPerformance(query: ListQuery = {}, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.analyticsPerformance, { query }, details, options);
  }

  analyticsSatisfaction(query: ListQuery = {}, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.analyticsSatisfaction, { query }, details, options);
  }

  /** The project that the key belongs to. */
  project(options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.project, {}, details, options);
  }

  statisticsChart(query: ListQuery = {}, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.statisticsChart, { query }, details, options);
  }

  statisticsNumbers(query: ListQuery = {}, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.statisticsNumbers, { query }, details, options);
  }

  getAiContent(jobId: string, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.getAiContent, { id: jobId }, details, options);
  }

  customAiContent(body: Details, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.customAiContent, { body }, details, options);
  }

  estimateAiContent(query: ListQuery = {}, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.estimateAiContent, { query }, details, options);
  }

  #list(endpoint: Endpoint, query: ListQuery, options?: CallOptions): Promise<Page<Details>> {
    return this.#caller.json(endpoint, { query }, pageOf(details), options);
  }
}
