import { once } from 'node:events';
import { WebSocket } from 'ws';
import { KEY } from './platform.ts';

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A client of the realtime socket that keeps what it receives until it is asked for. */
export class SocketClient {
  readonly socket: WebSocket;
  readonly closed: Promise<Closed>;
  readonly #received: (string | Buffer)[] = [];
  #wake: () => void = () => {};

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => {
      this.#received.push(isBinary ? (data as Buffer) : (data as Buffer).toString());
      this.#wake();
    });
  }

  /** Connects; with the key in a header unless `headers` or `query` say otherwise. */
  static async connect(
    url: string,
    { headers = { 'X-Api-Key': KEY }, query = '' }: { headers?: Record<string, string>; query?: string } = {},
  ): Promise<SocketClient> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/realtime/ws${query}`, { headers });
    const client = new SocketClient(socket);
    await once(socket, 'open');
    return client;
  }

  /** Connects and takes the greeting. */
  static async greeted(url: string): Promise<SocketClient> {
    const client = await SocketClient.connect(url);
    await client.next();
    return client;
  }

  /** The answer to a handshake that the server refuses. */
  static async refused(
    url: string,
  ): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/realtime/ws`, { headers: { 'X-Api-Key': KEY } });
    const [request, response] = (await once(socket, 'unexpected-response')) as [
      import('node:http').ClientRequest,
      import('node:http').IncomingMessage,
    ];
    let body = '';
    for await (const chunk of response) body += String(chunk);
    request.destroy();
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  }

  /** The next message. @throws if the connection is closed instead. */
  async next(): Promise<string | Buffer> {
    for (;;) {
      const message = this.#received.shift();
      if (message !== undefined) return message;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('The connection was closed');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Messages that came and were not taken. */
  get pending(): number {
    return this.#received.length;
  }

  /** The next message, which must be a JSON object. */
  async nextFrame(): Promise<{ type: string; payload: { message: string } }> {
    return JSON.parse(String(await this.next())) as { type: string; payload: { message: string } };
  }

  /** What an `stt` request with this payload is answered. */
  async transcribe(payload: object): Promise<string | Buffer> {
    this.send({ type: 'stt', payload });
    return await this.next();
  }

  /** The message of the error that the text `message` is answered with. */
  async errorFor(message: string | Buffer): Promise<string> {
    this.socket.send(message);
    const { type, payload } = await this.nextFrame();
    if (type !== 'error') throw new Error(`Expected an error but received a frame of type ${type}`);
    return payload.message;
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}
