import { EventEmitter } from 'node:events';
import type { Clock } from './clock.ts';
import { type ErrorCode, ERRORS } from './errors.ts';
import { redact } from './secrets.ts';

/** One part of a transcript: an utterance the caller spoke, on the capture clock. */
export interface UtterancePart {
  readonly id: string;
  readonly startMs: number;
  readonly endMs: number;
}

export type CallEndReason = 'caller' | 'gateway' | 'cancelled' | 'mediaTimeout' | 'shutdown' | 'rejected' | 'error';

/** What a field of an event can be. */
interface FieldKinds {
  string: string;
  boolean: boolean;
  milliseconds: number;
  count: number;
  errorCode: ErrorCode;
  reason: CallEndReason;
  strings: Readonly<Record<string, string>>;
  utterances: readonly UtterancePart[];
  anything: unknown;
}

/**
 * The events of the event socket, each with its own fields; a kind that ends in `?` may be absent. TypeScript's types,
 * the JSON Schema that ships and the reference table all come from this one table.
 */
const table = {
  'call.started': { ingress: 'string', from: 'string', to: 'string', sipCallId: 'string?', parameters: 'strings?' },
  'call.answered': {},
  'speech.started': { utteranceId: 'string' },
  'speech.ended': { utteranceId: 'string', startMs: 'milliseconds', endMs: 'milliseconds' },
  'transcript.final': {
    text: 'string',
    startMs: 'milliseconds',
    endMs: 'milliseconds',
    latencyMs: 'milliseconds',
    utterances: 'utterances',
    late: 'boolean?',
  },
  'playback.started': { playbackId: 'string', heardMs: 'milliseconds' },
  'playback.mark': { playbackId: 'string', heardMs: 'milliseconds' },
  'playback.finished': { playbackId: 'string', heardMs: 'milliseconds' },
  'playback.interrupted': { playbackId: 'string', heardMs: 'milliseconds' },
  dtmf: { digit: 'string', durationMs: 'milliseconds' },
  'call.held': {},
  'call.resumed': {},
  'call.ended': { reason: 'reason' },
  'quota.pressure': { waiting: 'count', waitMs: 'milliseconds' },
  error: { code: 'errorCode', message: 'string', retryable: 'boolean', utteranceId: 'string?' },
  'platform.event': { event: 'anything' },
} as const;

type Kind = keyof FieldKinds | `${keyof FieldKinds}?`;
type Value<K> = K extends `${infer Required}?`
  ? FieldKinds[Required & keyof FieldKinds]
  : FieldKinds[K & keyof FieldKinds];
type OptionalNames<F> = { [N in keyof F]: F[N] extends `${string}?` ? N : never }[keyof F];

export type EventType = keyof typeof table;
/** The fields of an event besides `type`, `at` and `callId`. */
export type EventFields<T extends EventType> = {
  readonly [N in Exclude<keyof (typeof table)[T], OptionalNames<(typeof table)[T]>>]: Value<(typeof table)[T][N]>;
} & { readonly [N in OptionalNames<(typeof table)[T]>]?: Value<(typeof table)[T][N]> };
export type GatewayEvent = {
  readonly [T in EventType]: {
    readonly type: T;
    /** ISO 8601 in UTC with milliseconds. */
    readonly at: string;
    /** UUID of the call; null outside calls. */
    readonly callId: string | null;
  } & EventFields<T>;
}[EventType];

/** Kind of each event's own fields, for the reference table. */
export const EVENT_FIELDS: Readonly<Record<EventType, Readonly<Record<string, Kind>>>> = table;

const milliseconds = { type: 'number', minimum: 0 };
const kindSchemas: Readonly<Record<keyof FieldKinds, Readonly<Record<string, unknown>>>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  milliseconds,
  count: { type: 'integer', minimum: 0 },
  errorCode: { enum: Object.keys(ERRORS) },
  reason: { enum: ['caller', 'gateway', 'cancelled', 'mediaTimeout', 'shutdown', 'rejected', 'error'] },
  strings: { type: 'object', additionalProperties: { type: 'string' } },
  utterances: {
    type: 'array',
    minItems: 1,
    items: {
      type: 'object',
      properties: { id: { type: 'string' }, startMs: milliseconds, endMs: milliseconds },
      required: ['id', 'startMs', 'endMs'],
      additionalProperties: false,
    },
  },
  anything: {},
};

/** The JSON Schema that ships as `events.schema.json`. */
export function eventsJsonSchema(): Record<string, unknown> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'An event of hamsa-gateway',
    oneOf: Object.entries(EVENT_FIELDS).map(([type, fields]) => ({
      type: 'object',
      properties: {
        type: { const: type },
        at: { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' },
        callId: { type: ['string', 'null'], pattern: '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' },
        ...Object.fromEntries(
          Object.entries(fields).map(([name, kind]) => [name, kindSchemas[kind.replace('?', '') as keyof FieldKinds]]),
        ),
      },
      required: ['type', 'at', 'callId', ...Object.keys(fields).filter((name) => !fields[name]?.endsWith('?'))],
      additionalProperties: false,
    })),
  };
}

/** Hands each event to every listener at once, stamped and free of secrets. A listener must not throw. */
export class EventBus {
  readonly #clock: Clock;
  readonly #emitter = new EventEmitter<{ event: [GatewayEvent] }>().setMaxListeners(0);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  emit<T extends EventType>(type: T, callId: string | null, fields: EventFields<T>): void {
    const event = { type, at: new Date(this.#clock.wallMs()).toISOString(), callId, ...fields };
    this.#emitter.emit('event', JSON.parse(redact(JSON.stringify(event))) as GatewayEvent);
  }

  /** @returns a function that unsubscribes. */
  subscribe(listener: (event: GatewayEvent) => void): () => void {
    this.#emitter.on('event', listener);
    return () => this.#emitter.off('event', listener);
  }
}
