import { once } from 'node:events';
import { STATUS_CODES, createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { GuideError, badRequest, errorBody, notFound } from './answers.ts';
import { RateLimiter, rateHeaders } from './rate-limit.ts';
import { serveSocket } from './realtime-socket.ts';
import { RequestLog, plainHeaders, readBody, splitUrl } from './requests.ts';
import type { ReadBody } from './requests.ts';
import { allRoutes, findRoute } from './router.ts';
import type { Answer, RecordedRequest } from './types.ts';

/** The key that the guide's own examples use. */
const DEFAULT_KEY = 'sk_live_abc123';
const SOCKET_PATH = '/v1/realtime/ws';
const MAX_SOCKET_MESSAGE = 32 * 1_024 * 1_024;
const STREAM_PAUSE_MS = 2;

/** The settings of a server. */
export interface GuideServerOptions {
  readonly apiKey?: string;
}

/** A running server. */
export interface GuideServer {
  readonly url: string;
  /** The last 1,000 requests, oldest first. */
  readonly requests: readonly RecordedRequest[];
  /** Makes the next requests, WebSocket handshakes included, fail with a status. */
  failNext(status: number, count?: number): void;
  close(): Promise<void>;
}

type Headers = Readonly<Record<string, string>>;
type Query = Readonly<Record<string, string>>;

/** Says that a request is refused, and with which headers. */
interface Refusal {
  readonly error: GuideError;
  readonly headers: Headers;
}

/** Holds what decides before any row does: provoked faults, keys and limits. */
class Gate {
  private readonly apiKey: string;
  private readonly standard = new RateLimiter();
  private readonly realtime = new RateLimiter();
  private faults: readonly number[] = [];

  public constructor(apiKey: string) {
    this.apiKey = apiKey;
  }

  public failNext(status: number, count: number): void {
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError('The status must be from 400 to 599.');
    }
    this.faults = [...this.faults, ...Array.from({ length: count }, () => status)];
  }

  /**
   * Lets a request pass or refuses it. Provoked faults come first, then the key (section
   * "Authentication"), then the limit (section "Rate Limits"). Only requests with the right key
   * count against the limit. A 429 carries Retry-After, which "Handling Rate Limits" reads; it is 1
   * second for a provoked 429, and the rest of the window for a real one.
   */
  public check(path: string, key: string | undefined): Headers | Refusal {
    const limiter = path.startsWith('/v1/realtime/') ? this.realtime : this.standard;
    const [fault, ...later] = this.faults;
    if (fault !== undefined) {
      this.faults = later;
      const state = limiter.peek();
      const limited = fault === 429;
      const headers = rateHeaders(limited ? { ...state, remaining: 0 } : state);
      const { message } = errorBody(fault).error;
      return {
        error: new GuideError(fault, message),
        headers: limited ? { ...headers, 'Retry-After': '1' } : headers,
      };
    }
    if (key !== this.apiKey) {
      return { error: new GuideError(401, 'Invalid or missing API key'), headers: {} };
    }
    const state = limiter.take();
    if (state.allowed) return rateHeaders(state);
    return {
      error: new GuideError(429, 'Too many requests'),
      headers: { ...rateHeaders(state), 'Retry-After': String(state.retryAfterSeconds) },
    };
  }
}

function isRefusal(outcome: Headers | Refusal): outcome is Refusal {
  return 'error' in outcome && outcome.error instanceof GuideError;
}

/** Reads the key of `Authorization: Token <key>`; every other scheme counts as no key. */
function tokenOf(request: IncomingMessage): string | undefined {
  return /^Token (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
}

function sendJson(response: ServerResponse, status: number, headers: Headers, body: unknown): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    ...headers,
    'Content-Type': 'application/json',
    'Content-Length': String(bytes.length),
  });
  response.end(bytes);
}

