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
  const invalid = (found: string, needed: string): GatewayError =>
    new GatewayError('ERR_SETTINGS_INVALID', { found: `the base URL ${found}`, needed });
  if (!URL.canParse(text)) throw invalid('is not a URL', 'https://HOST');
  const { protocol, username, password, search, hash, hostname, origin, pathname } = new URL(text);
  // Not quoted: it may hold a secret.
  if (username !== '' || password !== '' || search !== '' || hash !== '') {
    throw invalid('has a user, a query or a fragment', 'https://HOST/PATH');
  }
  if (protocol !== 'https:' && protocol !== 'http:') throw invalid(`'${text}' is not of the web`, 'https');
  if (protocol === 'http:' && !isLoopback(hostname) && !allowInsecure) {
    throw invalid(`'${text}' is not encrypted`, 'https, or HAMSA_ALLOW_INSECURE=true');
  }
  return { origin, path: pathname.replace(/\/+$/, '') };
}
