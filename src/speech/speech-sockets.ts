import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import type { AccountGuard } from '../platform/account-guard.ts';
import { PlatformError } from '../platform/platform-errors.ts';
import type { RequestSlot } from '../platform/request-slot.ts';
import type { SocketSpeech } from '../platform/socket-speech.ts';
import { SpeechDecoder } from '../platform/speech-decoder.ts';
import { readSpeech, SpeechWatch } from '../platform/speech-reader.ts';
import {
  type SpeechPriority,
  type SpeechRequest,
  type SpeechStream,
  speechPayload,
} from '../platform/speech-stream.ts';
import type { QuotaRank, QuotaScheduler } from './quota-scheduler.ts';
import { type Connect, type PoolConnection, type PooledSocket, SocketPool } from './socket-pool.ts';
import { countLetters } from './speech-duration.ts';

/** What the speaker needs of a connection; `RealtimeConnection` is one. */
export interface SpeechConnection extends PoolConnection {
  speak(frame: string): SocketSpeech;
}

export interface SpeechSocketsOptions {
  readonly connect: Connect<SpeechConnection>;
  readonly guard: AccountGuard;
  readonly scheduler: QuotaScheduler;
  readonly clock: Clock;
  /** Replies at once; a reply holds its socket until all of it has come. Default 8. */
  readonly maxSockets?: number;
  /** Longest wait for a socket, and for the quota. Default 30 s. */
  readonly maxWaitMs?: number;
  /** From the request to the first audio. Default 15 s. */
  readonly firstAudioTimeoutMs?: number;
  /** Longest wait for the next piece of audio while it is wanted. Default 5 s. */
  readonly stallTimeoutMs?: number;
}

type Socket = PooledSocket<SpeechConnection>;

interface Waiter {
  readonly rank: QuotaRank;
  readonly resolve: (socket: Socket) => void;
  readonly reject: (error: Error) => void;
}

const MAX_WAITERS = 256;
/**
 * The rest of a reply that nobody hears any more is let pass if it should take no longer than this: the socket is then
 * good for the next one. A longer rest costs more than a new connection, which costs a slot and a second.
 */
const MAX_REST_MS = 3_000;
/** What speech takes as far as is known before it came, and how fast the platform delivers it. */
const USUAL_MS_PER_LETTER = 65;
const DELIVERY_SPEED = 1.7;

/**
 * Speech over the realtime socket. Its connections are its own: a reply holds one for seconds, which would keep
 * utterances waiting, and an interrupted one may have to be closed, which would cost the transcriber a warm one.
 */
export class SpeechSockets {
  readonly #options: SpeechSocketsOptions;
  readonly #pool: SocketPool<SpeechConnection>;
  /** Oldest first. */
  #waiters: Waiter[] = [];
  #closed = false;

