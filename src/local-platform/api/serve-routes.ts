import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { ApiError, issuesOf, successBody } from '../api-error.ts';
import type { PlatformContext } from '../context.ts';
import { answerWithFault, goneSignal, shapeAnswer } from '../http-faults.ts';
import { rateLimitHeaders } from '../rate-limit-headers.ts';
import type { Route } from './route.ts';

/** Answers requests for `routes`: quota, then faults, then validation, then the work. */
export function serveRoutes(app: FastifyInstance, context: PlatformContext, routes: readonly Route[]): void {
  for (const route of routes) {
    app.route({
      method: route.method,
      url: route.path.replace('{id}', ':id'),
      onRequest: async (_request, reply) => spendSlot(context, route, reply),
      handler: (request, reply) => answer(context, route, request, reply),
    });
  }
}

/** @throws ApiError 429. */
function spendSlot({ clock, apiQuota, realtimeQuota }: PlatformContext, route: Route, reply: FastifyReply): void {
  const nowMs = clock.wallMs();
  const decision = (route.isRealtime ? realtimeQuota : apiQuota).take(nowMs);
  reply.headers(rateLimitHeaders(decision, nowMs));
  if (!decision.allowed) throw new ApiError(429, 'Too many requests');
}

async function answer(
  { faults, clock }: PlatformContext,
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const signal = goneSignal(reply);
  const path = request.url.split('?', 1)[0]!;
  const fault = faults.takeHttp(route, path);
  if (await answerWithFault(fault, reply, clock, signal)) return reply;
  const { id = '' } = request.params as { id?: string };
  const answered = await route.handle({
    id,
    body: validate(route.body, request.body ?? {}),
    query: validate(route.query, request.query),
    signal,
    reply,
  });
  if (answered === reply || reply.sent) return reply;
  return shapeAnswer(fault, successBody(answered), reply, clock, signal);
}

/** @throws ApiError 400. */
function validate(schema: z.ZodType | undefined, value: unknown): never {
  if (schema === undefined) return value as never;
  const { success, data, error } = schema.safeParse(value);
  if (!success) throw new ApiError(400, 'Request validation failed', { issues: issuesOf(error) });
  return data as never;
}
