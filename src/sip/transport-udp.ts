import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { GatewayError, toError } from '../core/errors.ts';
import { plainAddress, type SocketAddress } from './socket-address.ts';
import type { SipTransport } from './transport.ts';

/** Room for a burst of calls while the event loop is busy. */
const RECEIVE_BUFFER_BYTES = 1 << 20;

/** SIP over one UDP socket (RFC 3261 section 18). */
export class UdpTransport implements SipTransport {
  readonly #address: string;
  readonly #port: number;
  #socket: Socket | undefined;
  /** Datagrams handed to the system and not yet taken; close() lets them leave. */
  #sending = 0;
  #onIdle: (() => void) | undefined;

  /** @param port 0 lets the system choose. */
  constructor(address: string, port: number) {
    this.#address = address;
    this.#port = port;
  }

  listen(onDatagram: (bytes: Uint8Array, source: SocketAddress) => void): Promise<SocketAddress> {
    const socket = createSocket({
      type: isIPv6(this.#address) ? 'udp6' : 'udp4',
      recvBufferSize: RECEIVE_BUFFER_BYTES,
    });
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      socket.once('error', (cause) => {
        this.#socket = undefined;
        socket.close();
        const found = `${this.#address}:${this.#port} can not be bound (${cause.message})`;
        reject(new GatewayError('ERR_LISTEN', { found, needed: 'a free UDP port of this machine', cause }));
      });
      socket.bind(this.#port, this.#address, () => {
        socket.removeAllListeners('error');
        // Errors of a bound socket concern one datagram; send() reports them.
        socket.on('error', () => {});
        socket.on('message', (bytes, source) => {
          onDatagram(bytes, { address: plainAddress(source.address), port: source.port });
        });
        const { address, port } = socket.address();
        resolve({ address, port });
      });
    });
  }

  readonly send = (bytes: Uint8Array, destination: SocketAddress, onError?: () => void): void => {
    if (this.#socket === undefined || this.#onIdle !== undefined) return;
    this.#sending++;
    try {
      this.#socket.send(bytes, destination.port, destination.address, (error) => this.#sent(error, onError));
    } catch (error) {
      this.#sent(toError(error), onError); // Port 0 and the like are refused at once.
    }
  };

  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || this.#onIdle !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      if (this.#sending === 0) resolve();
    });
    this.#socket = undefined;
    await new Promise<void>((resolve) => socket.close(resolve));
  }

  #sent(error: Error | null, onError: (() => void) | undefined): void {
    this.#sending--;
    if (error) onError?.();
    if (this.#sending === 0) this.#onIdle?.();
  }
}
