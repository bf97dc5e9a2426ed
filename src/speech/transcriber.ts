import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import { type AccountGuard, isAccountError } from '../platform/account-guard.ts';
import { PlatformError } from '../platform/platform-errors.ts';
import type { RequestSlot } from '../platform/request-slot.ts';
import { CallOrder, type Ticket } from './call-order.ts';
import { type QuotaPriority, type QuotaRank, QuotaScheduler } from './quota-scheduler.ts';
import { type PooledSocket, SocketPool, type SttConnect } from './socket-pool.ts';
import { joinAudio, type QueuedUtterance, UtteranceQueue } from './utterance-queue.ts';

export interface TranscriberOptions {
  readonly connect: SttConnect;
  /** Makes the request of an utterance: `buildSttRequest` with the settings of the gateway. */
  readonly encode: (pcm: Int16Array, sampleRate: number) => Buffer;
  readonly clock: Clock;
  readonly guard: AccountGuard;
  /** Asked for every request and connection. Default: one without a limit. */
  readonly scheduler?: QuotaScheduler;
  /** Default 2: one can be replaced while the other works. */
  readonly maxSockets?: number;
  /** Utterances that may wait, over all calls. Default 256: 120 MB of the longest at 16 kHz. */
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
  /** Where it lies in its call; handed back with the transcript. */
  readonly startMs: number;
  readonly endMs: number;
  /** When the end of speech was decided, on the monotonic clock. */
  readonly decidedAtMs: number;
  /** Default `turn`: somebody waits for the answer. */
  readonly priority?: QuotaPriority;
}

/** One utterance of a transcript. */
export interface TranscriptPart {
  readonly id: string;
  readonly startMs: number;
  readonly endMs: number;
}

export interface Transcript {
  /** Empty when there were no words. */
  readonly text: string;
  /** The utterances that were one request, in order: all of them have this transcript. */
  readonly parts: readonly TranscriptPart[];
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
  /** Utterances that went with an earlier one of their call in one request, because the quota was scarce. */
  readonly merged: number;
  /** Utterances that cost no request, because they are no speech. */
  readonly skipped: number;
  /** Utterances that ended in an error. */
  readonly failed: number;
  readonly inFlight: number;
  readonly queued: number;
  readonly sockets: number;
}

interface Job extends Utterance, QueuedUtterance {
  readonly priority: QuotaPriority;
  readonly ticket: Ticket;
  readonly deadlineMs: number;
  readonly timer: Timer;
  /** Let through a closed guard, to find out whether the account is mended. */
  readonly isProbe: boolean;
  readonly resolve: (transcript: Transcript) => void;
  readonly reject: (error: GatewayError) => void;
  wireAtMs: number | undefined;
  retried: boolean;
  settled: boolean;
}

/**
 * Carries the utterances of all calls over few connections, one at a time each.
 *
 * ```
 *  submit ─► waiting, oldest first ─► idle connection, and slot of the quota ─► transcript ─► in the order of its call
 *                 ▲                        │
 *                 └── once more, when the connection was lost; again, when the rate was refused
 * ```
 *
 * What a call says while it waits for the quota goes as one request. Every utterance ends in exactly one transcript,
 * which it may share with others, or one error.
 */
export class Transcriber {
  readonly #options: TranscriberOptions;
  readonly #scheduler: QuotaScheduler;
  readonly #pool: SocketPool;
  readonly #order = new CallOrder();
  readonly #waiting = new UtteranceQueue<Job>();
  readonly #inFlight = new Set<Job>();
  readonly #onIdle = new Set<() => void>();
  #closed = false;
  #numbers = 0;
  #leases = 0;
  /** Takes back the wish for a slot for the next request. */
  #cancelAsk: (() => void) | undefined;
  /** What kept the waiting ones from being sent, for those that are given up. */
  #obstacle: Error | undefined;
  #requests = 0;
  #retries = 0;
  #refused = 0;
  #merged = 0;
  #skipped = 0;
  #failed = 0;

