import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { AgentPlatform } from './agent-platform.ts';
import { isOrigin } from './allowed-origin.ts';
import { RelayServer } from './relay-server.ts';
import { sdkRoutes } from './sdk-routes.ts';
import { SessionStore } from './session-store.ts';

/** What the vendor's SDK calls `API_URL`; its `WS_URL` is below. */
const API_PATH = '/v1/agent';
const STREAM_PATH = `${API_PATH}/stream`;
const DEFAULT_TTL_S = 300;
const MAX_TTL_S = 3600;

const Issue = z.strictObject({
  agentId: z.string().min(1).max(200),
  params: z.record(z.string(), z.unknown()).default({}),
  ttlS: z.int().min(10).max(MAX_TTL_S).default(DEFAULT_TTL_S),
  origins: z
    .array(z.string().max(300).refine(isOrigin, 'expected an origin such as https://shop.example'))
    .min(1)
    .max(20)
    .optional(),
});

export interface AgentSessionsOptions {
  readonly platform: AgentPlatform;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Lets web pages talk to hosted voice agents without the API key: `POST /v1/agent-sessions` gives a short-lived token for
 * one conversation with one agent, and the vendor's browser SDK, told of this gateway's URLs, works with it unchanged.
 */
export class AgentSessions {
  readonly #options: AgentSessionsOptions;
  readonly #sessions = new SessionStore();
  readonly #relays: RelayServer;

  constructor(options: AgentSessionsOptions) {
    this.#options = options;
    this.#relays = new RelayServer({ ...options, sessions: this.#sessions, path: STREAM_PATH });
  }

  get statistics(): Readonly<
    Record<
      'issued' | 'refused' | 'valid' | 'connected' | 'connections' | 'tooSlow' | 'linksLost' | 'reconnects',
      number
    >
  > {
    const { issued, refused, size } = this.#sessions;
    const { connected, connections, tooSlow, linksLost, reconnects } = this.#relays;
    return { issued, refused, valid: size, connected, connections, tooSlow, linksLost, reconnects };
  }

  /** The routes of the application that gives tokens to its pages. */
  addRoutes(app: FastifyInstance): void {
    const { clock, logger } = this.#options;
    app.post('/v1/agent-sessions', (request, reply) => {
      const { ttlS, ...terms } = readIssue(request.body);
      const { apiUrl, wsUrl } = urlsOf(request);
      const { token, session } = this.#sessions.issue(
        { origins: undefined, ...terms, ttlMs: ttlS * 1000 },
        clock.nowMs(),
      );
      logger.info({ session: session.id, agentId: terms.agentId, ttlS }, 'an agent session was issued');
      const expiresAt = new Date(clock.wallMs() + ttlS * 1000).toISOString();
      return reply
        .code(201)
        .header('Cache-Control', 'no-store')
        .send({ id: session.id, token, expiresAt, apiUrl, wsUrl });
    });
    app.delete<{ Params: { id: string } }>('/v1/agent-sessions/:id', (request, reply) => {
      const session = this.#sessions.revoke(request.params.id);
      if (!session) throw new GatewayError('ERR_NOT_FOUND', 'no such agent session, or it has expired');
      this.#relays.revoke(session.id);
      logger.info({ session: session.id }, 'an agent session was revoked');
      return reply.code(204).send();
    });
  }

  /** The routes of the pages. */
  addSdkRoutes(app: FastifyInstance): void {
    app.register(
      (scope, _options, done) => {
        sdkRoutes(scope, { ...this.#options, sessions: this.#sessions });
        done();
      },
      { prefix: API_PATH },
    );
  }

  /** For the `upgrade` event of an HTTP server. @returns whether the request is for here. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    return this.#relays.upgrade(request, socket, head);
  }

  close(): void {
    this.#relays.close();
  }
}

function readIssue(body: unknown): z.infer<typeof Issue> {
  const { success, data, error } = Issue.safeParse(body ?? {});
  if (success) return data;
  const found = error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`).join('; ');
  throw new GatewayError('ERR_BAD_REQUEST', { found, needed: '{agentId, params?, ttlS?, origins?}' });
}

/**
 * The gateway as whoever asks for a session reached it, through a reverse proxy if that says so: whoever asks has the
 * gateway's token, or is on this machine.
 */
function urlsOf({ headers, protocol }: FastifyRequest): { readonly apiUrl: string; readonly wsUrl: string } {
  const host = firstOf(headers['x-forwarded-host']) ?? headers.host ?? '';
  const scheme = firstOf(headers['x-forwarded-proto']) ?? protocol;
  if (!/^[\w.:[\]-]+$/.test(host) || !/^https?$/.test(scheme)) {
    throw new GatewayError('ERR_BAD_REQUEST', { found: 'a host that is none', needed: 'Host: HOST[:PORT]' });
  }
  const base = `${scheme}://${host}`;
  return { apiUrl: base + API_PATH, wsUrl: base.replace(/^http/, 'ws') + STREAM_PATH };
}

function firstOf(header: string | string[] | undefined): string | undefined {
  return (
    String(header ?? '')
      .split(',', 1)[0]
      ?.trim() || undefined
  );
}
