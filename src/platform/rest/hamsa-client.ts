import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { MemoryStore } from '../../store/memory-store.ts';
import type { Store } from '../../store/store.ts';
import type { AccountGuard } from '../account-guard.ts';
import { readBaseUrl } from './base-url.ts';
import { type AudioAnswer, Caller, type CallOptions, type Quota, type RestCounters } from './caller.ts';
import type { CircuitBreakerOptions } from './circuit-breaker.ts';
import type { Endpoint } from './endpoint.ts';
import { Campaigns } from './groups/campaigns.ts';
import { Conversations } from './groups/conversations.ts';
import { Extras } from './groups/extras.ts';
import { Jobs } from './groups/jobs.ts';
import { KnowledgeBase } from './groups/knowledge-base.ts';
import { PhoneNumbers } from './groups/phone-numbers.ts';
import { Realtime } from './groups/realtime.ts';
import { VoiceAgents } from './groups/voice-agents.ts';
import { WebTools } from './groups/web-tools.ts';
import { IdempotentOperations } from './idempotency.ts';
import type { Input } from './request.ts';
import type { RequestQueueOptions } from './request-queue.ts';
import type { ResponseCacheOptions } from './response-cache.ts';
import { waitingClock } from './waiting-clock.ts';

export interface HamsaClientOptions {
  readonly apiKey: string;
  /** Default `https://api.tryhamsa.com`. */
  readonly baseUrl?: string;
  /** The word before the key in `Authorization`. Default `Token`. */
  readonly authScheme?: 'Token' | 'Bearer';
  /** Allows a base URL without encryption beyond loopback. */
  readonly allowInsecure?: boolean;
  /** Sent with every request, besides those of the client. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Of the standard APIs. Without one, requests are sent as they come. */
  readonly quota?: Quota;
  /** Of the realtime APIs, which the platform counts for themselves. */
  readonly realtimeQuota?: Quota;
  /** Shared with the speech of a gateway: a refused key or an empty wallet then stops both. */
  readonly guard?: AccountGuard;
  /** Where results of idempotent operations are kept. Default: in memory, for the last 10,000. It stays the caller's. */
  readonly store?: Store;
  /** Attempts at a request, the first included. Default 3. */
  readonly maxAttempts?: number;
  /** For each attempt, from the request to the end of its answer; to its first audio for audio. Default 30 s. */
  readonly attemptTimeoutMs?: number;
  /** For a call with all its waits and attempts. Default 120 s. */
  readonly timeoutMs?: number;
  /** What is read of an answer in JSON. Default 16 MiB. */
  readonly maxAnswerBytes?: number;
  readonly queue?: RequestQueueOptions;
  readonly breaker?: CircuitBreakerOptions;
  /** Gives the answers to reads again. Off by default. */
  readonly cache?: ResponseCacheOptions;
  readonly clock?: Clock;
}

export interface HamsaClientCounters extends RestCounters {
  readonly cacheHits: number;
  /** Requests in the queue, and those that found it full. */
  readonly running: number;
  readonly waiting: number;
  readonly refused: number;
  readonly resultsNotKept: number;
}

/**
 * The REST API of the platform, grouped as its guide groups it. Safe requests are repeated after a failure; ids go into
 * paths encoded; redirects are not followed; nothing that comes back is trusted to be what it should.
 *
 * @throws GatewayError `ERR_SETTINGS_INVALID` - the base URL can not be used.
 * @throws TypeError - the key or a header can not be sent.
 */
export class HamsaClient {
  readonly voiceAgents: VoiceAgents;
  readonly phoneNumbers: PhoneNumbers;
  readonly knowledgeBase: KnowledgeBase;
  readonly webTools: WebTools;
  readonly campaigns: Campaigns;
  readonly conversations: Conversations;
  readonly jobs: Jobs;
  readonly realtime: Realtime;
  readonly extras: Extras;
  readonly #caller: Caller;
  readonly #idempotent: IdempotentOperations;

  constructor(options: HamsaClientOptions) {
    const {
      baseUrl = 'https://api.tryhamsa.com',
      authScheme = 'Token',
      allowInsecure = false,
      headers = {},
      clock = waitingClock,
      store = new MemoryStore({ clock }),
    } = options;
    const caller = new Caller({ ...options, baseUrl: readBaseUrl(baseUrl, allowInsecure), authScheme, headers, clock });
    this.#caller = caller;
    this.#idempotent = new IdempotentOperations(store);
    this.voiceAgents = new VoiceAgents(caller);
    this.phoneNumbers = new PhoneNumbers(caller);
    this.knowledgeBase = new KnowledgeBase(caller);
    this.webTools = new WebTools(caller);
    this.campaigns = new Campaigns(caller);
    this.conversations = new Conversations(caller);
    this.jobs = new Jobs(caller, clock);
    this.realtime = new Realtime(caller);
    this.extras = new Extras(caller);
  }

  get counters(): HamsaClientCounters {
    const { counters, cacheHits, queue } = this.#caller;
    const { running, waiting, refused } = queue;
    return { ...counters, cacheHits, running, waiting, refused, resultsNotKept: this.#idempotent.notKept };
  }

  /** Does `run` once for `operationId`, whoever asks how often: see {@link IdempotentOperations.operation}. */
  idempotentOperation<T>(operationId: string, run: () => Promise<T>): Promise<T> {
    return this.#idempotent.operation(operationId, run);
  }

  /** Calls a row of the table of endpoints. @returns the data as the platform gave it, of whatever shape. */
  request(endpoint: Endpoint, input: Input, options?: CallOptions): Promise<unknown> {
    return this.#caller.json(endpoint, input, z.unknown(), options);
  }

  /** Calls a row that answers audio. */
  requestAudio(endpoint: Endpoint, input: Input, options?: CallOptions): Promise<AudioAnswer> {
    return this.#caller.audio(endpoint, input, options);
  }

  /** Breaks everything off and closes the connections. */
  close(): Promise<void> {
    return this.#caller.close();
  }
}
