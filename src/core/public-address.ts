import { BlockList, isIP } from 'node:net';

/**
 * Whether an address belongs to a machine of the public internet: not to this one, its network, the provider's metadata,
 * many machines at once, or nobody.
 *
 * @see IANA special-purpose address registries (RFC 6890)
 */
export function isPublicAddress(address: string): boolean {
  // A zone (`fe80::1%eth0`) names an interface of this machine.
  const bare = address.split('%', 1)[0]!;
  const family = isIP(bare);
  if (family === 4) return !SPECIAL_IPV4.check(bare, 'ipv4');
  if (family !== 6) return false;
  const embedded = embeddedIpv4(bare);
  if (embedded !== undefined) return isPublicAddress(embedded);
  return GLOBAL_UNICAST.check(bare, 'ipv6') && !SPECIAL_IPV6.check(bare, 'ipv6');
}

const SPECIAL_IPV4 = listOf('ipv4', [
  ['0.0.0.0', 8], // this network
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // carrier-grade NAT
  ['127.0.0.0', 8], // loopback
  ['169.254.0.0', 16], // link-local, where clouds keep their metadata
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments
  ['192.0.2.0', 24], // documentation
  ['192.31.196.0', 24], // AS112
  ['192.52.193.0', 24], // AMT
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16], // private
  ['192.175.48.0', 24], // AS112
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
]);

/** Everything else of IPv6 is loopback, local, multicast, a translation or unassigned. */
const GLOBAL_UNICAST = listOf('ipv6', [['2000::', 3]]);
const SPECIAL_IPV6 = listOf('ipv6', [
  ['2001::', 23], // Teredo, ORCHID and other protocol assignments
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4, which leads to any IPv4 address
  ['2620:4f:8000::', 48], // AS112
  ['3fff::', 20], // documentation
]);
/** IPv4 addresses written as IPv6: mapped (RFC 4291) and translated (NAT64, RFC 6052). */
const MAPPED = listOf('ipv6', [['::ffff:0:0', 96]]);
const TRANSLATED = listOf('ipv6', [['64:ff9b::', 96]]);

function listOf(family: 'ipv4' | 'ipv6', subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, family);
  return list;
}

function embeddedIpv4(address: string): string | undefined {
  if (!MAPPED.check(address, 'ipv6') && !TRANSLATED.check(address, 'ipv6')) return undefined;
  // A URL writes the address in its shortest form, and its last 32 bits as two groups.
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split(':');
  const [high = 0, low = 0] = groups.slice(-2).map((group) => Number.parseInt(group || '0', 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
