import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { GatewayError, toError } from '../../core/errors.ts';
import { refuseUpgrade } from '../refuse-upgrade.ts';
import type { AgentSession } from './agent-session.ts';
import { connectAgent } from './connect-agent.ts';
import { Relay } from './relay.ts';
import { admitSession, type SdkRoutesOptions } from './sdk-routes.ts';

/** Conversations at once. */
const MAX_RELAYS = 200;
/** A page sends audio in small messages; the answers of its tools are the largest. */
const MAX_PAGE_MESSAGE_BYTES = 1 << 20;
/** An agent that answers none of two is given up, which is noticed after ten to fifteen seconds. */
const PING_MS = 5_000;
const CLOSE_GOING_AWAY = 1001;
const CLOSE_REVOKED = 4001;
const CLOSE_TOO_LONG = 4408;
const CLOSE_REPLACED = 4409;

export interface RelayServerOptions extends SdkRoutesOptions {
  /** In front of the conversation's id. */
  readonly path: string;
}

/** The WebSockets of pages, each joined to one of the platform for the one conversation of its session. */
export class RelayServer {
  readonly #options: RelayServerOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MAX_PAGE_MESSAGE_BYTES,
    perMessageDeflate: false,
  });
  /** By the session's id; undefined while it is being made. */
  readonly #relays = new Map<string, Relay | undefined>();
  readonly #closing = new AbortController();
  readonly #pings: { cancel(): void };
  connections = 0;
  tooSlow = 0;
  linksLost = 0;
  reconnects = 0;

  constructor(options: RelayServerOptions) {
    this.#options = options;
    this.#pings = options.clock.every(PING_MS, () => {
      for (const relay of this.#relays.values()) relay?.ping();
    });
  }

  get connected(): number {
    return this.#relays.size;
  }

  /** @returns whether the request is for here. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    // Not a URL: what a client sends may be none.
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    if (!path.startsWith(`${this.#options.path}/`)) return false;
    const jobId = decode(path.slice(this.#options.path.length + 1));
    const token = new URLSearchParams(query).get('api_key') ?? '';
    void this.#admit(request, socket, head, jobId, token).catch((thrown: unknown) => {
      const error = thrown instanceof GatewayError ? thrown : new GatewayError('ERR_PLATFORM_UNAVAILABLE', 'no agent');
      if (error !== thrown) this.#options.logger.error({ error: toError(thrown) }, 'an agent relay failed');
      refuseUpgrade(socket, error);
    });
    return true;
  }

  /** Ends the conversation of a session. */
  revoke(sessionId: string): void {
    this.#relays.get(sessionId)?.end(CLOSE_REVOKED, 'the session was revoked');
  }

  close(): void {
    this.#closing.abort();
    this.#pings.cancel();
    for (const relay of this.#relays.values()) relay?.end(CLOSE_GOING_AWAY, 'the gateway is stopping');
  }

  async #admit(request: IncomingMessage, socket: Duplex, head: Buffer, jobId: string, token: string): Promise<void> {
    const { sessions, clock } = this.#options;
    const session = admitSession(sessions.find(token, clock.nowMs()), request.headers);
    if (!session.mayConnect(jobId)) {
      throw session.jobId === jobId
        ? new GatewayError('ERR_WRONG_STATE', 'the conversation has ended')
        : new GatewayError('ERR_SESSION_SCOPE', 'the session token is for another conversation');
    }
    this.#makeRoom(session);
    this.#relays.set(session.id, undefined);
    try {
      await this.#join(session, jobId, request, socket, head);
    } finally {
      if (this.#relays.get(session.id) === undefined) this.#relays.delete(session.id);
    }
  }

  async #join(
    session: AgentSession,
    jobId: string,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    const gone = new AbortController();
    socket.once('close', () => gone.abort()).on('error', () => socket.destroy());
    const agent = await this.#connect(session, jobId, AbortSignal.any([gone.signal, this.#closing.signal]));
    let page: WebSocket | undefined;
    // A session that was revoked meanwhile may not connect; a page that is gone, or breaks the protocol, does not.
    if (session.mayConnect(jobId)) this.#server.handleUpgrade(request, socket, head, (opened) => (page = opened));
    else refuseUpgrade(socket, new GatewayError('ERR_UNAUTHORIZED', 'the session was revoked'));
    if (page) this.#relay(session, jobId, page, agent);
    else agent.close(CLOSE_GOING_AWAY);
  }

  /** @throws GatewayError - as {@link connectAgent}; a conversation that the platform knows no more is over. */
  async #connect(session: AgentSession, jobId: string, signal: AbortSignal): Promise<WebSocket> {
    const { platform, clock } = this.#options;
    try {
      const agent = await connectAgent(platform, jobId, clock, signal);
      this.connections++;
      return agent;
    } catch (thrown) {
      const isOver = thrown instanceof GatewayError && thrown.code === 'ERR_PLATFORM_NOT_FOUND';
      if (isOver) session.disconnected(clock.nowMs(), true);
      throw thrown;
    }
  }

  #relay(session: AgentSession, jobId: string, page: WebSocket, agent: WebSocket): void {
    const { platform, clock, logger } = this.#options;
    const { maxConversationMs } = platform;
    const startMs = clock.nowMs();
    const told = { session: session.id, jobId };
    const isReturn = session.hasBeenConnected;
    session.connected(startMs, maxConversationMs);
    logger.info({ ...told, isReturn }, 'a page is connected to its agent');
    const tooLong = clock.after(maxConversationMs, () => relay.end(CLOSE_TOO_LONG, 'the conversation is too long'));
    const relay = new Relay({
      page,
      agent,
      isReturn,
      clock,
      reopenAgent: (signal) => this.#connect(session, jobId, AbortSignal.any([signal, this.#closing.signal])),
      listener: {
        onTooSlow: (who) => {
          this.tooSlow++;
          logger.warn({ ...told, who }, 'one side of an agent conversation is too slow: its link is given up');
        },
        onLost: () => {
          this.linksLost++;
          logger.warn(told, 'the link of a page to its agent is lost, and being opened again');
        },
        onBack: () => {
          this.reconnects++;
          logger.info(told, 'the link of a page to its agent is back');
        },
        onEnded: (isOver, code) => {
          tooLong.cancel();
          if (this.#relays.get(session.id) === relay) this.#relays.delete(session.id);
          session.disconnected(clock.nowMs(), isOver);
          const lastedMs = Math.round(clock.nowMs() - startMs);
          logger.info({ ...told, code, isOver, lastedMs }, 'a page is disconnected from its agent');
        },
      },
    });
    this.#relays.set(session.id, relay);
  }

  /** The newest connection of a session counts. @throws GatewayError `ERR_TOO_MANY_SESSIONS`, `ERR_WRONG_STATE`. */
  #makeRoom({ id }: AgentSession): void {
    if (this.#relays.has(id)) {
      const older = this.#relays.get(id);
      if (!older) throw new GatewayError('ERR_WRONG_STATE', 'the conversation is being connected already');
      older.drop(CLOSE_REPLACED, 'replaced by a newer connection');
    }
    if (this.#relays.size >= MAX_RELAYS) {
      throw new GatewayError('ERR_TOO_MANY_SESSIONS', `${MAX_RELAYS} conversations are connected`);
    }
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