/** Sends an answer with status 200, the only success of section "HTTP Status Codes". */
async function sendAnswer(response: ServerResponse, headers: Headers, answer: Answer): Promise<void> {
  if (answer.kind === 'json') {
    sendJson(response, 200, headers, { success: true, data: answer.data });
    return;
  }
  const audioHeaders = { ...headers, 'Content-Type': 'audio/wav' };
  if (answer.kind === 'audio') {
    response.writeHead(200, { ...audioHeaders, 'Content-Length': String(answer.bytes.length) });
    response.end(answer.bytes);
    return;
  }
  response.writeHead(200, audioHeaders);
  for (const chunk of answer.chunks) {
    if (response.destroyed) return;
    response.write(chunk);
    await wait(STREAM_PAUSE_MS);
  }
  response.end();
}

/** Refuses a WebSocket handshake with an HTTP answer; the guide does not describe this case. */
function refuseHandshake(socket: Duplex, error: GuideError, headers: Headers): void {
  const body = Buffer.from(JSON.stringify(errorBody(error.status, error.message)));
  const all = {
    ...headers,
    'Content-Type': 'application/json',
    'Content-Length': String(body.length),
    Connection: 'close',
  };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const reason = STATUS_CODES[error.status] ?? 'Error';
  socket.once('finish', () => {
    socket.destroy();
  });
  socket.write(`HTTP/1.1 ${String(error.status)} ${reason}\r\n${head.join('')}\r\n`);
  socket.end(body);
}

/** Starts a server on a free port of 127.0.0.1. */
export async function startGuideServer(options: GuideServerOptions = {}): Promise<GuideServer> {
  const gate = new Gate(options.apiKey ?? DEFAULT_KEY);
  const log = new RequestLog();
  const routes = allRoutes();

  function dispatch(method: string, path: string, read: ReadBody, query: Query): Answer {
    const match = findRoute(routes, method, path);
    // The status 405 is not in the guide; a known path with another method is a 404 as well.
    if (match === undefined) throw notFound('Resource');
    if (read.fault !== undefined) throw read.fault;
    if (read.isMultipart && match.route.acceptsMultipart !== true) {
      throw badRequest('The Content-Type must be application/json.');
    }
    return match.route.handle({ id: match.id, query, body: read.body, files: read.files });
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? 'GET';
    const { path, query } = splitUrl(request);
    const read = await readBody(request);
    log.add({ method, path, query, headers: plainHeaders(request), body: read.recorded });
    const outcome = gate.check(path, tokenOf(request));
    if (isRefusal(outcome)) {
      const { status, message } = outcome.error;
      sendJson(response, status, outcome.headers, errorBody(status, message));
      return;
    }
    let answer: Answer;
    try {
      answer = dispatch(method, path, read, query);
    } catch (error) {
      const known = error instanceof GuideError ? error : new GuideError(500, 'Server Error');
      sendJson(response, known.status, outcome, errorBody(known.status, known.message));
      return;
    }
    await sendAnswer(response, outcome, answer);
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => {
      response.destroy();
    });
  });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_SOCKET_MESSAGE });

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {
      socket.destroy();
    });
    const { path, query } = splitUrl(request);
    const headers = plainHeaders(request);
    log.add({ method: 'GET', path, query, headers, body: undefined });
    // The WebSocket's key stands in the query as `api_key`, and nowhere else.
    const outcome = gate.check(path, query['api_key']);
    if (isRefusal(outcome)) {
      refuseHandshake(socket, outcome.error, outcome.headers);
    } else if (path !== SOCKET_PATH) {
      refuseHandshake(socket, notFound('Resource'), outcome);
    } else {
      sockets.handleUpgrade(request, socket, head, (client) => {
        serveSocket(client, (body) => {
          log.add({ method: 'WS', path, query, headers, body });
        });
      });
    }
  });

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    requests: log.requests,
    failNext: (status, count = 1) => {
      gate.failNext(status, count);
    },
    close: async () => {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
