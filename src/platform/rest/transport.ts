import { Agent } from 'undici';
import { registerSecret } from '../../core/secrets.ts';
import type { Answer } from './answer.ts';
import type { BaseUrl } from './base-url.ts';
import type { Request } from './request.ts';

export interface TransportOptions {
  readonly baseUrl: BaseUrl;
  readonly apiKey: string;
  /** The word before the key in `Authorization`. */
  readonly authScheme: 'Token' | 'Bearer';
  /** Sent with every request, besides those of the client. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Streams included. A connection holds one request. */
const MAX_CONNECTIONS = 64;
/** Keeps connections warm between requests: opening one costs up to 1.5 s. Servers close idle ones after 60 s or more. */
const KEEP_ALIVE_MS = 30_000;
const OWN_HEADERS = ['authorization', 'content-type', 'content-length', 'host', 'accept-encoding'];
const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const SECRET_HEADER = /key|token|secret|auth|password/i;

/** Sends requests over kept-alive connections. It follows no redirect and asks for nothing compressed. */
export class Transport {
  readonly #baseUrl: BaseUrl;
  readonly #headers: Readonly<Record<string, string>>;
  /** Without timeouts of its own but for connecting: each request has its watch. */
  readonly #agent = new Agent({
    connections: MAX_CONNECTIONS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  constructor({ baseUrl, apiKey, authScheme, headers }: TransportOptions) {
    // Quoted nowhere, not even in the error.
    if (!/^[\x21-\x7e]+$/.test(apiKey)) throw new TypeError('Expected printable ASCII without spaces for apiKey');
    registerSecret(apiKey);
    for (const [name, value] of Object.entries(headers)) {
      if (OWN_HEADERS.includes(name.toLowerCase())) {
        throw new TypeError(`Expected headers besides ${OWN_HEADERS.join(', ')} but received '${name}'`);
      }
      if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value)) {
        throw new TypeError(`Expected a header that can be sent but received '${name}'`);
      }
      if (SECRET_HEADER.test(name)) registerSecret(value);
    }
    this.#baseUrl = baseUrl;
    this.#headers = { ...headers, authorization: `${authScheme} ${apiKey}`, 'content-type': 'application/json' };
  }

  /** Resolves when the head of the answer has come. Rejects with the reason of `signal`, or with an error of undici. */
  send({ method, path, body }: Request, signal: AbortSignal): Promise<Answer> {
    const { origin, path: prefix } = this.#baseUrl;
    return this.#agent.request({
      origin,
      path: prefix + path,
      method,
      headers: this.#headers,
      signal,
      ...(body === undefined ? {} : { body }),
    });
  }

  /** Breaks off every request and closes the connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
