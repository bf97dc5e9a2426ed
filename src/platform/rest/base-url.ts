import { isLoopback } from '../../core/addresses.ts';
import { GatewayError } from '../../core/errors.ts';

export interface BaseUrl {
  readonly origin: string;
  /** Path in front of every endpoint's, without a slash at its end. */
  readonly path: string;
}

/**
 * Reads the address of the platform. Without encryption it is taken on loopback only, unless `allowInsecure`: the key
 * travels with every request.
 *
 * @throws GatewayError `ERR_SETTINGS_INVALID`.
 */
export function readBaseUrl(text: string, allowInsecure: boolean): BaseUrl {
  const { origin, pathname } = readUrl(text, 'base URL', 'https:', 'http:', allowInsecure);
  return { origin, path: pathname.replace(/\/+$/, '') };
}

/**
 * Reads the address of a socket of the platform, by the same rules. @returns it without a slash at its end.
 *
 * @throws GatewayError `ERR_SETTINGS_INVALID`.
 */
export function readSocketUrl(text: string, allowInsecure: boolean): string {
  return readUrl(text, 'socket URL', 'wss:', 'ws:', allowInsecure).href.replace(/\/+$/, '');
}

function readUrl(text: string, what: string, secure: string, plain: string, allowInsecure: boolean): URL {
  const invalid = (found: string, needed: string): GatewayError =>
    new GatewayError('ERR_SETTINGS_INVALID', { found: `the ${what} ${found}`, needed });
  if (!URL.canParse(text)) throw invalid('is not a URL', `${secure}//HOST`);
  const url = new URL(text);
  // Not quoted: it may hold a secret.
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw invalid('has a user, a query or a fragment', `${secure}//HOST/PATH`);
  }
  if (url.protocol !== secure && url.protocol !== plain) throw invalid(`'${text}' is of another protocol`, secure);
  if (url.protocol === plain && !isLoopback(url.hostname) && !allowInsecure) {
    throw invalid(`'${text}' is not encrypted`, `${secure} or HAMSA_ALLOW_INSECURE=true`);
  }
  return url;
}
