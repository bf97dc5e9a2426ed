import { GatewayError } from '../../core/errors.ts';
import { errorFromNetwork, platformError, readRequestId } from '../platform-errors.ts';
import { type Answer, readBytes } from './answer.ts';
import type { RequestWatch } from './request-watch.ts';

export interface AudioStreamOptions {
  readonly answer: Answer;
  /** What the body starts with; it was read to know that it is audio. */
  readonly first: Buffer;
  readonly rest: AsyncIterator<Buffer, unknown>;
  /** Aborts the request while more is wanted and does not come. */
  readonly watch: RequestWatch;
  /** Longest wait for the next piece while it is wanted. */
  readonly stallTimeoutMs: number;
  readonly maxBytes: number;
}

/**
 * The body of an answer as it comes, in pieces that may end in the middle of a sample. The receiver owns every piece. It
 * is to be iterated once, or cancelled: until then it holds a connection.
 *
 * Iterating throws a GatewayError: `ERR_ABORTED`, or `ERR_PLATFORM_*` when the audio breaks off, stalls, or is longer
 * than a stream may be. A body that breaks off is never a short one.
 */
export class AudioStream implements AsyncIterable<Uint8Array> {
  /** As the platform labels it. `audio/wav` is usually bare samples without a header. */
  readonly contentType: string | undefined;
  readonly requestId: string | undefined;
  readonly #options: AudioStreamOptions;
  readonly #watches: RequestWatch[] = [];
  #isTaken = false;

  constructor(options: AudioStreamOptions) {
    const { headers } = options.answer;
    const type = headers['content-type'];
    this.contentType = typeof type === 'string' ? type : undefined;
    this.requestId = readRequestId(headers);
    this.#options = options;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, undefined> {
    if (this.#isTaken)
      throw new TypeError('Expected an AudioStream to be read once but it was read or cancelled already');
    this.#isTaken = true;
    const { first, rest, watch, stallTimeoutMs, maxBytes } = this.#options;
    let bytes = first.length;
    try {
      if (first.length > 0) yield first;
      for (;;) {
        watch.expect('more audio', stallTimeoutMs);
        const { done, value } = await rest.next();
        if (done) return undefined;
        watch.met();
        const chunk = value as Buffer;
        bytes += chunk.length;
        if (bytes > maxBytes) {
          throw platformError('ERR_PLATFORM_OVERSIZE', `the platform answered more than ${maxBytes} bytes`);
        }
        yield chunk;
      }
    } catch (thrown) {
      throw thrown instanceof GatewayError ? thrown : errorFromNetwork('reading the audio', thrown);
    } finally {
      this.cancel();
    }
  }

  /** All of it at once. */
  bytes(): Promise<Uint8Array> {
    return readBytes(this as AsyncIterable<Buffer>, this.#options.maxBytes);
  }

  /** Lets `watch` end with the stream, and what it waits for now has come. */
  follow(watch: RequestWatch): void {
    watch.met();
    this.#watches.push(watch);
  }

  /** Ends the request. Nothing more comes. */
  cancel(): void {
    this.#isTaken = true;
    this.#options.answer.body.destroy();
    for (const watch of this.#watches) watch.end();
  }
}
