import { once } from 'node:events';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Timer } from '../core/clock.ts';
import { ApiError, failureBody } from './api-error.ts';
import type { PlatformContext } from './context.ts';
import type { Fault, Place } from './faults.ts';
import { rateLimitHeaders } from './rate-limit-headers.ts';
import { wait } from './wait.ts';

const PING_EVERY_MS = 30_000;
/** Longest message: a minute of 16 kHz WAV is 2.6 MB of base64. */
const MAX_MESSAGE_BYTES = 8 << 20;
const MAX_CONNECTIONS = 256;
/** How long clients have to answer the close frame when the platform stops. */
const CLOSE_WITHIN_MS = 1000;

/** What is behind the paths of one kind of WebSocket. */
export interface SocketEndpoint {
  readonly path: RegExp;
  /** Where faults of the handshake happen. */
  readonly place: Place;
  /**
   * Says who serves the connection. Called for a path that matches, once the key and the quota are in order.
   *
   * @throws ApiError - nobody does.
   */
  admit(path: string): (socket: WebSocket) => void;
}

/** The platform's WebSockets: who may connect, and who is connected. */
export class SocketServer {
  readonly #context: PlatformContext;
  readonly #endpoints: readonly SocketEndpoint[];
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
  });
  /** Connections that the fault `never-answer` keeps waiting. */
  readonly #unanswered = new Set<Duplex>();
  readonly #pings: Timer;

  constructor(context: PlatformContext, endpoints: readonly SocketEndpoint[]) {
    this.#context = context;
    this.#endpoints = endpoints;
    this.#pings = context.clock.every(PING_EVERY_MS, () => {
      for (const socket of this.#server.clients) socket.ping();
    });
  }

  /** For the `upgrade` event of an HTTP server. */
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void {
    connection.on('error', () => connection.destroy());
    void this.#admit(request, connection, head);
  }

  /** Tells every client that the platform shuts down, and ends the connections. */
  async close(): Promise<void> {
    this.#pings.cancel();
    for (const connection of this.#unanswered) connection.destroy();
    const sockets = [...this.#server.clients];
    for (const socket of sockets) socket.close(1001, 'shutting down');
    await Promise.race([Promise.all(sockets.map(closed)), sleep(CLOSE_WITHIN_MS, undefined, { ref: false })]);
    for (const socket of sockets) socket.terminate();
  }

  async #admit(request: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    const { holdsKey, realtimeQuota, faults, clock, log, stopping } = this.#context;
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const endpoint = this.#endpoints.find((candidate) => candidate.path.test(path));
    if (!endpoint) {
      refuse(connection, new ApiError(404, `Cannot GET ${path}`));
      return;
    }
    if (!holdsKey(request)) {
      log.info({ via: endpoint.place }, 'the key is missing or wrong');
      this.#open(request, connection, head, {}, (socket) => socket.close(4001, 'Invalid API key'));
      return;
    }
    const nowMs = clock.wallMs();
    const decision = realtimeQuota.take(nowMs);
    const headers = rateLimitHeaders(decision, nowMs);
    if (!decision.allowed) {
      refuse(connection, new ApiError(429, 'Too many requests'), headers);
      return;
    }
    if (this.#server.clients.size >= MAX_CONNECTIONS) {
      refuse(connection, new ApiError(503, 'Too many connections'), headers);
      return;
    }
    let serve: (socket: WebSocket) => void;
    try {
      serve = endpoint.admit(path);
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown;
      refuse(connection, thrown, headers);
      return;
    }
    const fault = faults.take(endpoint.place);
    if (fault?.fault === 'delay') await wait(clock, fault.ms, stopping);
    if (stopping.aborted) connection.destroy();
    if (connection.destroyed || this.#refuseWithFault(fault, connection)) return;
    this.#open(request, connection, head, headers, (socket) => {
      serve(socket);
      if (fault?.fault === 'close') socket.close(fault.code, fault.reason);
    });
  }

  /** @returns whether the connection will not be opened. */
  #refuseWithFault(fault: Fault | undefined, connection: Duplex): boolean {
    if (fault?.fault === 'answer') {
      writeAnswer(connection, fault.status, fault.headers, fault.body);
    } else if (fault?.fault === 'hang-up') {
      connection.destroy();
    } else if (fault?.fault === 'never-answer') {
      this.#unanswered.add(connection);
      connection.once('close', () => this.#unanswered.delete(connection));
    } else {
      return false;
    }
    return true;
  }

  #open(
    request: IncomingMessage,
    connection: Duplex,
    head: Buffer,
    headers: Readonly<Record<string, string>>,
    opened: (socket: WebSocket) => void,
  ): void {
    // ws has no argument for headers of the answer, only an event that all connections share.
    const addHeaders = (lines: string[]): void => {
      for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    };
    this.#server.once('headers', addHeaders);
    this.#server.handleUpgrade(request, connection, head, (socket) => {
      socket.on('error', ({ message }) => this.#context.log.debug({ error: message }, 'a realtime socket failed'));
      opened(socket);
    });
    this.#server.off('headers', addHeaders);
  }
}

function closed(socket: WebSocket): Promise<unknown> {
  return socket.readyState === socket.CLOSED ? Promise.resolve() : once(socket, 'close');
}

function refuse(connection: Duplex, error: ApiError, headers: Readonly<Record<string, string>> = {}): void {
  const typed = { ...headers, 'Content-Type': 'application/json' };
  writeAnswer(connection, error.status, typed, JSON.stringify(failureBody(error)));
}

function writeAnswer(
  connection: Duplex,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): void {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`];
  const all = { ...headers, 'Content-Length': String(Buffer.byteLength(body)), Connection: 'close' };
  for (const [name, value] of Object.entries(all)) lines.push(`${name}: ${value}`);
  connection.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
