import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, type Dispatcher } from 'undici';
import type { Clock } from './clock.ts';
import { GatewayError, toError } from './errors.ts';
import { isPublicAddress } from './public-address.ts';

export interface OutboundClientOptions {
  readonly clock: Clock;
  /** Lets it call loopback and private addresses too. Default false. */
  readonly allowPrivate?: boolean | undefined;
  /** Default the system's resolver, all addresses of a name. */
  readonly resolve?: Resolve | undefined;
}

export type Resolve = (hostname: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export interface OutboundRequest {
  readonly url: string;
  /** Default GET. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For everything, from the name's resolution to the last byte and all redirects. Default 10 s. */
  readonly timeoutMs?: number;
  /** What is read of the answer; more is a failure. Default 1 MiB. */
  readonly maxBytes?: number;
  /** Default 3. 0 gives redirects back as they are. */
  readonly maxRedirects?: number;
  readonly signal?: AbortSignal;
}

export interface OutboundAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

const CONNECTIONS_PER_HOST = 16;
const MAX_HEADER_BYTES = 32_768;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/**
 * Calls URLs that somebody else chose: web tools, webhooks, media. Only http and https, only to addresses of the public
 * internet unless all are allowed, within bounds of time, size and redirects.
 *
 * Every address of a name is checked when the connection is made, and the connection is made to one of those that were
 * checked: a name can not lead elsewhere in between. A redirect is a new request and is checked like one; what the
 * headers say stays with the origin that they were meant for.
 */
export class OutboundClient {
  readonly #clock: Clock;
  readonly #allowPrivate: boolean;
  readonly #agent: Agent;

  constructor({ clock, allowPrivate = false, resolve = resolveAll }: OutboundClientOptions) {
    this.#clock = clock;
    this.#allowPrivate = allowPrivate;
    this.#agent = new Agent({
      connections: CONNECTIONS_PER_HOST,
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { lookup: checkedLookup(resolve, (address) => this.#mayCall(address)) },
    });
  }

  /**
   * The whole answer, whatever its status.
   *
   * @throws GatewayError `ERR_URL_REFUSED` - the URL, or one that it redirects to, may not be called; `ERR_URL_FAILED` - no
   *   answer came, or not in time, or too much of one; `ERR_ABORTED` - `signal` was aborted.
   */
  async request(request: OutboundRequest): Promise<OutboundAnswer> {
    const { timeoutMs = 10_000, signal } = request;
    const giveUp = new AbortController();
    const onAbort = (): void => giveUp.abort(new GatewayError('ERR_ABORTED', 'the request to a URL was given up'));
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    const timer = this.#clock.after(timeoutMs, () => giveUp.abort(failed(`no answer within ${timeoutMs} ms`)));
    try {
      return await this.#follow(request, giveUp.signal);
    } catch (thrown) {
      if (giveUp.signal.aborted) throw giveUp.signal.reason as GatewayError;
      throw thrown instanceof GatewayError ? thrown : gatewayErrorOf(thrown);
    } finally {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Breaks off what is under way. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #follow(first: OutboundRequest, signal: AbortSignal): Promise<OutboundAnswer> {
    const { maxBytes = 1_048_576, maxRedirects = 3 } = first;
    let { method = 'GET', headers = {}, body }: Pick<OutboundRequest, 'method' | 'headers' | 'body'> = first;
    let url = this.#check(first.url);
    for (let redirects = 0; ; redirects++) {
      signal.throwIfAborted();
      const answer = await this.#agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: method as Dispatcher.HttpMethod,
        // Nothing compressed is asked for, so that a small answer can not become a large one.
        headers: { ...headers },
        signal,
        ...(body === undefined ? {} : { body }),
      });
      const { statusCode: status, headers: answered } = answer;
      const location = answered['location'];
      if (maxRedirects === 0 || !REDIRECTS.includes(status) || typeof location !== 'string') {
        return { status, headers: answered, body: await readAll(answer.body, maxBytes) };
      }
      answer.body.on('error', () => {}).destroy();
      if (redirects === maxRedirects) throw failed(`more than ${maxRedirects} redirects`);
      const next = this.#check(location, url);
      if (next.origin !== url.origin) headers = {};
      // As browsers do: a form that was sent is followed by a page that is fetched (RFC 9110, 15.4).
      if (status === 303 || (status <= 302 && method === 'POST')) {
        method = 'GET';
        body = undefined;
      }
      url = next;
    }
  }

  #check(text: string, base?: URL): URL {
    if (!URL.canParse(text, base?.href)) throw refused('it is not a URL');
    const url = new URL(text, base);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused(`its scheme is '${url.protocol}'`);
    if (url.username !== '' || url.password !== '') throw refused('it has a user or a password');
    const host = url.hostname.replace(/^\[|\]$/g, '');
    // Numbers in other notations (2130706433, 0x7f.1) have become addresses by now. Names are checked when they are resolved.
    if (isIP(host) !== 0 && !this.#mayCall(host)) throw refused('it leads to a private address');
    return url;
  }

  #mayCall(address: string): boolean {
    return this.#allowPrivate || isPublicAddress(address);
  }
}

const resolveAll: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });

/** One address that may not be called condemns the name: which one would be taken is chance. */
function checkedLookup(resolve: Resolve, mayCall: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (first === undefined) callback(failed(`'${hostname}' has no address`), '');
        else if (!addresses.every(({ address }) => mayCall(address))) {
          callback(refused('its name leads to a private address'), '');
        } else if (options.all) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (thrown: unknown) => callback(toError(thrown), ''),
    );
  };
}

async function readAll(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw failed(`it answered more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** An error of the network, without the URL. With several addresses undici gives one error for each. */
function gatewayErrorOf(thrown: unknown): GatewayError {
  const error = toError(thrown);
  const causes = [error, error.cause, ...(error instanceof AggregateError ? (error.errors as unknown[]) : [])];
  const own = causes.find((cause) => cause instanceof GatewayError);
  return own ?? failed(error.message || ((error as NodeJS.ErrnoException).code ?? error.name));
}

function refused(why: string): GatewayError {
  return new GatewayError('ERR_URL_REFUSED', {
    found: `a URL may not be called: ${why}`,
    needed: 'http or https to an address of the public internet',
    cure: 'for a network that is trusted set GATEWAY_ALLOW_PRIVATE_URLS=true',
  });
}

function failed(why: string): GatewayError {
  return new GatewayError('ERR_URL_FAILED', `a URL could not be called: ${why}`);
}
