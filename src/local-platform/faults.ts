import { z } from 'zod';
import { ApiError, issuesOf } from './api-error.ts';

/**
 * Where a fault can happen: to a request on the realtime socket, whose opening is one too; to any request over HTTP, or
 * one of the realtime kinds; to a step of a voice agent's conversation: its connection, and each time that the agent
 * speaks; to a webhook that is delivered; to a call that is placed.
 */
export type Place = SocketPlace | HttpPlace | 'webhook' | 'call';
type SocketPlace = 'connect' | 'stt' | 'tts' | 'agent-connect' | 'agent';
type HttpPlace = 'http' | 'http-stt' | 'http-tts' | 'http-tts-stream';

interface Occasion {
  readonly at: Place;
  /** Requests that it still happens to. */
  times: number;
  /** At `http`, only this method and this path: one of the documents, a real one, or the start of one before a `*`. */
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  /** At `webhook`, only this event. */
  readonly event?: string | undefined;
  /** At `call`, only this number. */
  readonly number?: string | undefined;
}

export type ErrorShape =
  | 'guide'
  | 'number-code'
  | 'bare'
  | 'error-text'
  | 'message'
  | 'list'
  | 'text'
  | 'html'
  | 'empty';

/** What goes wrong with a request. `bytes` count from the start of the body, `ms` are waited. */
export type Fault = Occasion &
  (
    | { readonly fault: 'delay'; readonly ms: number }
    | { readonly fault: 'never-answer' | 'hang-up' | 'riff-header' | 'duplicate' | 'partial' }
    | { readonly fault: 'close'; readonly code: number; readonly reason: string }
    /** A text message instead of the answer, as it is. */
    | { readonly fault: 'text'; readonly text: string }
    /** An HTTP answer instead of the right one, as it is. */
    | {
        readonly fault: 'answer';
        readonly status: number;
        readonly headers: Readonly<Record<string, string>>;
        readonly body: string;
      }
    /** A refusal, in one of the shapes that were seen. */
    | {
        readonly fault: 'error';
        readonly status: number;
        readonly shape: ErrorShape;
        readonly code?: string | number | undefined;
        readonly message: string;
        readonly headers: Readonly<Record<string, string>>;
      }
    | { readonly fault: 'shape'; readonly shape: 'list' | 'bare' }
    | { readonly fault: 'cut' | 'huge'; readonly bytes: number }
    | { readonly fault: 'torn'; readonly bytes: number }
    /** One byte at a time, this far apart. */
    | { readonly fault: 'drip'; readonly ms: number }
    | { readonly fault: 'stall'; readonly bytes: number; readonly ms: number }
    | { readonly fault: 'chunks'; readonly sizes: readonly number[] }
    | { readonly fault: 'burst' }
    /** A call of a client's tool with these arguments, as they are, before the agent speaks. */
    | { readonly fault: 'tools'; readonly name: string; readonly arguments: string }
    /** Nobody picks up. */
    | { readonly fault: 'unanswered'; readonly reason: string }
  );

const SOCKET = ['connect', 'stt', 'tts', 'agent-connect', 'agent'] as const;
const HTTP = ['http', 'http-stt', 'http-tts', 'http-tts-stream'] as const;
const ANYWHERE = [...SOCKET, ...HTTP] as const;
const SPEECH = ['tts', 'http-tts', 'http-tts-stream', 'agent'] as const;

const times = z.int().min(1).max(1000).default(1);
const ms = z.int().min(0).max(3_600_000);
const bytes = z.int().min(0);
const text = z.string().max(10_000);
const word = z.string().min(1).max(512);
/** Those that RFC 6455 lets an endpoint send. */
const code = z.int().refine((value) => [1000, 1001, 1011].includes(value) || (value >= 3000 && value <= 4999));
const headers = z.record(z.string().regex(/^[\w-]+$/), z.string().regex(/^[\x20-\x7e]*$/));
const status = z.int().min(200).max(599);

