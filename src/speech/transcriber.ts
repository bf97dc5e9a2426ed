import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import { type AccountGuard, isAccountError } from '../platform/account-guard.ts';
import { PlatformError } from '../platform/platform-errors.ts';
import { Backoff } from './backoff.ts';
import { CallOrder, type Ticket } from './call-order.ts';
import { type PooledSocket, SocketPool, type SttConnect } from './socket-pool.ts';

export interface TranscriberOptions {
  readonly connect: SttConnect;
  /** Makes the request of an utterance: `buildSttRequest` with the settings of the gateway. */
  readonly encode: (pcm: Int16Array, sampleRate: number) => Buffer;
  readonly clock: Clock;
  readonly guard: AccountGuard;
  /** Default 2: one can be replaced while the other works. */
  readonly maxSockets?: number;
  /** Utterances that may wait, over all calls. Default 256: 60 MB of the longest at 8 kHz. */
  readonly maxQueued?: number;
  /** Utterances of one call that may wait. Default 16. */
  readonly maxQueuedPerCall?: number;
  /** From the request to its transcript. Default 30 s. */
  readonly timeoutMs?: number;
  /** From `submit` until an utterance that still waits is given up. Default 120 s: a quota of a minute can pass twice. */
  readonly deadlineMs?: number;
  /** [0, 1), for jitter. Default `Math.random`. */
  readonly random?: () => number;
}

export interface Utterance {
  readonly id: string;
  readonly callId: string;
  /** Owned by the transcriber from now on. */
  readonly pcm: Int16Array;
  readonly sampleRate: number;
  /** When the end of speech was decided, on the monotonic clock. */
  readonly decidedAtMs: number;
}

export interface Transcript {
  /** Empty when there were no words. */
  readonly text: string;
  /** Decided → request on the wire. */
  readonly sttQueueMs: number;
  /** Request on the wire → transcript; a request that was lost and made again is part of it. */
  readonly sttMs: number;
}

export interface TranscriberStatistics {
  readonly requests: number;
  /** Requests made again because their connection was lost. */
  readonly retries: number;
  readonly reconnects: number;
  /** Requests and connections that the platform refused: key, wallet, rate or content. */
  readonly refused: number;
  /** Utterances that ended in an error. */
  readonly failed: number;
  readonly inFlight: number;
  readonly queued: number;
  readonly sockets: number;
}

interface Job {
  readonly utterance: Utterance;
  /** Place in the overall order. */
  readonly number: number;
  readonly ticket: Ticket;
  readonly deadlineMs: number;
  readonly timer: Timer;
  /** Let through a closed guard, to find out whether the account is mended. */
  readonly isProbe: boolean;
  readonly resolve: (transcript: Transcript) => void;
  readonly reject: (error: GatewayError) => void;
  frame: Buffer | undefined;
  wireAtMs: number | undefined;
  retried: boolean;
  settled: boolean;
}

/** Between two refusals for the rate, when the platform does not say how long to wait. */
const RATE_BACKOFF = { baseMs: 1_000, maxMs: 30_000 };
const MIN_PAUSE_MS = 250;
const MAX_PAUSE_MS = 60_000;

/**
 * Carries the utterances of all calls over few connections, one at a time each.
 *
 * ```
 *  submit ─► waiting, oldest first ─► an idle connection ─► transcript ─► in the order of its call
 *                 ▲                        │
 *                 └── once more, when the connection was lost; again, when the rate was refused
 * ```
 *
 * Every utterance ends in exactly one transcript or one error.
 */
export class Transcriber {
  readonly #options: TranscriberOptions;
  readonly #pool: SocketPool;
  readonly #order = new CallOrder();
  readonly #rateBackoff: Backoff;
  /** Sorted by number. */
  readonly #waiting: Job[] = [];
  readonly #inFlight = new Set<Job>();
  readonly #onIdle = new Set<() => void>();
  #closed = false;
  #numbers = 0;
  #leases = 0;
  #pausedUntilMs = 0;
  #pauseTimer: Timer | undefined;
  /** What kept the waiting ones from being sent, for those that are given up. */
  #obstacle: Error | undefined;
  #requests = 0;
  #retries = 0;
  #refused = 0;
  #failed = 0;

