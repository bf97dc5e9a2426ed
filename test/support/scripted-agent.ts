import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { until } from './until.ts';

export interface Frame {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** The agent's end of one socket. */
export class AgentSocket {
  readonly socket: WebSocket;
  /** Path and query of the upgrade. */
  readonly url: URL;
  /** Everything but audio, in order. */
  readonly frames: Frame[] = [];
  /** What was heard of the caller: 16 bit at 16 kHz. */
  readonly heard: number[] = [];
  /** Lengths of the messages with audio, in samples. */
  readonly messageSamples: number[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;

  constructor(socket: WebSocket, url: URL) {
    this.socket = socket;
    this.url = url;
    socket.on('message', (data) => this.#take(JSON.parse((data as Buffer).toString()) as Frame));
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    socket.on('error', () => {});
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** Speaks `pcm`, 16 bit at 16 kHz, in one message. */
  say(pcm: Int16Array): void {
    this.sayBytes(Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength));
  }

  sayBytes(bytes: Uint8Array): void {
    this.send({ event: 'media', media: { payload: Buffer.from(bytes).toString('base64') } });
  }

  mark(name: string): void {
    this.send({ event: 'mark', mark: { name } });
  }

  clear(): void {
    this.send({ event: 'clear' });
  }

  ofEvent(event: string): Frame[] {
    return this.frames.filter((frame) => frame.event === event);
  }

  /** Names of the marks that were answered. */
  get marks(): string[] {
    return this.ofEvent('mark').map(({ mark }) => (mark as { name: string }).name);
  }

  #take(frame: Frame): void {
    if (frame.event !== 'media') {
      this.frames.push(frame);
      return;
    }
    const bytes = Buffer.from((frame['media'] as { payload: string }).payload, 'base64');
    this.messageSamples.push(bytes.length / 4);
    for (let at = 0; at < bytes.length; at += 4) this.heard.push(Math.round(bytes.readFloatLE(at) * 32768));
  }
}

/**
 * A platform with one hosted agent, speaking the protocol of the vendor's SDK 0.3, whose every word a test decides.
 * Every key is taken.
 */
export class ScriptedAgent {
  readonly sockets: AgentSocket[] = [];
  readonly inits: { readonly headers: IncomingMessage['headers']; readonly body: Record<string, unknown> }[] = [];
  detailsAsked = 0;
  jobId = 'job-1';
  /** Status and body of the answer to `conversation-init`. */
  onInit: () => { readonly status: number; readonly body: unknown } = () => ({
    status: 200,
    body: { success: true, data: { jobId: this.jobId } },
  });
  onDetails: () => unknown = () => ({ status: 'COMPLETED', outcomeResult: { resolved: true } });
  /** A status refuses the upgrade. */
  onUpgrade: () => number | 'ignore' | undefined = () => undefined;
  onSocket: (socket: AgentSocket) => void = () => {};
  upgrades = 0;
  readonly #server: Server;
  readonly #ignored: Duplex[] = [];
  readonly #sockets = new WebSocketServer({ noServer: true });

  private constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        const answer = this.#answer(request, body);
        response.writeHead(answer.status, { 'content-type': 'application/json' });
        response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
      });
    });
    this.#server.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head));
  }

  static async start(): Promise<ScriptedAgent> {
    const agent = new ScriptedAgent();
    await new Promise<void>((resolve) => agent.#server.listen(0, '127.0.0.1', resolve));
    return agent;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get agentUrl(): string {
    return `${this.baseUrl.replace('http', 'ws')}/stream`;
  }

  /** Resolves with the `number`-th socket, counted from 1. */
  async socket(number: number): Promise<AgentSocket> {
    await until(() => this.sockets.length >= number, `socket ${number} of the agent`, 15_000);
    return this.sockets[number - 1]!;
  }

  async close(): Promise<void> {
    for (const { socket } of this.sockets) socket.terminate();
    for (const socket of this.#ignored) socket.destroy();
    this.#sockets.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, body: string): { status: number; body: unknown } {
    if (request.method === 'POST' && request.url === '/v1/voice-agents/conversation-init') {
      this.inits.push({ headers: request.headers, body: JSON.parse(body) as Record<string, unknown> });
      return this.onInit();
    }
    if (request.method === 'GET' && request.url?.startsWith(`/v1/voice-agents/conversation/${this.jobId}`)) {
      this.detailsAsked++;
      return { status: 200, body: { success: true, data: this.onDetails() } };
    }
    return { status: 404, body: { success: false, error: { code: 10404, message: 'not here' } } };
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.upgrades++;
    socket.on('error', () => {});
    const refusal = this.onUpgrade();
    if (refusal === 'ignore') {
      this.#ignored.push(socket);
    } else if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal} Refused\r\ncontent-length: 0\r\n\r\n`);
    } else {
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        const accepted = new AgentSocket(webSocket, new URL(request.url ?? '/', 'ws://agent'));
        this.sockets.push(accepted);
        this.onSocket(accepted);
      });
    }
  }
}
