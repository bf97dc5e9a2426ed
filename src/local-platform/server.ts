import { fastify, type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify';
import { type Clock, systemClock } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import { OutboundClient } from '../core/outbound-client.ts';
import { keyCheck } from './access.ts';
import { VoiceAgents } from './agent/voice-agents.ts';
import { allRoutes } from './api/all-routes.ts';
import { openApiDocument } from './api/openapi.ts';
import { serveRoutes } from './api/serve-routes.ts';
import { ApiError, failureBody } from './api-error.ts';
import { CallSimulator } from './calls/call-simulator.ts';
import { CampaignRunner } from './calls/campaign-runner.ts';
import type { PlatformContext } from './context.ts';
import type { PlatformLog } from './platform-log.ts';
import { chooseEngines, type EngineChoice, type Engines } from './engines/choose-engines.ts';
import { FaultQueue } from './faults.ts';
import { FixedWindow } from './fixed-window.ts';
import { JobRunner } from './jobs/job-runner.ts';
import { KnowledgeReader } from './knowledge-reader.ts';
import type { Tier } from './knowledge-storage.ts';
import { MediaShelf } from './media-shelf.ts';
import { parseBody } from './api/body.ts';
import { parseForm } from './api/form.ts';
import { allowPages } from './pages.ts';
import { realtimeEndpoint } from './realtime-session.ts';
import { faultRoutes } from './routes/fault-routes.ts';
import { mediaRoutes } from './routes/media.ts';
import { SocketServer } from './socket-server.ts';
import { PlatformState } from './state/state.ts';
import { Webhooks } from './webhooks.ts';

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
  /** Requests to the standard APIs a minute. Default 100. */
  readonly apiQuota?: number;
  /** Realtime requests, messages and connections a minute. Default 100. */
  readonly realtimeQuota?: number;
  /** Of the account: what its knowledge base may hold. Default `free`. */
  readonly tier?: Tier;
  /** Lets web tools, webhooks, media and knowledge be on loopback and private addresses. Default false. */
  readonly allowPrivateUrls?: boolean;
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
  const { host = '127.0.0.1', port, log, engines: choice = 'auto' } = options;
  const engines = await chooseEngines(choice, log);
  const stopping = new AbortController();
  const clock = options.clock ?? systemClock;
  const context = makeContext(options, engines, clock, stopping.signal);
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
      await Promise.all([context.calls.settled(), context.campaigns.settled(), context.jobs.settled()]);
      await Promise.all([sockets.close(), app.close(), context.outbound.close()]);
      // Nobody waits for an answer any more, so that what the engines still do has been aborted.
      await Promise.all([engines.ears.settled(), engines.voice.settled()]);
    })();
    return closing;
  };
  try {
    const url = await app.listen({ host, port });
    context.media.baseUrl = url;
    log.info({ url, ears: engines.ears.name, voice: engines.voice.name }, 'the local platform is up');
    const agentUrl = `${url.replace(/^http/, 'ws')}/stream`;
    return { url, agentUrl, ears: engines.ears.name, voice: engines.voice.name, close };
  } catch (thrown) {
    await close();
    const found = `the local platform can not listen on ${host}:${port}: ${toError(thrown).message}`;
    throw new GatewayError('ERR_LISTEN', { found, cure: 'set HAMSA_LOCAL_PORT to a free port' });
  }
}

function makeContext(
  options: LocalPlatformOptions,
  engines: Engines,
  clock: Clock,
  stopping: AbortSignal,
): PlatformContext {
  const { apiKey, log, apiQuota = 100, realtimeQuota = 100, tier = 'free', allowPrivateUrls = false } = options;
  const faults = new FaultQueue();
  const media = new MediaShelf();
  const outbound = new OutboundClient({ clock, allowPrivate: allowPrivateUrls });
  const state: PlatformState = new PlatformState(clock, (event) => {
    const agent = state.agents.find(event.conversation.voiceAgentId);
    if (agent !== undefined) webhooks.onCallEvent(event, agent);
  });
  const webhooks = new Webhooks({ outbound, clock, log, faults, projectId: state.projectId, stopping });
  const calls = new CallSimulator({ state, voice: engines.voice, outbound, media, faults, clock, log, stopping });
  return {
    holdsKey: keyCheck(apiKey),
    engines,
    apiQuota: new FixedWindow(apiQuota),
    realtimeQuota: new FixedWindow(realtimeQuota),
    faults,
    state,
    tier,
    knowledgeReader: new KnowledgeReader({ state, tier, outbound, log, stopping }),
    outbound,
    media,
    calls,
    campaigns: new CampaignRunner(state, calls, log, stopping),
    jobs: new JobRunner({ state, engines, outbound, media, webhooks, log, stopping }),
    clock,
    log,
    stopping,
  };
}

function buildApp(context: PlatformContext, agents: VoiceAgents): FastifyInstance {
  const { log } = context;
  const app = fastify({ forceCloseConnections: true, bodyLimit: MAX_BODY_BYTES, requestTimeout: REQUEST_WITHIN_MS });

  // fastify would take text/plain too.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, parseBody(String(body)));
    } catch (thrown) {
      done(thrown instanceof ApiError ? thrown : new ApiError(400, 'The body is not JSON'));
    }
  });
  app.addContentTypeParser(
    'multipart/form-data',
    { parseAs: 'buffer' },
    (request: FastifyRequest, body: Buffer): Promise<unknown> =>
      parseForm(new Uint8Array(body), request.headers['content-type'] ?? ''),
  );
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

  const routes = [...allRoutes(context), ...agents.routes];
  const document = openApiDocument(routes);
  app.get('/openapi.json', () => document);
  mediaRoutes(app, context);
  app.register(async (known) => {
    known.addHook('onRequest', async (request) => {
      if (!context.holdsKey(request.raw)) throw new ApiError(401, 'Invalid or missing API key');
    });
    faultRoutes(known, context);
    serveRoutes(known, context, routes);
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
