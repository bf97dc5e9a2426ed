import { registerSecret } from '../core/secrets.ts';

/** Where the API key travels: in the `X-Api-Key` header, or as `?api_key=` of the URL. */
export type KeyCarrier = 'header' | 'query';

/**
 * How the key is shown to the realtime socket, shared by all connections. The guide knows only the query, the vendor's
 * reference knows the header too. The header comes first because it stays out of access logs; when it is refused
 * before anything ever worked, the query is tried, and what works is kept.
 */
export class RealtimeAuth {
  readonly apiKey: string;
  #carrier: KeyCarrier = 'header';
  #proven = false;

  constructor(apiKey: string) {
    this.apiKey = apiKey;
    registerSecret(apiKey);
  }

  /** What the next connection uses. */
  get carrier(): KeyCarrier {
    return this.#carrier;
  }

  /** Whether a request was ever answered; a refusal afterwards means the key, not the carrier. */
  get proven(): boolean {
    return this.#proven;
  }

  /** A request over a connection that used `carrier` was answered. */
  accepted(carrier: KeyCarrier): void {
    this.#carrier = carrier;
    this.#proven = true;
  }

  /**
   * The key was refused over a connection that used `carrier`.
   *
   * @returns whether the other carrier is worth a connection. When both were refused the header is next again, for the
   *   day on which the key is mended.
   */
  refused(carrier: KeyCarrier): boolean {
    if (this.#proven) return false;
    this.#carrier = carrier === 'header' ? 'query' : 'header';
    return carrier === 'header';
  }
}
