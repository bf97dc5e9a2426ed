import { z } from 'zod';
import { ApiError, issuesOf } from './api-error.ts';

/**
 * A request that a fault can happen to: on the realtime socket, whose opening is one too, or over HTTP; or a step of a
 * voice agent's conversation: its making, its connection, and each time that the agent speaks.
 */
export type Place = 'connect' | 'stt' | 'tts' | 'http-stt' | 'http-tts' | 'http-tts-stream' | AgentPlace;
type AgentPlace = 'agent-init' | 'agent-connect' | 'agent';

interface Occasion {
  readonly at: Place;
  /** Requests that it still happens to. */
  times: number;
}

/** What goes wrong with a request. `bytes` count from the start of the audio, `ms` are waited. */
export type Fault = Occasion &
  (
    | { readonly fault: 'delay'; readonly ms: number }
    | { readonly fault: 'never-answer' | 'hang-up' | 'riff-header' }
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
    | { readonly fault: 'shape'; readonly shape: 'list' | 'bare' }
    | { readonly fault: 'cut' | 'torn'; readonly bytes: number }
    | { readonly fault: 'stall'; readonly bytes: number; readonly ms: number }
    | { readonly fault: 'chunks'; readonly sizes: readonly number[] }
    | { readonly fault: 'burst' }
    /** A call of a client's tool with these arguments, as they are, before the agent speaks. */
    | { readonly fault: 'tools'; readonly name: string; readonly arguments: string }
  );

const SOCKET = ['connect', 'stt', 'tts', 'agent-connect', 'agent'] as const;
const HTTP = ['http-stt', 'http-tts', 'http-tts-stream', 'agent-init'] as const;
const ANYWHERE = [...SOCKET, ...HTTP] as const;
const SPEECH = ['tts', 'http-tts', 'http-tts-stream', 'agent'] as const;

const times = z.int().min(1).max(1000).default(1);
const ms = z.int().min(0).max(3_600_000);
const bytes = z.int().min(0);
const text = z.string().max(10_000);
/** Those that RFC 6455 lets an endpoint send. */
const code = z.int().refine((value) => [1000, 1001, 1011].includes(value) || (value >= 3000 && value <= 4999));
const headers = z.record(z.string().regex(/^[\w-]+$/), z.string().regex(/^[\x20-\x7e]*$/));

/** Every fault there is: its name, where it can happen, and what it takes. */
const FaultSchema: z.ZodType<Fault> = z.discriminatedUnion('fault', [
  schemaOf('delay', ANYWHERE, { ms }),
  schemaOf('never-answer', ANYWHERE, {}),
  schemaOf('hang-up', ANYWHERE, {}),
  schemaOf('close', SOCKET, { code, reason: z.string().max(100).default('') }),
  schemaOf('text', ['stt', 'tts', 'agent'], { text }),
  schemaOf('answer', ['connect', 'agent-connect', ...HTTP], {
    status: z.int().min(200).max(599),
    headers: headers.default({}),
    body: text.default(''),
  }),
  schemaOf('shape', ['http-stt'], { shape: z.enum(['list', 'bare']) }),
  schemaOf('cut', SPEECH, { bytes: bytes.default(640) }),
  schemaOf('torn', SPEECH, { bytes }),
  schemaOf('stall', SPEECH, { bytes, ms }),
  schemaOf('riff-header', ['tts', 'http-tts-stream'], {}),
  schemaOf('chunks', SPEECH, { sizes: z.array(z.int().min(1).max(1_000_000)).min(1).max(100) }),
  schemaOf('burst', ['agent'], {}),
  schemaOf('tools', ['agent'], { name: z.string().min(1).max(100), arguments: text }),
]);

function schemaOf<Name extends string, Fields extends z.ZodRawShape>(
  name: Name,
  places: readonly [Place, ...Place[]],
  fields: Fields,
) {
  return z.strictObject({ fault: z.literal(name), at: z.enum(places), times, ...fields });
}

const MAX_FAULTS = 1000;
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
  take(place: Place): Fault | undefined {
    const fault = this.#waiting.find(({ at }) => at === place);
    if (fault && --fault.times === 0) this.#waiting = this.#waiting.filter((other) => other !== fault);
    return fault;
  }
}
