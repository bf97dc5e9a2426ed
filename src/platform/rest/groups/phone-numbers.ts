import { z } from 'zod';
import type { Caller, CallOptions } from '../caller.ts';
import { ENDPOINTS } from '../endpoints.ts';
import { aliased, type Details, details, id, type MaybeText, type Page, pageOf, text } from './answers.ts';
import type { ListQuery } from './voice-agents.ts';

const endpoints = ENDPOINTS.phoneNumbers;

export interface PhoneNumber {
  readonly id: string;
  readonly number?: MaybeText;
  readonly label?: MaybeText;
  readonly voiceAgentId?: MaybeText;
  readonly [field: string]: unknown;
}

export interface NumberCall {
  readonly phoneNumberId: string;
  readonly toNumber: string;
  readonly voiceAgentId?: string;
  readonly params?: Details;
  readonly [field: string]: unknown;
}

const phoneNumber: z.ZodType<PhoneNumber> = aliased(
  { voiceAgentId: ['agentId'] },
  z.looseObject({ id, number: text, label: text, voiceAgentId: text }),
);

/** Phone numbers. All methods throw as {@link Caller.json} does. */
export class PhoneNumbers {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  list(query: ListQuery = {}, options?: CallOptions): Promise<Page<PhoneNumber>> {
    return this.#caller.json(endpoints.list, { query }, pageOf(phoneNumber), options);
  }

  add(
    body: { readonly number: string; readonly label?: string; readonly [field: string]: unknown },
    options?: CallOptions,
  ): Promise<PhoneNumber> {
    return this.#caller.json(endpoints.add, { body }, phoneNumber, options);
  }

  delete(numberId: string, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.delete, { id: numberId }, details, options);
  }

  assign(
    body: { readonly phoneNumberId: string; readonly voiceAgentId: string; readonly [field: string]: unknown },
    options?: CallOptions,
  ): Promise<Details> {
    return this.#caller.json(endpoints.assign, { body }, details, options);
  }

  unassign(
    body: { readonly phoneNumberId: string; readonly voiceAgentId?: string; readonly [field: string]: unknown },
    options?: CallOptions,
  ): Promise<Details> {
    return this.#caller.json(endpoints.unassign, { body }, details, options);
  }

  /** Calls a number from one of the account's. */
  call(body: NumberCall, options?: CallOptions): Promise<Details> {
    return this.#caller.json(endpoints.call, { body }, details, options);
  }
}