  constructor(options: SpeechSocketsOptions) {
    const { connect, clock, scheduler, maxSockets = 8 } = options;
    this.#options = options;
    this.#pool = new SocketPool({
      connect,
      clock,
      scheduler,
      maxSockets,
      rank: () => this.#rank(),
      onReady: () => this.#dispatch(),
      onError: (error) => this.#onError(error),
    });
  }

  /** Connections that are open. */
  get size(): number {
    return this.#pool.size;
  }

  /**
   * Asks for `request.text` as speech. Resolves when its first audio has come.
   *
   * @throws GatewayError `ERR_PLATFORM_*`, `ERR_TTS_EMPTY`, `ERR_TTS_TORN`, `ERR_QUOTA_WAIT` or `ERR_ABORTED`.
   */
  async openSpeech(request: SpeechRequest, options: SpeechPriority): Promise<SpeechStream> {
    const { guard, scheduler, clock, maxWaitMs = 30_000 } = this.#options;
    const { signal, priority = 'turn' } = options;
    const refusal = guard.admit(clock.nowMs());
    if (refusal) throw refusal;
    const socket = await this.#takeSocket(priority, signal);
    let slot: RequestSlot;
    try {
      slot = await scheduler.acquire('tts', { priority, deadlineMs: maxWaitMs, signal });
    } catch (error) {
      this.#release(socket, false);
      throw error;
    }
    const madeAtMs = clock.nowMs();
    slot.sent();
    try {
      const stream = await this.#speak(socket, request, signal);
      slot.answered();
      guard.succeeded(madeAtMs);
      return stream;
    } catch (error) {
      slot.failed(error);
      guard.failed(error, clock.nowMs());
      throw error;
    }
  }

  /** Breaks off every request and closes the connections. */
  close(): void {
    this.#closed = true;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(closed());
    this.#pool.close();
  }

  async #speak(socket: Socket, request: SpeechRequest, signal: AbortSignal | undefined): Promise<SpeechStream> {
    const { clock, firstAudioTimeoutMs = 15_000, stallTimeoutMs = 5_000 } = this.#options;
    const decoder = new SpeechDecoder(request);
    const speech = this.#ask(socket, request);
    const watch = new SpeechWatch(clock, signal);
    let limit: Timer | undefined;
    speech.onGivenUp = (reason) => {
      const isLate = (reason as GatewayError).code !== 'ERR_ABORTED';
      if (isLate || restMs(request, speech.receivedBytes) > MAX_REST_MS) this.#drop(socket);
      else limit = clock.after(MAX_REST_MS, () => this.#drop(socket));
    };
    void speech.settled.then((error) => {
      limit?.cancel();
      this.#release(socket, error === undefined || socket.connection.usable);
    });
    const onAbort = (): void => speech.giveUp(watch.signal.reason);
    watch.signal.addEventListener('abort', onAbort, { once: true });
    if (watch.signal.aborted) onAbort();
    watch.expect('the first audio', firstAudioTimeoutMs);
    return readSpeech(speech, { decoder, clock, watch, stallTimeoutMs });
  }

  #ask(socket: Socket, request: SpeechRequest): SocketSpeech {
    const { language } = request;
    const payload = { ...speechPayload(request), ...(language === undefined ? {} : { languageId: language }) };
    try {
      return socket.connection.speak(JSON.stringify({ type: 'tts', payload }));
    } catch (error) {
      // It was closed while the quota had no slot.
      this.#release(socket, false);
      throw error;
    }
  }

  #takeSocket(priority: QuotaRank['priority'], signal: AbortSignal | undefined): Promise<Socket> {
    const { clock, maxWaitMs = 30_000 } = this.#options;
    if (this.#closed) return Promise.reject(closed());
    if (this.#waiters.length >= MAX_WAITERS) {
      return Promise.reject(new GatewayError('ERR_TTS_BACKLOG', `${MAX_WAITERS} texts wait for a socket already`));
    }
    return new Promise((resolve, reject) => {
      const end = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
      };
      const waiter: Waiter = {
        rank: { priority, sinceMs: clock.nowMs() },
        resolve: (socket) => {
          end();
          resolve(socket);
        },
        reject: (error) => {
          end();
          reject(error);
          this.#dispatch();
        },
      };
      const onAbort = (): void => waiter.reject(new GatewayError('ERR_ABORTED', 'the speech was given up'));
      const timer = clock.after(maxWaitMs, () =>
        waiter.reject(new GatewayError('ERR_QUOTA_WAIT', `no socket was free for ${maxWaitMs} ms`)),
      );
      this.#waiters.push(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      else this.#dispatch();
    });
  }

  /** Gives what is idle to those who wait, and has one more opened if that is not enough. */
  #dispatch(): void {
    for (let waiter = this.#waiters[0]; waiter; waiter = this.#waiters[0]) {
      const socket = this.#pool.take();
      if (!socket) {
        this.#pool.openAnother();
        return;
      }
      waiter.resolve(socket);
    }
    this.#pool.openNoMore();
  }

  #rank(): QuotaRank | undefined {
    const first = this.#waiters[0];
    return first && { ...first.rank, waiting: this.#waiters.length };
  }

  #release(socket: Socket, served: boolean): void {
    this.#pool.release(socket, served);
    if (!this.#closed) this.#dispatch();
  }

  /** It did its work, although nobody waits for the end of it. */
  #drop(socket: Socket): void {
    socket.served = true;
    socket.connection.close();
  }

  /** Without any connection nobody knows when there is one; who waits may ask again. */
  #onError(error: Error): void {
    this.#options.guard.failed(error, this.#options.clock.nowMs());
    if (this.#pool.size > 0 || this.#pool.failures === 0) return;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(toError(error));
  }
}

function closed(): PlatformError {
  return new PlatformError('ERR_PLATFORM_UNAVAILABLE', 'the connections to the platform are closed');
}

/** How long what is left of a reply should take to come. */
function restMs({ text, sampleRate, mulaw }: SpeechRequest, receivedBytes: number): number {
  const receivedMs = (receivedBytes * 1000) / (mulaw ? 8000 : 2 * sampleRate);
  return (countLetters(text) * USUAL_MS_PER_LETTER - receivedMs) / DELIVERY_SPEED;
}
