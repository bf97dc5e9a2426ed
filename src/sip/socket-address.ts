import { isIPv4, isIPv6 } from 'node:net';

/** An IP address (no brackets, no name) and a UDP port. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** The address as it stands in a URI or Via: IPv6 in brackets (RFC 3261 section 25.1, `host`). */
export function formatHost(address: string): string {
  return isIPv6(address) ? `[${address}]` : address;
}

/** The IP address of a URI's or Via's host; undefined for a name. */
export function hostAddress(host: string): string | undefined {
  if (isIPv4(host)) return host;
  const inner = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  return isIPv6(inner) ? inner : undefined;
}

/** An IPv4 peer looks like `::ffff:192.0.2.1` on a dual-stack socket; the plain form is what lists and logs name. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address);
  return mapped?.[1] ?? address;
}
