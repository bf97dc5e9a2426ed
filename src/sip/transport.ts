import type { SocketAddress } from './socket-address.ts';

/** `onError`: the system did not take the datagram. Never throws. */
export type SendDatagram = (bytes: Uint8Array, destination: SocketAddress, onError?: () => void) => void;

/** What carries the datagrams of a user agent. */
export interface SipTransport {
  /** @throws GatewayError `ERR_LISTEN` - when the address can not be bound. */
  listen(onDatagram: (bytes: Uint8Array, source: SocketAddress) => void): Promise<SocketAddress>;
  readonly send: SendDatagram;
  /** Idempotent. */
  close(): Promise<void>;
}