  constructor(options: TranscriberOptions) {
    const { connect, clock, maxSockets = 2, random } = options;
    this.#options = options;
    this.#scheduler = options.scheduler ?? QuotaScheduler.unlimited(clock);
    this.#pool = new SocketPool({
      connect,
      clock,
      scheduler: this.#scheduler,
      rank: () => this.#rank() ?? { priority: 'greeting', sinceMs: clock.nowMs() },
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
      merged: this.#merged,
      skipped: this.#skipped,
      failed: this.#failed,
      inFlight: this.#inFlight.size,
      queued: this.#waiting.size,
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
        priority: 'turn',
        ...utterance,
        number: this.#numbers++,
        ticket: this.#order.enter(utterance.callId),
        deadlineMs: nowMs + deadlineMs,
        timer: clock.after(deadlineMs, () => this.#giveUp(job)),
        isProbe,
        resolve,
        reject,
        wireAtMs: undefined,
        retried: false,
        settled: false,
      };
      const refusal = guard.admit(nowMs);
      if (refusal) this.#reject(job, refusal);
      else if (this.#makeRoom(job)) this.#waiting.add(job);
      this.#pump();
    });
  }

  /** The transcript of an utterance that is no speech: there are no words in it to ask for. */
  skip(utterance: TranscriptPart): Transcript {
    this.#skipped++;
    return { text: '', parts: [toPart(utterance)], sttQueueMs: 0, sttMs: 0 };
  }

  /** Gives up what a call has submitted, when nobody wants it any more. A hangup alone is no reason. */
  abandon(callId: string): void {
    const abandoned = [...this.#waiting.all, ...this.#inFlight].filter((job) => job.callId === callId);
    for (const job of abandoned) this.#reject(job, new GatewayError('ERR_ABORTED', 'the call was abandoned'));
  }

  /** Takes nothing new, waits until all is answered, at most `deadlineMs`, and closes. */
  async drain(deadlineMs: number): Promise<void> {
    this.#closed = true;
    if (this.#waiting.size + this.#inFlight.size > 0) {
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
    this.#cancelAsking();
    for (const job of [...this.#waiting.all, ...this.#inFlight]) this.#reject(job, shuttingDown());
    this.#pool.close();
  }

  #pump(): void {
    const { guard } = this.#options;
    const { refusal } = guard;
    if (refusal) {
      for (const job of this.#waiting.all) if (!job.isProbe) this.#reject(job, refusal);
    }
    const isWaiting = this.#waiting.size > 0;
    const canSend = isWaiting && this.#pool.hasIdle;
    if (canSend) this.#cancelAsk ??= this.#ask();
    else this.#cancelAsking();
    const isWarm = this.#leases === 0 || this.#pool.size > 0 || refusal !== undefined;
    if ((isWaiting && !canSend) || !isWarm) this.#pool.openAnother();
    else this.#pool.openNoMore();
  }

  #ask(): () => void {
    return this.#scheduler.ask({
      kind: 'stt',
      rank: () => this.#rank(),
      granted: (slot, waited) => {
        this.#cancelAsk = undefined;
        const socket = this.#pool.take();
        const jobs = socket ? this.#waiting.take(waited) : [];
        if (socket && jobs.length > 0) void this.#transcribe(jobs, socket, slot);
        else slot.cancelled();
        this.#pump();
      },
    });
  }

  #cancelAsking(): void {
    this.#cancelAsk?.();
    this.#cancelAsk = undefined;
  }

  #rank(): QuotaRank | undefined {
    const { first, size } = this.#waiting;
    return first && { priority: first.priority, sinceMs: first.decidedAtMs, waiting: size };
  }

  async #transcribe(jobs: readonly Job[], socket: PooledSocket, slot: RequestSlot): Promise<void> {
    const { clock, guard, encode, timeoutMs = 30_000 } = this.#options;
    for (const job of jobs) this.#inFlight.add(job);
    let sentAtMs: number | undefined;
    let served = false;
    try {
      const frame = encode(joinAudio(jobs), jobs[0]!.sampleRate);
      sentAtMs = clock.nowMs();
      for (const job of jobs) job.wireAtMs ??= sentAtMs;
      this.#requests++;
      this.#merged += jobs.length - 1;
      slot.sent();
      const text = await socket.connection.transcribe(frame, { timeoutMs });
      served = true;
      slot.answered();
      guard.succeeded(sentAtMs);
      this.#resolve(jobs, text);
    } catch (thrown) {
      const error = toError(thrown);
      if (sentAtMs === undefined) slot.cancelled();
      else slot.failed(error);
      this.#countRefusal(error);
      for (const job of jobs) this.#onFailed(job, error);
    } finally {
      for (const job of jobs) this.#inFlight.delete(job);
      this.#pool.release(socket, served);
      this.#tellIdle();
      this.#pump();
    }
  }

  #onFailed(job: Job, error: Error): void {
    const { clock, guard } = this.#options;
    const nowMs = clock.nowMs();
    if (job.settled) return;
    const isRate = (error as Partial<GatewayError>).code === 'ERR_PLATFORM_RATE';
    const mayRetry = error instanceof GatewayError && error.retryable && nowMs < job.deadlineMs;
    if (isAccountError(error)) {
      guard.failed(error, nowMs);
      this.#reject(job, error);
    } else if (mayRetry && isRate) {
      this.#obstacle = error;
      // Waiting for the quota is the gateway's queue, not the platform's work.
      job.wireAtMs = undefined;
      this.#waiting.add(job);
    } else if (mayRetry && !job.retried) {
      job.retried = true;
      this.#retries++;
      this.#waiting.add(job);
    } else {
      this.#fail(job, error);
    }
  }

  #onConnectionError(error: Error): void {
    this.#obstacle = error;
    this.#countRefusal(error);
    this.#options.guard.failed(error, this.#options.clock.nowMs());
    if (!(error instanceof GatewayError) || error.retryable) return;
    // What no further attempt can mend is told now, not when the utterances have waited in vain.
    for (const job of this.#waiting.all) {
      if (isAccountError(error)) this.#reject(job, error);
      else this.#fail(job, error);
    }
  }

  #countRefusal(error: Error): void {
    if (error instanceof PlatformError && (!error.retryable || error.code === 'ERR_PLATFORM_RATE')) this.#refused++;
  }

  /** Gives up the call's own oldest for a newer one where there is no room. @returns whether there is room now. */
  #makeRoom(job: Job): boolean {
    const { maxQueued = 256, maxQueuedPerCall = 16 } = this.#options;
    const ofCall = this.#waiting.ofCall(job.callId);
    if (ofCall.length < maxQueuedPerCall && this.#waiting.size < maxQueued) return true;
    const oldest = ofCall[0] ?? job;
    this.#reject(oldest, new GatewayError('ERR_STT_BACKLOG', `${this.#waiting.size} utterances wait already`));
    return oldest !== job;
  }

  #giveUp(job: Job): void {
    if (!this.#inFlight.has(job))
      this.#fail(job, this.#obstacle ?? new Error('no connection or no slot of the quota was free in time'));
  }

  #fail(job: Job, cause: Error): void {
    this.#reject(job, new GatewayError('ERR_STT_FAILED', { found: `no transcript: ${cause.message}`, cause }));
  }

  #resolve(jobs: readonly Job[], text: string): void {
    const parts = jobs.map(toPart);
    const nowMs = this.#options.clock.nowMs();
    for (const job of jobs) {
      const { wireAtMs = nowMs, decidedAtMs } = job;
      const transcript = { text, parts, sttQueueMs: wireAtMs - decidedAtMs, sttMs: nowMs - wireAtMs };
      this.#settle(job, () => job.resolve(transcript));
    }
  }

  #reject(job: Job, error: GatewayError): void {
    if (!job.settled) this.#failed++;
    this.#settle(job, () => job.reject(error));
  }

  #settle(job: Job, deliver: () => void): void {
    if (job.settled) return;
    job.settled = true;
    job.timer.cancel();
    this.#waiting.remove(job);
    this.#order.leave(job.ticket, deliver);
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#waiting.size + this.#inFlight.size > 0) return;
    for (const tell of this.#onIdle) tell();
    this.#onIdle.clear();
  }
}

function shuttingDown(): GatewayError {
  return new GatewayError('ERR_SHUTTING_DOWN', 'the transcriber takes no more utterances');
}

function toPart({ id, startMs, endMs }: TranscriptPart): TranscriptPart {
  return { id, startMs, endMs };
}