/** Every fault there is: its name, where it can happen, and what it takes. */
const FaultSchema: z.ZodType<Fault> = z
  .discriminatedUnion('fault', [
    schemaOf('delay', [...ANYWHERE, 'webhook'], { ms }),
    schemaOf('never-answer', ANYWHERE, {}),
    schemaOf('hang-up', ANYWHERE, {}),
    schemaOf('close', SOCKET, { code, reason: z.string().max(100).default('') }),
    schemaOf('text', ['stt', 'tts', 'agent'], { text }),
    schemaOf('answer', ['connect', 'agent-connect', ...HTTP], {
      status,
      headers: headers.default({}),
      body: text.default(''),
    }),
    schemaOf('error', HTTP, {
      status,
      shape: z
        .enum(['guide', 'number-code', 'bare', 'error-text', 'message', 'list', 'text', 'html', 'empty'])
        .default('guide'),
      code: z.union([z.string().max(100), z.int()]).optional(),
      message: text.default('The platform was told to refuse this request'),
      headers: headers.default({}),
    }),
    schemaOf('shape', ['http', 'http-stt'], { shape: z.enum(['list', 'bare']) }),
    schemaOf('cut', SPEECH, { bytes: bytes.default(640) }),
    schemaOf('torn', ['http', ...SPEECH], { bytes }),
    schemaOf('huge', ['http'], { bytes: bytes.default(1_073_741_824) }),
    schemaOf('drip', ['http'], { ms }),
    schemaOf('stall', SPEECH, { bytes, ms }),
    schemaOf('riff-header', ['tts', 'http-tts-stream'], {}),
    schemaOf('chunks', SPEECH, { sizes: z.array(z.int().min(1).max(1_000_000)).min(1).max(100) }),
    schemaOf('burst', ['agent'], {}),
    schemaOf('tools', ['agent'], { name: z.string().min(1).max(100), arguments: text }),
    schemaOf('duplicate', ['webhook'], {}),
    schemaOf('partial', ['webhook'], {}),
    schemaOf('unanswered', ['call'], { reason: word.default('no-answer') }),
  ])
  .refine(({ at, method, path }) => at === 'http' || (method ?? path) === undefined, {
    message: 'method and path belong to faults at http',
  })
  .refine(({ at, event }) => at === 'webhook' || event === undefined, { message: 'event belongs to faults at webhook' })
  .refine(({ at, number }) => at === 'call' || number === undefined, { message: 'number belongs to faults at call' });

function schemaOf<Name extends string, Fields extends z.ZodRawShape>(
  name: Name,
  places: readonly [Place, ...Place[]],
  fields: Fields,
) {
  return z.strictObject({
    fault: z.literal(name),
    at: z.enum(places),
    times,
    method: z.enum(['GET', 'POST', 'PATCH', 'DELETE']).optional(),
    path: word.startsWith('/').optional(),
    event: word.optional(),
    number: word.optional(),
    ...fields,
  });
}

const MAX_FAULTS = 1000;
const OF_JSON_BODIES: readonly Fault['fault'][] = ['shape', 'torn', 'drip'];

interface FaultyRoute {
  readonly method: string;
  /** With `{id}` where the id goes. */
  readonly path: string;
  readonly answer: unknown;
}

const FaultsBody = z.strictObject({ faults: z.array(FaultSchema).min(1).max(MAX_FAULTS) });

/** Reads the body of `POST /__control/faults`. @throws ApiError 400. */
export function readFaults(body: unknown): Fault[] {
  const { success, data, error } = FaultsBody.safeParse(body);
  if (!success) throw new ApiError(400, 'These faults can not be played', { issues: issuesOf(error) });
  return data.faults;
}

/** Faults that wait for a request to happen at, first in, first out for each place. */
export class FaultQueue {
  #waiting: Fault[] = [];

  /** @throws ApiError 400 - too many faults would wait; none is added then. */
  add(faults: readonly Fault[]): void {
    if (this.#waiting.length + faults.length > MAX_FAULTS) {
      throw new ApiError(400, `No more than ${MAX_FAULTS} faults can wait`);
    }
    this.#waiting.push(...faults.map((fault) => ({ ...fault })));
  }

  get waiting(): readonly Fault[] {
    return this.#waiting;
  }

  clear(): void {
    this.#waiting = [];
  }

  /** The fault that the next request at `place` suffers, if any. */
  take(place: Place, isMeant: (fault: Fault) => boolean = () => true): Fault | undefined {
    const fault = this.#waiting.find((waiting) => waiting.at === place && isMeant(waiting));
    if (fault && --fault.times === 0) this.#waiting = this.#waiting.filter((other) => other !== fault);
    return fault;
  }

  /**
   * The fault that a request suffers whatever it is about, `path` being the real one. Audio has places of its own for
   * what happens to its body.
   */
  takeHttp({ method, path: template, answer }: FaultyRoute, path: string): Fault | undefined {
    return this.take('http', (fault) => {
      if (answer === 'audio' && OF_JSON_BODIES.includes(fault.fault)) return false;
      if (fault.method !== undefined && fault.method !== method) return false;
      if (fault.path === undefined || fault.path === template || fault.path === path) return true;
      return fault.path.endsWith('*') && path.startsWith(fault.path.slice(0, -1));
    });
  }
}
