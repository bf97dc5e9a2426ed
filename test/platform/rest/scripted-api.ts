import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HamsaClient, type HamsaClientOptions } from '../../../src/platform/rest/hamsa-client.ts';
import { until } from '../../support/until.ts';

export const KEY = 'sk_live_0011223344556677';

export interface Seen {
  readonly method: string;
  /** Path and query as they came over the wire. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly response: ServerResponse;
}

export type Handler = (seen: Seen) => void;

/** Answers `status` with `body` as JSON. */
export function reply(status: number, body: unknown, headers: Record<string, string> = {}): Handler {
  return ({ response }) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

export function data(value: unknown): Handler {
  return reply(200, { success: true, data: value });
}

/** A server on a port of the system's choice, whose every answer a test decides. */
export class ScriptedApi {
  readonly seen: Seen[] = [];
  /** Answers in order; the last one is given again and again. */
  script: Handler[] = [data({ id: 'x1' })];
  readonly #server: Server;
  readonly #clients: HamsaClient[] = [];

  private constructor() {
    this.#server = createServer((request, response) => void this.#onRequest(request, response));
  }

  static async start(): Promise<ScriptedApi> {
    const api = new ScriptedApi();
    await new Promise<void>((resolve) => api.#server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** A client of this server, closed with it. */
  client(options: Partial<HamsaClientOptions> = {}): HamsaClient {
    const client = new HamsaClient({ apiKey: KEY, baseUrl: this.url, ...options });
    this.#clients.push(client);
    return client;
  }

  /** Resolves once `count` requests have come in all. */
  async requests(count: number): Promise<void> {
    await until(() => this.seen.length >= count, `${count} requests, ${this.seen.length} came`);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    response.on('error', () => {});
    try {
      for await (const chunk of request) body += String(chunk);
    } catch {
      return;
    }
    const seen = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body, response };
    const handler = this.script[Math.min(this.seen.length, this.script.length - 1)]!;
    this.seen.push(seen);
    handler(seen);
  }
}
