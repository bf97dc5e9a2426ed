import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Tells whether a request carries the key; what it carried is compared in constant time and never kept. */
export type KeyCheck = (request: IncomingMessage) => boolean;

export function keyCheck(apiKey: string): KeyCheck {
  const expected = digest(apiKey);
  return (request) => presentedKeys(request).some((key) => timingSafeEqual(digest(key), expected));
}

/** `X-Api-Key`, `Authorization: Token|Bearer KEY` and `?api_key=`, each if it is there. */
function presentedKeys({ headers, url = '' }: IncomingMessage): string[] {
  const header = headers['x-api-key'];
  const authorization = /^(?:token|bearer)\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1];
  const query = url.indexOf('?');
  const parameter = query === -1 ? null : new URLSearchParams(url.slice(query)).get('api_key');
  return [header, authorization, parameter].filter((key) => typeof key === 'string');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
