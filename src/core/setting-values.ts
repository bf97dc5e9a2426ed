import { type HostPort, parseHostPort } from './addresses.ts';

/** Reads the text of a setting: the value, or undefined for a text that is not one. */
export type Reader<T> = (value: string) => T | undefined;

export const text: Reader<string> = (value) => (value.length > 0 ? value : undefined);

export const flag: Reader<boolean> = (value) =>
  /^(true|on|1)$/i.test(value) ? true : /^(false|off|0)$/i.test(value) ? false : undefined;

export function integer(min: number, max: number): Reader<number> {
  return (value) => {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    return number >= min && number <= max ? number : undefined;
  };
}

export function oneOf<T extends string>(...choices: readonly T[]): Reader<T> {
  return (value) => choices.find((choice) => choice === value);
}

/** Comma-separated items, each read by `read`; the empty text is the empty list. */
export function list<T>(read: Reader<T>): Reader<readonly T[]> {
  return (value) => {
    const items: T[] = [];
    for (const part of value.split(',').map((item) => item.trim())) {
      if (part === '') continue;
      const item = read(part);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  };
}

/** An absolute URL of one of `protocols` without user and password; a trailing slash is dropped. */
export function url(...protocols: readonly string[]): Reader<string> {
  return (value) => {
    if (!URL.canParse(value)) return undefined;
    const { protocol, username, password } = new URL(value);
    return protocols.includes(protocol) && username === '' && password === '' ? value.replace(/\/+$/, '') : undefined;
  };
}

export const redisUrl: Reader<string> = (value) =>
  URL.canParse(value) && ['redis:', 'rediss:'].includes(new URL(value).protocol) ? value : undefined;

export const ipv4: Reader<string> = (value) =>
  /^(\d{1,3}\.){3}\d{1,3}$/.test(value) && value.split('.').every((octet) => Number(octet) <= 255) ? value : undefined;

export const cidr: Reader<string> = (value) => {
  const [address = '', bits, ...rest] = value.split('/');
  const isV6 = /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(address);
  const bitsFit = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isV6 ? 128 : 32));
  return rest.length === 0 && bitsFit && (isV6 || ipv4(address) !== undefined) ? value : undefined;
};

export const hostPort: Reader<HostPort> = parseHostPort;

/** `NUMBER`, which is both ends of the range, or `MIN-MAX`. */
export function range(min: number, max: number): Reader<readonly [number, number]> {
  return (value) => {
    const [, low = '', high = low] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(value) ?? [];
    const [first, last] = [Number(low), Number(high)];
    return low !== '' && first >= min && last <= max && last >= first ? [first, last] : undefined;
  };
}

/** `IPV4:PORT`, with `/udp` or without. */
export const sipAddress: Reader<HostPort> = (value) => {
  const address = parseHostPort(value.replace(/\/udp$/, ''));
  return address && ipv4(address.host) ? address : undefined;
};

/** `FIRST-LAST`, at least one pair; `0` for ports of the system's choice. */
export const portRange: Reader<readonly [number, number]> = (value) => {
  if (value === '0') return [0, 0];
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(value);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  return match && first >= 1024 && last <= 65535 && last > first ? [first, last] : undefined;
};

/** A token, with or without the word `Bearer` in front. */
export const bearer: Reader<string> = (value) => text(value.replace(/^Bearer\s+/i, ''));