  constructor(options: TranscriberOptions) {
    const { connect, clock, maxSockets = 2, random } = options;
    this.#options = options;
    this.#rateBackoff = new Backoff({ ...RATE_BACKOFF, ...(random ? { random } : {}) });
    this.#pool = new SocketPool({
      connect,
      clock,
      maxSockets,
      ...(random ? { random } : {}),
      onReady: () => this.#pump(),
      onError: (error) => this.#onConnectionError(error),
    });
  }

  get statistics(): TranscriberStatistics {
    return {
      requests: this.#requests,
      retries: this.#retries,
      reconnects: this.#pool.reconnects,
      refused: this.#refused,
      failed: this.#failed,
      inFlight: this.#inFlight.size,
      queued: this.#waiting.length,
      sockets: this.#pool.size,
    };
  }

  /** Whether the platform can not be reached: the last attempts brought nothing, and no connection is open. */
  get degraded(): boolean {
    return this.#pool.failures > 0 && this.#pool.size === 0;
  }

  /**
   * Keeps a connection open from now on, ahead of need: opening one takes about a second. A call holds it while it
   * lasts.
   *
   * @returns a function that gives it up; calling it again does nothing.
   */
  warm(): () => void {
    let held = true;
    this.#leases++;
    this.#pump();
    return () => {
      if (held) this.#leases--;
      held = false;
    };
  }

  /**
   * Asks for the transcript of an utterance. Results of one call come in the order in which they were submitted.
   *
   * @throws GatewayError `ERR_STT_FAILED` - it could not be transcribed; `cause` says why.
   * @throws GatewayError `ERR_STT_BACKLOG` - newer utterances of the call needed its place.
   * @throws GatewayError `ERR_PLATFORM_AUTH` or `ERR_PLATFORM_WALLET` - nothing can be transcribed until that is mended.
   * @throws GatewayError `ERR_ABORTED` - the call was abandoned; `ERR_SHUTTING_DOWN` - the transcriber is closed.
   */
  submit(utterance: Utterance): Promise<Transcript> {
    if (this.#closed) return Promise.reject(shuttingDown());
    const { clock, guard, deadlineMs = 120_000 } = this.#options;
    const nowMs = clock.nowMs();
    const isProbe = guard.refusal !== undefined;
    return new Promise((resolve, reject) => {
      const job: Job = {
        utterance,
        number: this.#numbers++,
        ticket: this.#order.enter(utterance.callId),
        deadlineMs: nowMs + deadlineMs,
        timer: clock.after(deadlineMs, () => this.#giveUp(job)),
        isProbe,
        resolve,
        reject,
        frame: undefined,
        wireAtMs: undefined,
        retried: false,
        settled: false,
      };
      const refusal = guard.admit(nowMs);
      if (refusal) this.#reject(job, refusal);
      else if (this.#makeRoom(job)) this.#waiting.push(job);
      this.#pump();
    });
  }

  /** Gives up what a call has submitted, when nobody wants it any more. A hangup alone is no reason. */
  abandon(callId: string): void {
    const abandoned = [...this.#waiting, ...this.#inFlight].filter((job) => job.utterance.callId === callId);
    for (const job of abandoned) this.#reject(job, new GatewayError('ERR_ABORTED', 'the call was abandoned'));
  }

  /** Takes nothing new, waits until all is answered, at most `deadlineMs`, and closes. */
  async drain(deadlineMs: number): Promise<void> {
    this.#closed = true;
    if (this.#waiting.length + this.#inFlight.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#options.clock.after(deadlineMs, resolve);
        this.#onIdle.add(() => {
          timer.cancel();
          resolve();
        });
      });
    }
    this.close();
  }

  /** Gives up everything and closes the connections. */
  close(): void {
    this.#closed = true;
    this.#pauseTimer?.cancel();
    for (const job of [...this.#waiting, ...this.#inFlight]) this.#reject(job, shuttingDown());
    this.#pool.close();
  }

  #pump(): void {
    const { guard } = this.#options;
    const { refusal } = guard;
    if (refusal) {
      for (const job of this.#waiting.filter((waiting) => !waiting.isProbe)) this.#reject(job, refusal);
    }
    if (this.#isPaused()) return;
    while (this.#waiting.length > 0) {
      const socket = this.#pool.take();
      if (!socket) break;
      void this.#transcribe(this.#waiting.shift()!, socket);
    }
    const isWarm = this.#leases === 0 || this.#pool.size > 0 || refusal !== undefined;
    if (this.#waiting.length > 0 || !isWarm) this.#pool.openAnother();
  }

  async #transcribe(job: Job, socket: PooledSocket): Promise<void> {
    const { clock, guard, encode, timeoutMs = 30_000 } = this.#options;
    this.#inFlight.add(job);
    let served = false;
    try {
      job.frame ??= encode(job.utterance.pcm, job.utterance.sampleRate);
      const sentAtMs = clock.nowMs();
      job.wireAtMs ??= sentAtMs;
      this.#requests++;
      const text = await socket.connection.transcribe(job.frame, { timeoutMs });
      served = true;
      guard.succeeded(sentAtMs);
      this.#rateBackoff.reset();
      const sttQueueMs = job.wireAtMs - job.utterance.decidedAtMs;
      this.#resolve(job, { text, sttQueueMs, sttMs: clock.nowMs() - job.wireAtMs });
    } catch (thrown) {
      this.#onFailed(job, toError(thrown));
    } finally {
      this.#inFlight.delete(job);
      this.#pool.release(socket, served);
      this.#tellIdle();
      this.#pump();
    }
  }

  #onFailed(job: Job, error: Error): void {
    const { clock, guard } = this.#options;
    const nowMs = clock.nowMs();
    this.#countRefusal(error);
    if (job.settled) return;
    if (isAccountError(error)) {
      guard.failed(error, nowMs);
      this.#reject(job, error);
    } else if (error instanceof PlatformError && error.code === 'ERR_PLATFORM_RATE') {
      this.#pause(error);
      // Waiting for the quota is the gateway's queue, not the platform's work.
      job.wireAtMs = undefined;
      if (this.#pausedUntilMs < job.deadlineMs) this.#requeue(job);
      else this.#fail(job, error);
    } else if (error instanceof GatewayError && error.retryable && !job.retried && nowMs < job.deadlineMs) {
      job.retried = true;
      this.#retries++;
      this.#requeue(job);
    } else {
      this.#fail(job, error);
    }
  }

  #onConnectionError(error: Error): void {
    this.#obstacle = error;
    this.#countRefusal(error);
    this.#options.guard.failed(error, this.#options.clock.nowMs());
    if (error instanceof PlatformError && error.code === 'ERR_PLATFORM_RATE') this.#pause(error);
    if (!(error instanceof GatewayError) || error.retryable) return;
    // What no further attempt can mend is told now, not when the utterances have waited in vain.
    for (const job of this.#waiting.splice(0)) {
      if (isAccountError(error)) this.#reject(job, error);
      else this.#fail(job, error);
    }
  }

  #countRefusal(error: Error): void {
    if (error instanceof PlatformError && (!error.retryable || error.code === 'ERR_PLATFORM_RATE')) this.#refused++;
  }

  /** The platform refused for the rate: nothing is sent or opened for a while. */
  #pause(error: PlatformError): void {
    this.#obstacle = error;
    const askedMs = error.retryAfterMs ?? this.#rateBackoff.nextMs();
    const pauseMs = Math.min(Math.max(askedMs, MIN_PAUSE_MS), MAX_PAUSE_MS);
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#options.clock.nowMs() + pauseMs);
  }

  #isPaused(): boolean {
    const { clock } = this.#options;
    const leftMs = this.#pausedUntilMs - clock.nowMs();
    if (leftMs <= 0) return false;
    this.#pauseTimer ??= clock.after(leftMs, () => {
      this.#pauseTimer = undefined;
      this.#pump();
    });
    return true;
  }

  /** Gives up the call's own oldest for a newer one where there is no room. @returns whether there is room now. */
  #makeRoom(job: Job): boolean {
    const { maxQueued = 256, maxQueuedPerCall = 16 } = this.#options;
    const ofCall = this.#waiting.filter((waiting) => waiting.utterance.callId === job.utterance.callId);
    if (ofCall.length < maxQueuedPerCall && this.#waiting.length < maxQueued) return true;
    const oldest = ofCall[0] ?? job;
    this.#reject(oldest, new GatewayError('ERR_STT_BACKLOG', `${this.#waiting.length} utterances wait already`));
    return oldest !== job;
  }

  #requeue(job: Job): void {
    const later = this.#waiting.findIndex((waiting) => waiting.number > job.number);
    this.#waiting.splice(later < 0 ? this.#waiting.length : later, 0, job);
  }

  #giveUp(job: Job): void {
    if (!this.#inFlight.has(job)) this.#fail(job, this.#obstacle ?? new Error('no connection was free in time'));
  }

  #fail(job: Job, cause: Error): void {
    this.#reject(job, new GatewayError('ERR_STT_FAILED', { found: `no transcript: ${cause.message}`, cause }));
  }

  #resolve(job: Job, transcript: Transcript): void {
    this.#settle(job, () => job.resolve(transcript));
  }

  #reject(job: Job, error: GatewayError): void {
    if (!job.settled) this.#failed++;
    this.#settle(job, () => job.reject(error));
  }

  #settle(job: Job, deliver: () => void): void {
    if (job.settled) return;
    job.settled = true;
    job.timer.cancel();
    const index = this.#waiting.indexOf(job);
    if (index >= 0) this.#waiting.splice(index, 1);
    this.#order.leave(job.ticket, deliver);
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#waiting.length + this.#inFlight.size > 0) return;
    for (const tell of this.#onIdle) tell();
    this.#onIdle.clear();
  }
}

function shuttingDown(): GatewayError {
  return new GatewayError('ERR_SHUTTING_DOWN', 'the transcriber takes no more utterances');
}
