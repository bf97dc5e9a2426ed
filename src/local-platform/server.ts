import { fastify, type FastifyError, type FastifyInstance } from 'fastify';
import { type Clock, systemClock } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import { keyCheck } from './access.ts';
import { VoiceAgents } from './agent/voice-agents.ts';
import { ApiError, failureBody } from './api-error.ts';
import type { PlatformContext, PlatformLog } from './context.ts';
import { chooseEngines, type EngineChoice } from './engines/choose-engines.ts';
import { FaultQueue } from './faults.ts';
import { FixedWindow } from './fixed-window.ts';
import { allowPages } from './pages.ts';
import { rateLimitHeaders } from './rate-limit-headers.ts';
import { realtimeEndpoint } from './realtime-session.ts';
import { faultRoutes } from './routes/fault-routes.ts';
import { realtimeSttRoutes } from './routes/realtime-stt.ts';
import { realtimeTtsRoutes } from './routes/realtime-tts.ts';
import { SocketServer } from './socket-server.ts';
import { PlatformState } from './state/state.ts';

const MAX_BODY_BYTES = 8 << 20;
/** How long a client may take to send its request. */
const REQUEST_WITHIN_MS = 60_000;

export interface LocalPlatformOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 for any free port. */
  readonly port: number;
  /** The one key that is accepted. */
  readonly apiKey: string;
  readonly log: PlatformLog;
  /** Default `auto`. */
  readonly engines?: EngineChoice;
  /** Realtime requests, messages and connections a minute. Default 100. */
  readonly realtimeQuota?: number;
  /** Default the machine's. */
  readonly clock?: Clock;
}

export interface LocalPlatform {
  /** `http://HOST:PORT`, without a slash at its end. */
  readonly url: string;
  /** Where conversations with agents are held, each under its own id: `ws://HOST:PORT/stream`. */
  readonly agentUrl: string;
  /** Name of the engine that listens. */
  readonly ears: string;
  /** Name of the engine that speaks. */
  readonly voice: string;
  /** Ends connections and engines; no process and no file of theirs is left then. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts a server that behaves like the Hamsa platform, with the speech engines of this machine.
 *
 * @throws GatewayError `ERR_LISTEN` - the address can not be bound.
 */
export async function startLocalPlatform(options: LocalPlatformOptions): Promise<LocalPlatform> {
  const { host = '127.0.0.1', port, apiKey, log, engines: choice = 'auto', realtimeQuota = 100 } = options;
  const engines = await chooseEngines(choice, log);
  const stopping = new AbortController();
  const clock = options.clock ?? systemClock;
  const context: PlatformContext = {
    holdsKey: keyCheck(apiKey),
    engines,
    realtimeQuota: new FixedWindow(realtimeQuota),
    faults: new FaultQueue(),
    state: new PlatformState(clock, () => {}),
    clock,
    log,
    stopping: stopping.signal,
  };
  const agents = new VoiceAgents(context);
  await agents.start();
  const app = buildApp(context, agents);
  const sockets = new SocketServer(context, [realtimeEndpoint(context), agents.endpoint]);
  app.server.on('upgrade', (request, connection, head) => sockets.upgrade(request, connection, head));

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      stopping.abort();
      await agents.close();
      await Promise.all([sockets.close(), app.close()]);
      // Nobody waits for an answer any more, so that what the engines still do has been aborted.
      await Promise.all([engines.ears.settled(), engines.voice.settled()]);
    })();
    return closing;
  };
  try {
    const url = await app.listen({ host, port });
    log.info({ url, ears: engines.ears.name, voice: engines.voice.name }, 'the local platform is up');
    const agentUrl = `${url.replace(/^http/, 'ws')}/stream`;
    return { url, agentUrl, ears: engines.ears.name, voice: engines.voice.name, close };
  } catch (thrown) {
    await close();
    const found = `the local platform can not listen on ${host}:${port}: ${toError(thrown).message}`;
    throw new GatewayError('ERR_LISTEN', { found, cure: 'set HAMSA_LOCAL_PORT to a free port' });
  }
}

function buildApp(context: PlatformContext, agents: VoiceAgents): FastifyInstance {
  const { clock, log } = context;
  const app = fastify({ forceCloseConnections: true, bodyLimit: MAX_BODY_BYTES, requestTimeout: REQUEST_WITHIN_MS });

  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? {} : JSON.parse(String(body)));
    } catch {
      done(new ApiError(400, 'The body is not JSON'));
    }
  });
  allowPages(app);
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0];
    return reply.code(404).send(failureBody(new ApiError(404, `Cannot ${request.method} ${path}`)));
  });
  app.setErrorHandler((thrown: FastifyError | ApiError, _request, reply) => {
    const error = thrown instanceof ApiError ? thrown : refusalOf(thrown, log);
    return reply.code(error.status).send(failureBody(error));
  });
  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions } = request;
    const tookMs = Math.round(reply.elapsedTime);
    log.debug({ method, route: routeOptions.url ?? null, status: reply.statusCode, tookMs }, 'answered');
  });
  app.addHook('onRequestAbort', async ({ method, routeOptions }) => {
    log.debug({ method, route: routeOptions.url ?? null }, 'the client went away');
  });

  app.register(async (known) => {
    known.addHook('onRequest', async (request) => {
      if (!context.holdsKey(request.raw)) throw new ApiError(401, 'Invalid or missing API key');
    });
    faultRoutes(known, context);
    agents.addRoutes(known);
    known.register(async (metered) => {
      metered.addHook('onRequest', async (_request, reply) => {
        const nowMs = clock.wallMs();
        const decision = context.realtimeQuota.take(nowMs);
        reply.headers(rateLimitHeaders(decision, nowMs));
        if (!decision.allowed) throw new ApiError(429, 'Too many requests');
      });
      realtimeSttRoutes(metered, context);
      realtimeTtsRoutes(metered, context);
    });
  });
  return app;
}

/** What fastify refused by itself keeps its status; everything else is a defect and only the log hears about it. */
function refusalOf(thrown: FastifyError, log: PlatformLog): ApiError {
  const { statusCode = 500 } = thrown;
  if (statusCode < 500) return new ApiError(statusCode, thrown.message);
  if (thrown.name === 'AbortError') return new ApiError(503, 'The request was given up');
  log.error({ error: thrown.message }, 'a request failed');
  return new ApiError(500, 'Internal server error');
}
