import type { Clock, Timer } from '../core/clock.ts';
import { type GatewayError, toError } from '../core/errors.ts';
import { Backoff } from '../platform/backoff.ts';
import type { RequestSlot } from '../platform/request-slot.ts';
import type { QuotaRank, QuotaScheduler } from './quota-scheduler.ts';

/** What the pool needs of a connection; `RealtimeConnection` is one. */
export interface PoolConnection {
  /** Whether it is open, idle and fit for a request. */
  readonly usable: boolean;
  close(): void;
}

/** What the transcriber needs of it. */
export interface SttConnection extends PoolConnection {
  transcribe(frame: Buffer, options: { readonly timeoutMs: number }): Promise<string>;
}

/**
 * Opens one connection; `onClosed` is told once when it is gone, with an error unless it was closed in good order, and
 * `onHeaders` of the headers with which the platform accepted it.
 */
export type Connect<Connection extends PoolConnection> = (
  onClosed: (error: GatewayError | undefined) => void,
  onHeaders: RequestSlot['answered'],
) => Promise<Connection>;
export type SttConnect = Connect<SttConnection>;

export interface SocketPoolOptions<Connection extends PoolConnection> {
  readonly connect: Connect<Connection>;
  readonly clock: Clock;
  readonly scheduler: QuotaScheduler;
  /** How much one more connection is needed; undefined: not at all. */
  readonly rank: () => QuotaRank | undefined;
  readonly maxSockets: number;
  readonly random?: () => number;
  /** A socket may have become available, or its turn to be opened has come. */
  readonly onReady: () => void;
  /**
   * A connection could not be opened, or was closed for `error`. `attemptedAtMs`: when it was begun, if it never
   * carried a request to its answer.
   */
  readonly onError: (error: Error, attemptedAtMs: number | undefined) => void;
}

/** One connection and whether it carries a request. */
export interface PooledSocket<Connection extends PoolConnection = SttConnection> {
  readonly connection: Connection;
  /** What opening it cost. */
  readonly slot: RequestSlot;
  readonly attemptedAtMs: number;
  busy: boolean;
  /** Whether it ever carried a request to its answer. */
  served: boolean;
}

/** First wait after a failed attempt, and the longest. */
const BACKOFF = { baseMs: 500, maxMs: 30_000 };

/**
 * The connections of the transcriber, or those of the speaker. They are opened one at a time and only when one is
 * wanted, because each costs a slot of the quota and the platform cuts audio short when they come in a burst.
 */
export class SocketPool<Connection extends PoolConnection = SttConnection> {
  readonly #options: SocketPoolOptions<Connection>;
  readonly #backoff: Backoff;
  readonly #sockets = new Set<PooledSocket<Connection>>();
  #connecting = false;
  /** Takes back the wish for a slot to open one more. */
  #cancelAsk: (() => void) | undefined;
  #closed = false;
  #notBeforeMs = 0;
  #wake: Timer | undefined;
  /** Lost connections that were not replaced yet. */
  #lost = 0;
  #reconnects = 0;

  constructor(options: SocketPoolOptions<Connection>) {
    this.#options = options;
    this.#backoff = new Backoff({ ...BACKOFF, ...(options.random ? { random: options.random } : {}) });
  }

  get size(): number {
    return this.#sockets.size;
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  /** Attempts in a row that brought no answer. */
  get failures(): number {
    return this.#backoff.failures;
  }

  /** Whether a connection can be taken. Those that can not any more are closed. */
  get hasIdle(): boolean {
    return this.#findIdle() !== undefined;
  }

  /** An idle connection, now busy; undefined when there is none. */
  take(): PooledSocket<Connection> | undefined {
    const socket = this.#findIdle();
    if (socket) socket.busy = true;
    return socket;
  }

  /** Gives back a connection that was taken; `served` when its request was answered. */
  release(socket: PooledSocket<Connection>, served: boolean): void {
    socket.busy = false;
    if (!served) return;
    socket.served = true;
    this.#backoff.reset();
  }

  /**
   * Begins to open one more connection as soon as the quota allows, unless there are enough, one is on its way, or the
   * last attempt was just now.
   */
  openAnother(): void {
    if (this.#closed || this.#connecting || this.#cancelAsk || this.#sockets.size >= this.#options.maxSockets) return;
    const { clock, scheduler, rank, onReady } = this.#options;
    const waitMs = this.#notBeforeMs - clock.nowMs();
    if (waitMs > 0) {
      this.#wake ??= clock.after(waitMs, () => {
        this.#wake = undefined;
        onReady();
      });
      return;
    }
    this.#cancelAsk = scheduler.ask({
      kind: 'connection',
      rank,
      granted: (slot) => {
        this.#cancelAsk = undefined;
        void this.#connect(slot);
      },
    });
  }

  /** No more connection is needed: one that still waits for the quota is not opened. */
  openNoMore(): void {
    this.#cancelAsk?.();
    this.#cancelAsk = undefined;
  }

  /** Closes all connections, those on their way too. */
  close(): void {
    this.#closed = true;
    this.openNoMore();
    this.#wake?.cancel();
    for (const socket of this.#sockets) socket.connection.close();
    this.#sockets.clear();
  }

  #findIdle(): PooledSocket<Connection> | undefined {
    for (const socket of this.#sockets) {
      if (socket.busy) continue;
      if (socket.connection.usable) return socket;
      this.#sockets.delete(socket);
      socket.connection.close();
    }
    return undefined;
  }

  async #connect(slot: RequestSlot): Promise<void> {
    const { connect, clock, onReady, onError } = this.#options;
    const attemptedAtMs = clock.nowMs();
    this.#connecting = true;
    let socket: PooledSocket<Connection> | undefined;
    let headers: Parameters<RequestSlot['answered']>[0];
    let isGone = false;
    let isClosing = false;
    try {
      slot.sent();
      const connection = await connect(
        (error) => {
          isGone = true;
          this.#onClosed(socket, error);
        },
        (answered) => {
          headers = answered;
        },
      );
      slot.answered(headers);
      if (this.#closed) connection.close();
      else if (connection.usable) socket = this.#add(connection, slot, attemptedAtMs);
      else isClosing = !isGone;
    } catch (thrown) {
      slot.failed(thrown);
      this.#holdBack();
      onError(toError(thrown), attemptedAtMs);
    } finally {
      this.#connecting = false;
    }
    // One that is being closed already says why in a moment: whether to try again depends on that.
    if (!this.#closed && !isClosing) onReady();
  }

  #add(connection: Connection, slot: RequestSlot, attemptedAtMs: number): PooledSocket<Connection> {
    const socket = { connection, slot, attemptedAtMs, busy: false, served: false };
    this.#sockets.add(socket);
    if (this.#lost > 0) {
      this.#lost--;
      this.#reconnects++;
    }
    return socket;
  }

  #onClosed(socket: PooledSocket<Connection> | undefined, error: GatewayError | undefined): void {
    if (this.#closed) return;
    if (socket) this.#sockets.delete(socket);
    this.#lost++;
    // One that did its work may be replaced at once; one that never did is as good as an attempt that failed.
    if (!socket?.served) this.#holdBack();
    // Over the rate, some servers accept a connection and refuse it in its first message.
    if (error && socket && !socket.busy && !socket.served) socket.slot.failed(error);
    if (error) this.#options.onError(error, socket?.served ? undefined : socket?.attemptedAtMs);
    this.#options.onReady();
  }

  #holdBack(): void {
    this.#notBeforeMs = this.#options.clock.nowMs() + this.#backoff.nextMs();
  }
}
