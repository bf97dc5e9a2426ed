import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { until } from './until.ts';

/** What the client showed in its handshake. */
export interface Handshake {
  readonly carrier: 'header' | 'query' | 'none';
  readonly key: string | undefined;
}

export interface SttPayload {
  readonly audioBase64: string;
  readonly language: string;
  readonly isEosEnabled: boolean;
  readonly eosThreshold?: number;
  readonly model?: string;
}

export interface TtsCall {
  readonly headers: IncomingMessage['headers'];
  readonly payload: Readonly<Record<string, unknown>>;
  readonly response: ServerResponse;
}

/** The server's end of one realtime socket. */
export class ScriptedConnection {
  readonly socket: WebSocket;
  readonly handshake: Handshake;
  /** Requests in the order in which they came. */
  readonly requests: SttPayload[] = [];
  /** Payloads of `tts`, in the order in which they came. */
  readonly texts: Readonly<Record<string, unknown>>[] = [];
  pongs = 0;
  pings = 0;

  constructor(socket: WebSocket, handshake: Handshake) {
    this.socket = socket;
    this.handshake = handshake;
    socket.on('pong', () => this.pongs++).on('ping', () => this.pings++);
  }

  /** Resolves with the `number`-th request, counted from 1. */
  async request(number: number): Promise<SttPayload> {
    await until(() => this.requests.length >= number, `request ${number} on a realtime socket`);
    return this.requests[number - 1]!;
  }

  send(text: string): void {
    this.socket.send(text);
  }

  sendFrame(type: string): void {
    this.send(JSON.stringify({ type, payload: {} }));
  }

  sendAudio(bytes: Uint8Array): void {
    this.socket.send(bytes, { binary: true });
  }

  sendError(message: string): void {
    this.send(JSON.stringify({ type: 'error', payload: { message } }));
  }

  close(code: number, reason = ''): void {
    this.socket.close(code, reason);
  }

  /** Cuts the TCP connection without a close frame. */
  cut(): void {
    this.socket.terminate();
  }
}

/** A refusal of the upgrade. */
export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * A server that follows PROTOCOL.md on a port of the system's choice, and whose every answer a test decides. Unless
 * told otherwise it accepts every handshake, greets, and answers nothing.
 */
export class ScriptedPlatform {
  readonly handshakes: Handshake[] = [];
  readonly connections: ScriptedConnection[] = [];
  readonly ttsCalls: TtsCall[] = [];
  greets = true;
  onUpgrade: (handshake: Handshake) => Refusal | 'ignore' | undefined = () => undefined;
  onConnection: (connection: ScriptedConnection) => void = () => {};
  onStt: (payload: SttPayload, connection: ScriptedConnection) => void = () => {};
  onSocketTts: (payload: Readonly<Record<string, unknown>>, connection: ScriptedConnection) => void = () => {};
  onTts: (call: TtsCall) => void = ({ response }) => response.writeHead(404).end();
  readonly #server: Server;
  readonly #ignored: Duplex[] = [];
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: 16 * 1_048_576 });

  private constructor() {
    this.#server = createServer((request, response) => void this.#onHttp(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head));
  }

  static async start(port = 0): Promise<ScriptedPlatform> {
    const platform = new ScriptedPlatform();
    await new Promise<void>((resolve) => platform.#server.listen(port, '127.0.0.1', resolve));
    return platform;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get realtimeUrl(): string {
    return `${this.baseUrl.replace('http', 'ws')}/v1/realtime/ws`;
  }

  /** Resolves with the `number`-th accepted realtime socket, counted from 1. */
  async connection(number: number): Promise<ScriptedConnection> {
    await until(() => this.connections.length >= number, `realtime socket ${number}`);
    return this.connections[number - 1]!;
  }

  /** Resolves with the `number`-th call of `tts-stream`, counted from 1. */
  async ttsCall(number: number): Promise<TtsCall> {
    await until(() => this.ttsCalls.length >= number, `tts-stream call ${number}`);
    return this.ttsCalls[number - 1]!;
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.terminate();
    for (const socket of this.#ignored) socket.destroy();
    this.#sockets.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const handshake = readHandshake(request);
    this.handshakes.push(handshake);
    socket.on('error', () => {});
    const refusal = this.onUpgrade(handshake);
    if (refusal === 'ignore') {
      this.#ignored.push(socket);
      return;
    }
    if (refusal) {
      const { status, headers = {}, body = '' } = refusal;
      const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)) });
      const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      socket.end(`HTTP/1.1 ${status} Refused\r\n${head}\r\n${body}`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#accept(webSocket, handshake));
  }

  #accept(socket: WebSocket, handshake: Handshake): void {
    const connection = new ScriptedConnection(socket, handshake);
    socket.on('error', () => {});
    socket.on('message', (data) => {
      const { type, payload } = JSON.parse((data as Buffer).toString()) as { type: string; payload: SttPayload };
      if (type === 'tts') {
        connection.texts.push(payload as unknown as Record<string, unknown>);
        this.onSocketTts(payload as unknown as Record<string, unknown>, connection);
        return;
      }
      connection.requests.push(payload);
      this.onStt(payload, connection);
    });
    this.connections.push(connection);
    if (this.greets) {
      connection.send('{"type":"info","payload":{"message":"Connected to realtime WebSocket server"}}');
    }
    this.onConnection(connection);
  }

  async #onHttp(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (request.method !== 'POST' || request.url !== '/v1/realtime/tts-stream') {
      response.writeHead(404).end();
      return;
    }
    const payload = JSON.parse(body) as Record<string, unknown>;
    const call: TtsCall = { headers: request.headers, payload, response };
    this.ttsCalls.push(call);
    this.onTts(call);
  }
}

function readHandshake(request: IncomingMessage): Handshake {
  const header = request.headers['x-api-key'];
  const query = new URL(request.url ?? '/', 'ws://platform').searchParams.get('api_key');
  if (typeof header === 'string') return { carrier: 'header', key: header };
  return query === null ? { carrier: 'none', key: undefined } : { carrier: 'query', key: query };
}
