import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { CallRegistry } from '../call/registry.ts';
import { GatewayError, toError } from '../core/errors.ts';
import type { EventBus } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import { redact } from '../core/secrets.ts';
import type { AccessCheck } from './access.ts';
import { runCommand } from './commands.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';

const SUBPROTOCOL = 'hamsa-gateway';
const MAX_READERS = 100;
/** A reader with more than this unsent is too slow and is closed with 1013: events are never kept for it. */
const MAX_BUFFERED_BYTES = 1 << 20;
const PING_MS = 30_000;
const CLOSE_TRY_AGAIN_LATER = 1013;
const CLOSE_GOING_AWAY = 1001;

/** WebSockets that a later part brings. */
const MEDIA_PATHS = new Set(['/v1/media/twilio', '/v1/media/browser']);

/** `/v1/events`: every event to every reader, one JSON object a message; commands come the other way. */
export class EventSocket {
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: 1 << 20,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  readonly #calls: CallRegistry;
  readonly #checkAccess: AccessCheck;
  readonly #logger: Logger;
  readonly #unsubscribe: () => void;
  readonly #alive = new WeakSet<WebSocket>();
  readonly #pings: NodeJS.Timeout;

  constructor(calls: CallRegistry, events: EventBus, checkAccess: AccessCheck, logger: Logger) {
    this.#calls = calls;
    this.#checkAccess = checkAccess;
    this.#logger = logger;
    this.#unsubscribe = events.subscribe((event) => {
      if (this.#server.clients.size === 0) return;
      const message = JSON.stringify(event);
      for (const reader of this.#server.clients) this.#send(reader, message);
    });
    this.#pings = setInterval(() => this.#pingAll(), PING_MS).unref();
  }

  get readers(): number {
    return this.#server.clients.size;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const denied = this.#denial(request);
    if (denied) {
      refuseUpgrade(socket, denied);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (reader) => {
      this.#alive.add(reader);
      reader.on('pong', () => this.#alive.add(reader));
      reader.on('error', () => reader.terminate());
      reader.on('message', (data, isBinary) =>
        this.#send(reader, JSON.stringify(answer(this.#calls, isBinary ? '' : (data as Buffer).toString()))),
      );
    });
  }

  close(): void {
    this.#unsubscribe();
    clearInterval(this.#pings);
    for (const reader of this.#server.clients) reader.close(CLOSE_GOING_AWAY);
    this.#server.close();
  }

  #denial(request: IncomingMessage): GatewayError | undefined {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (MEDIA_PATHS.has(path)) return new GatewayError('ERR_NOT_BUILT', `${path} is not built yet`);
    if (path !== '/v1/events') return new GatewayError('ERR_NOT_FOUND', 'no such WebSocket');
    if (this.readers >= MAX_READERS) return new GatewayError('ERR_TOO_MANY_READERS', `${MAX_READERS} are connected`);
    return this.#checkAccess(request.headers);
  }

  #send(reader: WebSocket, message: string): void {
    if (reader.readyState !== reader.OPEN) return;
    if (reader.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.#logger.warn({ bufferedBytes: reader.bufferedAmount }, 'an event reader fell behind and is closed');
      reader.close(CLOSE_TRY_AGAIN_LATER, 'too slow');
      return;
    }
    reader.send(message);
  }

  #pingAll(): void {
    for (const reader of this.#server.clients) {
      if (!this.#alive.delete(reader)) reader.terminate();
      else reader.ping();
    }
  }
}

/** Reads and carries out one command. @returns its `result`. */
function answer(calls: CallRegistry, message: string): Record<string, unknown> {
  let command: Record<string, unknown> = {};
  try {
    command = Object(JSON.parse(message)) as Record<string, unknown>;
  } catch {
    // Told as a command without a type.
  }
  const { id = null, type, callId, ...fields } = command;
  try {
    return { type: 'result', id, ok: true, ...runCommand(calls, String(type), String(callId), fields) };
  } catch (thrown) {
    const error =
      thrown instanceof GatewayError ? thrown : new GatewayError('ERR_BAD_REQUEST', toError(thrown).message);
    return { type: 'result', id, ok: false, error: { code: error.code, message: redact(error.message) } };
  }
}
