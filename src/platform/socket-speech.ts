import { GatewayError } from '../core/errors.ts';

/** Audio that waits for its reader before the socket is told to wait, and below which it goes on. 8 s at 16 kHz. */
const HIGH_WATER_BYTES = 262_144;
const LOW_WATER_BYTES = 65_536;

export interface SocketSpeechOptions {
  /** Stops and resumes what comes over the socket. */
  readonly pause: () => void;
  readonly resume: () => void;
}

/**
 * The audio that answers one `tts` request of the realtime socket, between the socket that has it and the reader who
 * takes it. The platform can not be told that nobody reads on: what comes then is dropped.
 */
export class SocketSpeech implements AsyncIterable<Buffer> {
  /** Resolves when nothing more of it comes over the socket: with why, unless that is its end. */
  readonly settled: Promise<GatewayError | undefined>;
  /** What came over the socket, read or not. */
  receivedBytes = 0;
  readonly #options: SocketSpeechOptions;
  #settle: (error: GatewayError | undefined) => void = () => {};
  /** Told once when the reader leaves before the end. */
  #onGivenUp: ((reason: unknown) => void) | undefined;
  readonly #chunks: Buffer[] = [];
  #queuedBytes = 0;
  #isPaused = false;
  #end: 'open' | 'done' | { readonly error: unknown } = 'open';
  #isSettled = false;
  #wake: () => void = () => {};

  constructor(options: SocketSpeechOptions) {
    this.#options = options;
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  set onGivenUp(listener: (reason: unknown) => void) {
    this.#onGivenUp = listener;
  }

  /** The socket has more. */
  push(bytes: Buffer): void {
    this.receivedBytes += bytes.length;
    if (this.#end !== 'open') return;
    this.#chunks.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes > HIGH_WATER_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#options.pause();
    }
    this.#wake();
  }

  /** The socket has no more: all of it came, or `error` is why not. */
  finish(error?: GatewayError): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    if (this.#end === 'open') this.#end = error ? { error } : 'done';
    this.#settle(error);
    this.#wake();
  }

  /** The reader leaves; one that waits is told `reason`. */
  giveUp(reason: unknown): void {
    if (this.#end !== 'open') return;
    this.#end = { error: reason };
    this.#chunks.length = 0;
    this.#queuedBytes = 0;
    this.#goOn();
    this.#wake();
    this.#onGivenUp?.(reason);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, undefined> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk) {
          this.#queuedBytes -= chunk.length;
          if (this.#queuedBytes < LOW_WATER_BYTES) this.#goOn();
          yield chunk;
        } else if (this.#end === 'done') return undefined;
        else if (this.#end !== 'open') throw this.#end.error;
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.giveUp(new GatewayError('ERR_ABORTED', 'the speech was given up'));
    }
  }

  #goOn(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#options.resume();
  }
}
