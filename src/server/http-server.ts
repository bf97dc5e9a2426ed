import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Registry } from 'prom-client';
import type { CallRegistry } from '../call/registry.ts';
import type { HostPort } from '../core/addresses.ts';
import { formatHostPort } from '../core/addresses.ts';
import { GatewayError, toError } from '../core/errors.ts';
import type { EventBus } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import { createAccessCheck } from './access.ts';
import type { AgentSessions } from './agent-sessions/agent-sessions.ts';
import { runCommand } from './commands.ts';
import { errorAnswer } from './error-answer.ts';
import { EventSocket } from './event-socket.ts';

/** What `/health/*` and `/v1/calls` show; the gateway provides it. */
export interface ServerSources {
  readonly calls: CallRegistry;
  readonly events: EventBus;
  readonly metrics: Registry;
  /** Use of the realtime quota, as `GET /v1/quota` shows it. */
  quota(): Readonly<Record<string, number>>;
  /** Why the gateway is not ready (empty: it is), and whether the platform is failing at the moment. */
  readiness(): { readonly notReady: readonly string[]; readonly degraded: boolean };
}

export interface HttpServerOptions extends ServerSources {
  readonly address: HostPort;
  readonly token: string | undefined;
  readonly logger: Logger;
  /** Absent: none are given out. */
  readonly agentSessions?: AgentSessions;
}

/** Routes of the contract that a later part brings. */
const NOT_BUILT: readonly (readonly ['GET' | 'POST' | 'DELETE', string])[] = [
  ['GET', '/'],
  ['POST', '/v1/calls'],
  ['POST', '/v1/calls/:id/dtmf'],
  ['POST', '/v1/calls/:id/transfer'],
  ['POST', '/v1/calls/:id/hold'],
  ['POST', '/v1/calls/:id/resume'],
  ['POST', '/webhooks/hamsa'],
  ['GET', '/v1/webhooks/dead-letters'],
  ['POST', '/v1/webhooks/dead-letters/:id/replay'],
];

/** The gateway's HTTP API and event socket. */
export class HttpServer {
  readonly #app: FastifyInstance;
  readonly #eventSocket: EventSocket;
  readonly #agentSessions: AgentSessions | undefined;
  readonly #address: HostPort;

  constructor(options: HttpServerOptions) {
    this.#address = options.address;
    const checkAccess = createAccessCheck(options.token);
    this.#app = fastify({
      bodyLimit: 1 << 20,
      forceCloseConnections: true,
      requestTimeout: 30_000,
      routerOptions: { maxParamLength: 200 },
    });
    this.#app.setErrorHandler((thrown, _request, reply) => sendError(reply, thrown, options.logger));
    this.#app.setNotFoundHandler((request, reply) =>
      sendError(
        reply,
        checkAccess(request.headers) ?? new GatewayError('ERR_NOT_FOUND', 'no such route'),
        options.logger,
      ),
    );
    addHealth(this.#app, options);
    this.#app.register((guarded, _options, done) => {
      guarded.addHook('onRequest', (request, _reply, next) => next(checkAccess(request.headers)));
      addMetrics(guarded, options.metrics);
      addCalls(guarded, options.calls);
      addCommands(guarded, options.calls);
      options.agentSessions?.addRoutes(guarded);
      guarded.get('/v1/quota', () => options.quota());
      for (const [method, url] of NOT_BUILT) guarded.route({ method, url, handler: notBuilt });
      done();
    });
    options.agentSessions?.addSdkRoutes(this.#app);
    this.#agentSessions = options.agentSessions;
    this.#eventSocket = new EventSocket(options.calls, options.events, checkAccess, options.logger);
    this.#app.server.on('upgrade', (request, socket, head) => {
      if (!options.agentSessions?.upgrade(request, socket, head)) this.#eventSocket.upgrade(request, socket, head);
    });
  }

  get eventReaders(): number {
    return this.#eventSocket.readers;
  }

  /** @returns the URL it listens on. @throws GatewayError `ERR_LISTEN` */
  async listen(): Promise<string> {
    const { host, port } = this.#address;
    try {
      return await this.#app.listen({ host, port });
    } catch (cause) {
      throw new GatewayError('ERR_LISTEN', {
        found: `HTTP can not listen on ${formatHostPort(host, port)}: ${toError(cause).message}`,
        needed: 'a free address of this machine',
        cure: 'set GATEWAY_HTTP',
        cause,
      });
    }
  }

  async close(): Promise<void> {
    this.#eventSocket.close();
    this.#agentSessions?.close();
    await this.#app.close();
  }
}

function addHealth(app: FastifyInstance, sources: ServerSources): void {
  app.get('/health/live', () => ({ status: 'live' }));
  app.get('/health/ready', (_request, reply) => {
    const { notReady, degraded } = sources.readiness();
    return reply
      .code(notReady.length === 0 ? 200 : 503)
      .send({ ready: notReady.length === 0, degraded, reasons: notReady });
  });
}

function addMetrics(app: FastifyInstance, metrics: Registry): void {
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
}

function addCalls(app: FastifyInstance, calls: CallRegistry): void {
  app.get('/v1/calls', () => ({ calls: calls.list() }));
  app.get<{ Params: { id: string } }>('/v1/calls/:id', (request) => {
    const call = calls.describe(request.params.id);
    if (!call) throw new GatewayError('ERR_NOT_FOUND', { found: 'no such call', cure: 'see GET /v1/calls' });
    return call;
  });
}

function addCommands(app: FastifyInstance, calls: CallRegistry): void {
  type OfCall = { Params: { id: string } };
  app.post<OfCall>('/v1/calls/:id/speak', (request, reply) =>
    reply.code(202).send(runCommand(calls, 'speak', request.params.id, request.body)),
  );
  app.post<OfCall>('/v1/calls/:id/stop', (request, reply) => {
    runCommand(calls, 'stop', request.params.id, request.body);
    return reply.code(204).send();
  });
  app.delete<OfCall>('/v1/calls/:id', (request, reply) => {
    runCommand(calls, 'hangup', request.params.id, request.body);
    return reply.code(204).send();
  });
}

function notBuilt(request: FastifyRequest): never {
  throw new GatewayError('ERR_NOT_BUILT', `${request.method} ${request.routeOptions.url} is not built yet`);
}

function sendError(reply: FastifyReply, thrown: unknown, logger: Logger): FastifyReply {
  const { status, error } = errorAnswer(thrown, logger);
  return reply.code(status).send({ error });
}
