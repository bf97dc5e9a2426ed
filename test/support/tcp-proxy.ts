import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A stretch of network between a client and a server, which can break. */
export class TcpProxy {
  /** Connections that were let through, in all. */
  connections = 0;
  /** Refuses connections as a server does that is not there. */
  isDown = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      if (this.isDown) {
        client.resetAndDestroy();
        return;
      }
      this.connections++;
      const server = connect(targetPort, '127.0.0.1');
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on('error', () => {});
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  /** In front of the server whose URL is `target`, on 127.0.0.1. */
  static async before(target: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(Number(new URL(target).port));
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** `url` by way of the proxy. */
  through(url: string): string {
    const proxied = new URL(url);
    proxied.port = String((this.#server.address() as AddressInfo).port);
    return proxied.href;
  }

  /** Connections that are up. */
  get open(): number {
    return this.#sockets.size / 2;
  }

  /** Breaks all connections, as a cable does that is cut: nobody is told goodbye. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.isDown = true;
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
