import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../core/addresses.ts';
import { GatewayError } from '../core/errors.ts';

/** Says why a request may not come in, or undefined when it may. */
export type AccessCheck = (headers: IncomingHttpHeaders) => GatewayError | undefined;

/** Subprotocol that carries the token of a WebSocket whose client can not set headers. */
const TOKEN_SUBPROTOCOL = /^token\.(.+)$/;

/**
 * With a token: `Authorization: Bearer TOKEN`, or the subprotocol `token.TOKEN` of a WebSocket. Without one (loopback
 * only): Host must name this machine and Origin, if there is one, too, so that no web page can reach the API through
 * the reader's browser, be it by DNS rebinding.
 */
export function createAccessCheck(token: string | undefined): AccessCheck {
  if (token === undefined) return checkSite;
  const expected = digest(token);
  return (headers) => {
    const given = /^Bearer\s+(.+)$/i.exec(headers.authorization ?? '')?.[1] ?? subprotocolToken(headers);
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return undefined;
    return new GatewayError('ERR_UNAUTHORIZED', {
      found: given === undefined ? 'no bearer token' : 'a wrong bearer token',
      needed: 'Authorization: Bearer GATEWAY_TOKEN',
    });
  };
}

function subprotocolToken(headers: IncomingHttpHeaders): string | undefined {
  for (const protocol of (headers['sec-websocket-protocol'] ?? '').split(',')) {
    const token = TOKEN_SUBPROTOCOL.exec(protocol.trim())?.[1];
    if (token !== undefined) return token;
  }
  return undefined;
}

function checkSite(headers: IncomingHttpHeaders): GatewayError | undefined {
  const { host, origin } = headers;
  const hostOk = host !== undefined && URL.canParse(`http://${host}`) && isLoopback(new URL(`http://${host}`).hostname);
  const originOk = origin === undefined || (URL.canParse(origin) && isLoopback(new URL(origin).hostname));
  if (hostOk && originOk) return undefined;
  return new GatewayError('ERR_FORBIDDEN_ORIGIN', {
    found: hostOk ? 'an Origin of another site' : 'a Host that is not this machine',
    needed: 'a loopback name',
    cure: 'set GATEWAY_TOKEN and send it',
  });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
