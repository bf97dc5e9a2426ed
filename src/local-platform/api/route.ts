import type { FastifyReply } from 'fastify';
import type { z } from 'zod';

export interface RouteRequest<Body, Query> {
  /** Of the path; '' where it has none. */
  readonly id: string;
  readonly body: Body;
  readonly query: Query;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  readonly reply: FastifyReply;
}

interface RouteFacts {
  /** Group and verb: `voiceAgents.create`. */
  readonly operation: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With `{id}` where the id goes. */
  readonly path: string;
  /** One sentence for the OpenAPI document. */
  readonly about: string;
  /** Not in the platform's guide. */
  readonly isExtra?: boolean;
  /** Counted with the realtime quota. */
  readonly isRealtime?: boolean;
  /** Of the `data` of an answer; `audio` for a body of audio. */
  readonly answer: z.ZodType | 'audio';
}

interface Definition<Body, Query> extends RouteFacts {
  readonly body?: z.ZodType<Body>;
  readonly query?: z.ZodType<Query>;
  /** @returns the `data` of the answer; or the reply, when it has answered by itself. @throws ApiError. */
  handle(request: RouteRequest<Body, Query>): unknown;
}

/**
 * One endpoint: what it is called with, what it answers and what it does. Requests are validated by `body` and `query`,
 * and the OpenAPI document is made from the same schemas.
 */
export interface Route extends RouteFacts {
  readonly body?: z.ZodType;
  readonly query?: z.ZodType;
  handle(request: RouteRequest<never, never>): unknown;
}

export function route<Body, Query>(definition: Definition<Body, Query>): Route {
  return definition;
}
