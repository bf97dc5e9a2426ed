import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { GatewayError } from '../core/errors.ts';

const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/** A set of IP networks that a peer's address is looked up in. */
export class CidrList {
  readonly #networks = new BlockList();

  /**
   * @param entries `10.0.0.0/8`, `2001:db8::/32` or a single address. Empty: loopback only.
   * @throws GatewayError `ERR_SETTINGS_INVALID` - for anything else.
   */
  constructor(entries: readonly string[]) {
    for (const entry of entries.length === 0 ? LOOPBACK : entries) this.#add(entry.trim());
  }

  /** @param address an IP address without brackets. */
  contains(address: string): boolean {
    if (isIPv4(address)) return this.#networks.check(address, 'ipv4');
    return isIPv6(address) && this.#networks.check(address, 'ipv6');
  }

  #add(entry: string): void {
    const [address = '', prefix, ...rest] = entry.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    const longest = family === 'ipv4' ? 32 : 128;
    const bits = prefix === undefined ? longest : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
    if ((family === 'ipv6' && !isIPv6(address)) || !(bits <= longest) || rest.length > 0) {
      throw new GatewayError('ERR_SETTINGS_INVALID', {
        found: `the network '${entry}'`,
        needed: 'ADDRESS/BITS, for example 10.0.0.0/8 or 2001:db8::/32',
      });
    }
    this.#networks.addSubnet(address, bits, family);
  }
}
