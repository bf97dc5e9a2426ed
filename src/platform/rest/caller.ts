import { setMaxListeners } from 'node:events';
import type { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import type { AccountGuard } from '../account-guard.ts';
import { AbortedError, errorFromNetwork, platformError } from '../platform-errors.ts';
import { type Answer, readData, readText } from './answer.ts';
import { AudioStream } from './audio-stream.ts';
import { CircuitBreaker, type CircuitBreakerOptions } from './circuit-breaker.ts';
import type { Endpoint } from './endpoint.ts';
import { buildRequest, type Input, type Request } from './request.ts';
import { RequestQueue, type RequestQueueOptions } from './request-queue.ts';
import { orAborted, RequestWatch, refuseAborted } from './request-watch.ts';
import { ResponseCache, type ResponseCacheOptions } from './response-cache.ts';
import { isOutage, mayRepeat, withRetries } from './retry.ts';
import { Transport, type TransportOptions } from './transport.ts';

/** A request that a {@link Quota} let through. Exactly one of these is called, and lets the quota learn. */
export interface QuotaTicket {
  /** The head of an answer came, whatever it says. */
  answered(status: number, headers: Answer['headers']): void;
  /** None did. */
  lost(): void;
}

export interface Quota {
  /** Spends one slot, waiting for it if need be. Rejects when `signal` is aborted. */
  acquire(signal: AbortSignal): Promise<QuotaTicket | undefined>;
}

export interface CallerOptions extends TransportOptions {
  readonly clock: Clock;
  readonly quota?: Quota | undefined;
  readonly realtimeQuota?: Quota | undefined;
  readonly guard?: AccountGuard | undefined;
  readonly maxAttempts?: number | undefined;
  readonly attemptTimeoutMs?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly maxAnswerBytes?: number | undefined;
  readonly queue?: RequestQueueOptions | undefined;
  readonly breaker?: CircuitBreakerOptions | undefined;
  readonly cache?: ResponseCacheOptions | undefined;
}

export interface CallOptions {
  /** Gives the call up, whatever it is doing; a stream that it opened too. */
  readonly signal?: AbortSignal | undefined;
  /** For this call, waiting and repeating included. */
  readonly timeoutMs?: number | undefined;
  /** Asks the platform even if the answer is in the cache. */
  readonly fresh?: boolean | undefined;
}

export interface RestCounters {
  /** Requests on the wire, repeated ones included. */
  requests: number;
  repeated: number;
  failed: number;
}

/** An answer that may be audio; `details` is what it says otherwise. */
export type AudioAnswer = { readonly audio: AudioStream } | { readonly audio: undefined; readonly details: unknown };

type Receive<T> = (answer: Answer, watch: RequestWatch) => Promise<T>;

const STALL_TIMEOUT_MS = 15_000;

/**
 * Calls endpoints. One call goes through
 *
 *     cache ─► attempts ─► queue ─► circuit breaker ─► quota ─► connection
 *              └ waits between them hold no place in the queue
 *
 * within one timeout for all of it and one for each attempt, and under one abort signal.
 */
export class Caller {
  readonly #options: CallerOptions;
  readonly #transport: Transport;
  readonly #queue: RequestQueue;
  /** One a group: the speech engines may fail while all else works. */
  readonly #breakers = new Map<string, CircuitBreaker>();
  readonly #cache: ResponseCache | undefined;
  readonly #closing = new AbortController();
  readonly counters: RestCounters = { requests: 0, repeated: 0, failed: 0 };

  constructor(options: CallerOptions) {
    this.#options = options;
    // Every call listens, and there may be many.
    setMaxListeners(0, this.#closing.signal);
    this.#transport = new Transport(options);
    this.#queue = new RequestQueue(options.queue);
    this.#cache = options.cache && new ResponseCache(options.cache, options.clock);
  }

  get queue(): Pick<RequestQueue, 'running' | 'waiting' | 'refused'> {
    return this.#queue;
  }

  get cacheHits(): number {
    return this.#cache?.hits ?? 0;
  }

  /**
   * The data of an endpoint that answers JSON, checked by `schema`.
   *
   * @throws GatewayError `ERR_PLATFORM_*` - each family has its class; `ERR_ABORTED` - the caller gave up.
   */
  async json<T>(endpoint: Endpoint, input: Input, schema: z.ZodType<T>, options: CallOptions = {}): Promise<T> {
    const request = buildRequest(endpoint, input);
    const cacheKey = endpoint.repetition === 'read' ? this.#cache?.keyOf(keyOf(request)) : undefined;
    const cached = cacheKey === undefined || options.fresh ? undefined : await this.#cache?.get(cacheKey);
    if (cached !== undefined) return this.check(endpoint, JSON.parse(cached), schema);
    const data = await this.#call(endpoint, request, options, (answer) => this.#readJson(answer));
    const parsed = this.check(endpoint, data, schema);
    if (cacheKey !== undefined && data !== undefined) await this.#cache?.put(cacheKey, JSON.stringify(data));
    return parsed;
  }

  /**
   * The audio of an endpoint, once its first piece has come.
   *
   * @throws as {@link json} does.
   */
  async audio(endpoint: Endpoint, input: Input, options: CallOptions = {}): Promise<AudioAnswer> {
    const request = buildRequest(endpoint, input);
    return this.#call(endpoint, request, options, (answer, watch) =>
      this.#readAudio(answer, watch, endpoint.maxAudioBytes ?? this.#maxAnswerBytes),
    );
  }

  /**
   * `data` as `schema` has it.
   *
   * @throws GatewayError `ERR_PLATFORM_PROTOCOL` - it is something else; what is wrong is named, values are not.
   */
  check<T>({ group, verb }: Endpoint, data: unknown, schema: z.ZodType<T>): T {
    const parsed = schema.safeParse(data);
    if (parsed.success) return parsed.data;
    const issues = parsed.error.issues
      .slice(0, 3)
      .map(({ path, message }) => `${path.join('.') || 'data'}: ${message}`);
    throw platformError('ERR_PLATFORM_PROTOCOL', `the answer to ${group}.${verb} is not one: ${issues.join('; ')}`);
  }

  /** Aborted once {@link close} was called. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Gives up what waits and breaks off what runs. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#queue.close();
    await this.#transport.close();
  }

  async #call<T>(endpoint: Endpoint, request: Request, options: CallOptions, receive: Receive<T>): Promise<T> {
    const { clock, maxAttempts = 3, timeoutMs: preset = 120_000 } = this.#options;
    const timeoutMs = options.timeoutMs ?? preset;
    const what = `${endpoint.group}.${endpoint.verb}`;
    const watch = new RequestWatch(clock, [options.signal, this.#closing.signal], what);
    watch.expect(`the answer to ${what}`, timeoutMs);
    let stream: AudioStream | undefined;
    try {
      const attempts = withRetries(() => this.#attempt(endpoint, request, watch.signal, receive), {
        clock,
        signal: watch.signal,
        maxAttempts,
        deadlineMs: clock.nowMs() + timeoutMs,
        mayRepeat: (error) => mayRepeat(endpoint.repetition, error),
        onRetry: () => this.counters.repeated++,
      });
      const received = await orAborted(attempts, watch.signal);
      stream = streamOf(received);
      return received;
    } catch (thrown) {
      this.counters.failed++;
      throw thrown;
    } finally {
      if (endpoint.repetition !== 'read') this.#cache?.clear();
      // A stream stays under the caller's signal until it ends.
      if (stream) stream.follow(watch);
      else watch.end();
    }
  }

  #attempt<T>(endpoint: Endpoint, request: Request, signal: AbortSignal, receive: Receive<T>): Promise<T> {
    const { quota, realtimeQuota } = this.#options;
    const spent = endpoint.group === 'realtime' ? realtimeQuota : quota;
    const attempt = async (): Promise<T> => {
      refuseAborted(signal);
      const ticket = await spent?.acquire(signal);
      return this.#exchange(endpoint, request, signal, receive, ticket);
    };
    // Nobody's patience but the attempt's own says anything about the platform.
    const counts = (error: Error): boolean => isOutage(error) && !signal.aborted;
    return this.#queue.add(() => this.#breakerOf(endpoint.group).run(attempt, counts), signal);
  }

  /** One request and its answer. */
  async #exchange<T>(
    endpoint: Endpoint,
    request: Request,
    signal: AbortSignal,
    receive: Receive<T>,
    ticket: QuotaTicket | undefined,
  ): Promise<T> {
    const { clock, guard, attemptTimeoutMs = 30_000 } = this.#options;
    const what = `${endpoint.group}.${endpoint.verb}`;
    const madeAtMs = clock.nowMs();
    const watch = new RequestWatch(clock, [signal], what);
    watch.expect(`the answer to ${what}`, attemptTimeoutMs);
    let answer: Answer | undefined;
    let stream: AudioStream | undefined;
    try {
      refuseAborted(signal);
      const refusal = guard?.admit(madeAtMs);
      if (refusal) throw refusal;
      this.counters.requests++;
      answer = await this.#transport.send(request, watch.signal);
      ticket?.answered(answer.statusCode, answer.headers);
      const received = await receive(answer, watch);
      stream = streamOf(received);
      guard?.succeeded(madeAtMs);
      return received;
    } catch (thrown) {
      if (answer === undefined) ticket?.lost();
      if (this.#closing.signal.aborted) throw new AbortedError(what);
      const error = thrown instanceof GatewayError ? thrown : errorFromNetwork(what, thrown);
      guard?.failed(error, clock.nowMs());
      throw error;
    } finally {
      if (stream) stream.follow(watch);
      else watch.end();
    }
  }

  async #readJson(answer: Answer): Promise<unknown> {
    const nowWallMs = this.#options.clock.wallMs();
    return readData(await readText(answer, this.#maxAnswerBytes, nowWallMs), answer, nowWallMs);
  }

  async #readAudio(answer: Answer, watch: RequestWatch, maxBytes: number): Promise<AudioAnswer> {
    const { statusCode, headers, body } = answer;
    const isText = /json|^text\//i.test(String(headers['content-type'] ?? ''));
    if (statusCode < 200 || statusCode >= 300 || isText || headers['content-encoding'] !== undefined) {
      return { audio: undefined, details: await this.#readJson(answer) };
    }
    // Whoever stops reading destroys the body, which then says so to those who listen.
    body.on('error', () => {});
    const rest = (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    const { value } = await rest.next();
    const first = (value as Buffer | undefined) ?? Buffer.alloc(0);
    // Refusals were seen that are labelled as audio.
    if (first[0] === 0x7b && isJson(first)) readData(first.toString(), answer, this.#options.clock.wallMs());
    const audio = new AudioStream({ answer, first, rest, watch, stallTimeoutMs: STALL_TIMEOUT_MS, maxBytes });
    return { audio };
  }

  get #maxAnswerBytes(): number {
    return this.#options.maxAnswerBytes ?? 16 * 1_048_576;
  }

  #breakerOf(group: string): CircuitBreaker {
    let breaker = this.#breakers.get(group);
    if (breaker === undefined) {
      breaker = new CircuitBreaker(this.#options.breaker);
      this.#breakers.set(group, breaker);
    }
    return breaker;
  }
}

function keyOf({ method, path, body = '' }: Request): string {
  return `${method} ${path} ${body}`;
}

function streamOf(received: unknown): AudioStream | undefined {
  const audio = (received as Partial<AudioAnswer> | undefined)?.audio;
  return audio instanceof AudioStream ? audio : undefined;
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}
