import { createSocket } from 'node:dgram';

const MAX_PEERS = 10_000;

/**
 * Which address of this machine peers are told: a fixed one, or the one that the system routes to the peer from. The
 * route is asked by connecting a UDP socket, which sends nothing.
 */
export class RoutedAddress {
  readonly #fixed: string | undefined;
  readonly #known = new Map<string, string>();

  /** @param fixed - the advertised address, or the address bound; undefined to follow the routes. */
  constructor(fixed: string | undefined) {
    this.#fixed = fixed;
  }

  /** The address for `peer`; loopback until {@link learn} has found it out. */
  of(peer: string): string {
    return this.#fixed ?? this.#known.get(peer) ?? '127.0.0.1';
  }

  async learn(peer: string): Promise<string> {
    if (this.#fixed === undefined && !this.#known.has(peer)) {
      if (this.#known.size >= MAX_PEERS) this.#known.clear();
      const address = await routeTo(peer);
      if (address !== undefined) this.#known.set(peer, address);
    }
    return this.of(peer);
  }
}

function routeTo(peer: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const finish = (address: string | undefined): void => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => finish(undefined));
    socket.connect(9, peer, () => finish(socket.address().address));
  });
}
