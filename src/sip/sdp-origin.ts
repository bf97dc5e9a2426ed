import { randomInt } from 'node:crypto';

/**
 * The `o=` line of one call's session descriptions: the id stays, the version grows by one when, and only when, what
 * is described changes (RFC 3264 section 8).
 */
export class SdpOrigin {
  readonly #sessionId = randomInt(1, 2 ** 47);
  #version = 0;
  #described: string | undefined;

  /**
   * @param address IPv4 address of this side.
   * @param described everything else of the description that is about to be sent.
   */
  next(address: string, described: string): string {
    if (described !== this.#described) this.#version++;
    this.#described = described;
    return `- ${this.#sessionId} ${this.#version} IN IP4 ${address}`;
  }
}
