import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { removeSecrets } from '../../core/secrets.ts';
import { errorAnswer } from '../error-answer.ts';
import type { AgentPlatform } from './agent-platform.ts';
import type { AgentSession } from './agent-session.ts';
import { isAllowedOrigin } from './allowed-origin.ts';
import type { SessionStore } from './session-store.ts';

/** Tools with their descriptions included. */
const MAX_BODY_BYTES = 256 << 10;
const PREFLIGHT_VALID_S = 600;

const Begin = z.looseObject({
  voiceAgentId: z.string().nullish(),
  params: z.record(z.string(), z.unknown()).nullish(),
  voiceEnablement: z.boolean().nullish(),
  tools: z.array(z.unknown()).max(100).nullish(),
});

export interface SdkRoutesOptions {
  readonly sessions: SessionStore;
  readonly platform: AgentPlatform;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The requests of the vendor's browser SDK, with a session token in the place of the key. Answers are shaped as the
 * platform's. Nothing else of the platform can be reached.
 */
export function sdkRoutes(app: FastifyInstance, options: SdkRoutesOptions): void {
  const { sessions, platform, clock, logger } = options;

  app.setErrorHandler((thrown, _request, reply) => {
    const { status, error } = errorAnswer(thrown, logger);
    return reply.code(status).send({ success: false, error });
  });
  app.addHook('onRequest', (request, reply, next) => {
    reply.header('Vary', 'Origin').header('Cache-Control', 'no-store');
    const { origin, host } = request.headers;
    const mayRead = [...sessions.all(clock.nowMs())].some(({ terms }) => isAllowedOrigin(origin, terms.origins, host));
    if (origin !== undefined && mayRead) reply.header('Access-Control-Allow-Origin', origin);
    next();
  });
  app.options('/v1/voice-agents/*', (_request, reply) => answerPreflight(reply));

  app.post('/v1/voice-agents/conversation-init', { bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
    const session = authenticate(request);
    const wish = readBegin(request.body);
    if ((wish.voiceAgentId ?? session.terms.agentId) !== session.terms.agentId) {
      throw new GatewayError('ERR_SESSION_SCOPE', 'the session token is for another agent');
    }
    // The SDK knows no other way back into a conversation than to start anew.
    const { runningJobId } = session;
    if (runningJobId !== undefined) return { success: true, data: { jobId: runningJobId } };
    session.begin();
    try {
      const jobId = await platform.begin(
        {
          voiceAgentId: session.terms.agentId,
          params: { ...wish.params, ...session.terms.params },
          voiceEnablement: wish.voiceEnablement ?? false,
          tools: wish.tools ?? [],
        },
        goneSignal(reply),
      );
      session.begun(jobId, clock.nowMs());
      logger.info({ session: session.id, jobId }, 'the conversation of a session began');
      return { success: true, data: { jobId } };
    } catch (thrown) {
      session.beginFailed();
      throw thrown;
    }
  });

  app.get<{ Params: { jobId: string } }>('/v1/voice-agents/conversation/:jobId', async (request, reply) => {
    const session = authenticate(request);
    if (session.jobId !== request.params.jobId) {
      throw new GatewayError('ERR_SESSION_SCOPE', 'the session token is for another conversation');
    }
    const data = await platform.details(request.params.jobId, goneSignal(reply));
    return reply.type('application/json').send(removeSecrets(JSON.stringify({ success: true, data })));
  });

  /** @throws GatewayError `ERR_UNAUTHORIZED`, `ERR_FORBIDDEN_ORIGIN`. */
  function authenticate({ headers }: FastifyRequest): AgentSession {
    const token = /^(?:Token|Bearer)\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
    return admitSession(sessions.find(token, clock.nowMs()), headers);
  }
}

/** @throws GatewayError `ERR_UNAUTHORIZED`, `ERR_FORBIDDEN_ORIGIN`. */
export function admitSession(
  session: AgentSession | undefined,
  { origin, host }: { readonly origin?: string | undefined; readonly host?: string | undefined },
): AgentSession {
  if (!session) {
    throw new GatewayError('ERR_UNAUTHORIZED', {
      found: 'no session token, or one that is not valid any more',
      needed: 'a token of POST /v1/agent-sessions',
    });
  }
  if (!isAllowedOrigin(origin, session.terms.origins, host)) {
    throw new GatewayError('ERR_FORBIDDEN_ORIGIN', {
      found: 'a page of an origin that the session is not for',
      cure: 'name it in `origins` of POST /v1/agent-sessions',
    });
  }
  return session;
}

/** The token is not in a preflight, so that any session's origins will do here. */
function answerPreflight(reply: FastifyReply): FastifyReply {
  if (reply.getHeader('Access-Control-Allow-Origin') === undefined) {
    throw new GatewayError('ERR_FORBIDDEN_ORIGIN', 'a page of an origin that no session is for');
  }
  return reply
    .code(204)
    .header('Access-Control-Allow-Methods', 'GET, POST')
    .header('Access-Control-Allow-Headers', 'Authorization, Content-Type')
    .header('Access-Control-Max-Age', PREFLIGHT_VALID_S)
    .send();
}

function readBegin(body: unknown): z.infer<typeof Begin> {
  const { success, data } = Begin.safeParse(body);
  if (success) return data;
  throw new GatewayError('ERR_BAD_REQUEST', 'the body is not one of conversation-init');
}

/** Aborted when the page does not wait any more. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
