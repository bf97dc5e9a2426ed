import { z } from 'zod';
import type { Caller, CallOptions } from '../caller.ts';
import { ENDPOINTS } from '../endpoints.ts';
import { type Details, details, flag, id, type MaybeText, type Page, pageOf, text } from './answers.ts';
import type { ListQuery } from './voice-agents.ts';

const endpoints = ENDPOINTS.webTools;

export interface WebTool {
  readonly id: string;
  readonly name?: MaybeText;
  readonly description?: MaybeText;
  readonly url?: MaybeText;
  readonly method?: MaybeText;
  readonly isActive?: boolean | null | undefined;
  readonly [field: string]: unknown;
}

export interface WebToolSettings {
  readonly name?: string;
  readonly description?: string;
  readonly url?: string;
  readonly method?: string;
  /** Sent with each call of the tool; credentials go here. */
  readonly headers?: readonly { readonly name: string; readonly value: string }[];
  readonly parameters?: unknown;
  readonly [field: string]: unknown;
}

const tool: z.ZodType<WebTool> = z.looseObject({
  id,
  name: text,
  description: text,
  url: text,
  method: text,
  isActive: flag,
});

/** Web APIs that agents may call. All methods throw as {@link Caller.json} does. */
export class WebTools {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  create(body: WebToolSettings & { readonly name: string }, options?: CallOptions): Promise<WebTool> {
    return this.#caller.json(endpoints.create, { body }, tool, options);
  }

  list(query: ListQuery = {}, options?: CallOptions): Promise<Page<WebTool>> {
    return this.#caller.json(endpoints.list, { query }, pageOf(tool), options);
  }

  update(toolId: string, body: WebToolSettings, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.update, { id: toolId, body }, details, options);
  }

  /** Lets the platform call a tool: one that is stored, by its `id`, or the one that `body` describes. */
  test(
    body: (WebToolSettings | { readonly id: string }) & { readonly params?: Details },
    options?: CallOptions,
  ): Promise<Details> {
    return this.#caller.json(endpoints.test, { body }, details, options);
  }

  toggleActivation(toolId: string, isActive: boolean, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.toggleActivation, { id: toolId, body: { isActive } }, details, options);
  }
}
