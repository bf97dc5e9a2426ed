import { z } from 'zod';
import type { Caller, CallOptions } from '../caller.ts';
import { ENDPOINTS } from '../endpoints.ts';
import { type Details, details, flag, id, type MaybeText, type Page, pageOf, text } from './answers.ts';
import type { ListQuery } from './voice-agents.ts';

const endpoints = ENDPOINTS.knowledgeBase;

export interface KnowledgeItem {
  readonly id: string;
  readonly type?: MaybeText;
  readonly name?: MaybeText;
  readonly status?: MaybeText;
  readonly isActive?: boolean | null | undefined;
  readonly [field: string]: unknown;
}

export interface KnowledgeSettings {
  readonly type?: 'TEXT' | 'FILE' | 'URL';
  readonly name?: string;
  /** Of a TEXT: 50 to 5,000 characters. */
  readonly content?: string;
  /** Of a URL: a web page. Of a FILE: where it is; PDF, DOCS, DOC, TXT, HTML or EPUB. */
  readonly url?: string;
  /** At most 100. */
  readonly urls?: readonly string[];
  readonly [field: string]: unknown;
}

const item: z.ZodType<KnowledgeItem> = z.looseObject({ id, type: text, name: text, status: text, isActive: flag });

/**
 * What agents know. All methods throw as {@link Caller.json} does; a limit of the platform that is not kept is a
 * ValidationError before anything is sent.
 */
export class KnowledgeBase {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  create(
    body: KnowledgeSettings & { readonly type: 'TEXT' | 'FILE' | 'URL' },
    options?: CallOptions,
  ): Promise<KnowledgeItem> {
    return this.#caller.json(endpoints.create, { body }, item, options);
  }

  list(query: ListQuery = {}, options?: CallOptions): Promise<Page<KnowledgeItem>> {
    return this.#caller.json(endpoints.list, { query }, pageOf(item), options);
  }

  get(itemId: string, options?: CallOptions): Promise<KnowledgeItem> {
    return this.#caller.json(endpoints.get, { id: itemId }, item, options);
  }

  update(itemId: string, body: KnowledgeSettings, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.update, { id: itemId, body }, details, options);
  }

  delete(itemId: string, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.delete, { id: itemId }, details, options);
  }

  /** Adds a web page to an item of type URL, or several. */
  addUrl(itemId: string, url: string | readonly string[], options?: CallOptions): Promise<Details> {
    const body = typeof url === 'string' ? { url } : { urls: url };
    return this.#caller.json(endpoints.addUrl, { id: itemId, body }, details, options);
  }

  toggleActivation(itemId: string, isActive: boolean, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.toggleActivation, { id: itemId, body: { isActive } }, details, options);
  }
}
