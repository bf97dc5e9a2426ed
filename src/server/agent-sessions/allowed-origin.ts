import { isLoopback } from '../../core/addresses.ts';

/**
 * Whether a page of `origin` may use a session. With a list, exactly those in it; without, pages of the gateway's own
 * host, whatever their port, and of loopback. A client that sends no origin is no page.
 *
 * @param host - the `Host` header.
 */
export function isAllowedOrigin(
  origin: string | undefined,
  allowed: readonly string[] | undefined,
  host: string | undefined,
): boolean {
  if (origin === undefined) return true;
  if (allowed) return allowed.includes(origin);
  const page = hostnameOf(origin);
  return page !== undefined && (isLoopback(page) || page === hostnameOf(`http://${host}`));
}

/** Whether `text` is written as browsers write an origin: `https://shop.example`, `http://localhost:3000`. */
export function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}
