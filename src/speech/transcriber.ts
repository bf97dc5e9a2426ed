import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import { type AccountGuard, isAccountError } from '../platform/account-guard.ts';
import { PlatformError } from '../platform/platform-errors.ts';
import type { RequestSlot } from '../platform/request-slot.ts';
import { Hedge } from './hedge.ts';
import { type KeepUtterance, type OpenUtterance, OpenUtterances } from './open-utterances.ts';
import { isOutage, OutageBreaker } from './outage-breaker.ts';
import { type QuotaRank, QuotaScheduler } from './quota-scheduler.ts';
import { type PooledSocket, SocketPool, type SttConnect } from './socket-pool.ts';
import { type Transcript, type TranscriptPart, toPart, type Utterance } from './utterance.ts';
import { joinAudio } from './utterance-queue.ts';

export type { Transcript, TranscriptPart, Utterance } from './utterance.ts';

export interface TranscriberOptions {
  readonly connect: SttConnect;
  /**
   * Makes the request of an utterance: `buildSttRequest` with the settings of the gateway. It is sent at once, and what
   * comes back may be overwritten by the next.
   */
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
  /** Asks a second connection where an answer is later than nearly all of late, and takes the first. Default false. */
  readonly hedge?: boolean;
  /**
   * Asked about each utterance that would end in an error. One that is kept ends in `ERR_STT_DEFERRED`, and whoever
   * keeps it answers for it. With it, nobody waits for a platform that is away: callers' utterances end at once.
   */
  readonly keep?: KeepUtterance;
  /** The platform went away, or is back. */
  readonly onOutage?: (isAway: boolean) => void;
  /** [0, 1), for jitter. Default `Math.random`. */
  readonly random?: () => number;
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
  /** Utterances that were kept for later instead. */
  readonly deferred: number;
  /** Requests that were made a second time because the answer was late, and how many of those came first. */
  readonly hedged: number;
  readonly hedgesWon: number;
  readonly inFlight: number;
  readonly queued: number;
  readonly sockets: number;
}

/** Some utterances as one request, on one connection or, when it is late, on two. */
interface SttRequest {
  readonly utterances: readonly OpenUtterance[];
  /** Connections that work on it. */
  pending: number;
  /** Whether its utterances have their answer, or go on without it. */
  isOver: boolean;
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
  readonly #open: OpenUtterances;
  readonly #outage: OutageBreaker;
  readonly #hedge: Hedge | undefined;
  #closed = false;
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

  constructor(options: TranscriberOptions) {
    const { connect, clock, maxSockets = 2, maxQueued = 256, maxQueuedPerCall = 16, random, keep } = options;
    this.#options = options;
    this.#scheduler = options.scheduler ?? QuotaScheduler.unlimited(clock);
    this.#open = new OpenUtterances({ clock, maxQueued, maxQueuedPerCall, keep });
    this.#outage = new OutageBreaker({
      clock,
      random,
      onChange: (isAway) => this.#onOutage(isAway),
      onProbe: () => this.#pump(),
    });
    this.#hedge = options.hedge ? new Hedge(clock, this.#scheduler) : undefined;
    this.#pool = new SocketPool({
      connect,
      clock,
      scheduler: this.#scheduler,
      rank: () => this.#rank() ?? { priority: 'greeting', sinceMs: clock.nowMs() },
      maxSockets,
      ...(random ? { random } : {}),
      onReady: () => this.#pump(),
      onError: (error, attemptedAtMs) => this.#onConnectionError(error, attemptedAtMs),
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
      failed: this.#open.failed,
      deferred: this.#open.deferred,
      hedged: this.#hedge?.asked ?? 0,
      hedgesWon: this.#hedge?.won ?? 0,
      inFlight: this.#open.inFlight,
      queued: this.#open.waiting,
      sockets: this.#pool.size,
    };
  }

  /** Whether the platform can not be reached: the last attempts brought nothing, and no connection is open. */
  get degraded(): boolean {
    return this.isAway || (this.#pool.failures > 0 && this.#pool.size === 0);
  }

  /** Whether the platform is away: so many attempts in a row brought nothing that only single ones are made. */
  get isAway(): boolean {
    return this.#outage.isOpen;
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
   * @throws GatewayError `ERR_STT_DEFERRED` - it was kept, and its answer comes another way; `cause` says why.
   * @throws GatewayError `ERR_PLATFORM_AUTH` or `ERR_PLATFORM_WALLET` - nothing can be transcribed until that is mended.
   * @throws GatewayError `ERR_ABORTED` - the call was abandoned; `ERR_SHUTTING_DOWN` - the transcriber is closed.
   */
  submit(utterance: Utterance): Promise<Transcript> {
    if (this.#closed) return Promise.reject(this.#open.failureOf(utterance, shuttingDown()));
    const { clock, guard, deadlineMs = 120_000 } = this.#options;
    const isProbe = guard.refusal !== undefined;
    const begin = (opened: OpenUtterance): void => {
      const refusal = guard.admit(clock.nowMs()) ?? this.#refuseToWait(opened);
      if (refusal) this.#open.reject(opened, refusal);
      else this.#open.enqueue(opened);
    };
    const transcript = this.#open.open(utterance, { isProbe, deadlineMs }, begin, (late) => this.#giveUp(late));
    this.#pump();
    return transcript;
  }

  /** The transcript of an utterance that is no speech: there are no words in it to ask for. */
  skip(utterance: TranscriptPart): Transcript {
    this.#skipped++;
    return { text: '', parts: [toPart(utterance)], sttQueueMs: 0, sttMs: 0 };
  }

  /** Gives up what a call has submitted, when nobody wants it any more. A hangup alone is no reason. */
  abandon(callId: string): void {
    for (const utterance of this.#open.all) {
      if (utterance.callId !== callId) continue;
      this.#open.reject(utterance, new GatewayError('ERR_ABORTED', 'the call was abandoned'));
    }
  }

  /** Takes nothing new, waits until all that somebody waits for is answered, at most `deadlineMs`, and closes. */
  async drain(deadlineMs: number): Promise<void> {
    this.#closed = true;
    for (const utterance of this.#open.allWaiting) {
      if (utterance.priority === 'batch') this.#open.reject(utterance, shuttingDown());
    }
    let timer: Timer | undefined;
    const timeUp = new Promise<void>((resolve) => {
      timer = this.#options.clock.after(deadlineMs, resolve);
    });
    await Promise.race([this.#open.whenEmpty(), timeUp]);
    timer?.cancel();
    this.close();
  }

  /** Gives up everything and closes the connections. */
  close(): void {
    this.#closed = true;
    this.#cancelAsking();
    this.#outage.close();
    for (const utterance of this.#open.all) this.#open.reject(utterance, shuttingDown());
    this.#hedge?.close();
    this.#pool.close();
  }

  #pump(): void {
    if (this.#closed && this.#open.waiting === 0) return;
    const { refusal } = this.#options.guard;
    if (refusal) {
      for (const waiting of this.#open.allWaiting) if (!waiting.isProbe) this.#open.reject(waiting, refusal);
    }
    const isWaiting = this.#open.waiting > 0;
    const hasIdle = this.#pool.hasIdle;
    if (isWaiting && hasIdle && this.#outage.mayTry(this.#open.inFlight)) this.#cancelAsk ??= this.#ask();
    else this.#cancelAsking();
    const isShort = isWaiting && !hasIdle && !(this.isAway && this.#pool.size > 0);
    const warm = this.#leases > 0 && refusal === undefined ? (this.#hedge && !this.isAway ? 2 : 1) : 0;
    if (isShort || this.#pool.size < warm) this.#pool.openAnother();
    else this.#pool.openNoMore();
  }

  /** Why a caller's utterance is not to wait for a platform that is away. */
  #refuseToWait({ priority }: OpenUtterance): GatewayError | undefined {
    if (!this.#options.keep || !this.isAway || priority === 'batch') return undefined;
    if (this.#open.waiting === 0 && this.#pool.hasIdle && this.#outage.mayTry(this.#open.inFlight)) return undefined;
    return away(this.#obstacle);
  }

  #ask(): () => void {
    return this.#scheduler.ask({
      kind: 'stt',
      rank: () => this.#rank(),
      granted: (slot, waited) => {
        this.#cancelAsk = undefined;
        const socket = this.#outage.mayTry(this.#open.inFlight) ? this.#pool.take() : undefined;
        const utterances = socket ? this.#open.take(waited) : [];
        if (socket && utterances.length > 0) this.#begin(utterances, socket, slot);
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
    const { first, waiting } = this.#open;
    return first && { priority: first.priority, sinceMs: first.decidedAtMs, waiting };
  }

  #begin(utterances: readonly OpenUtterance[], socket: PooledSocket, slot: RequestSlot): void {
    let frame: Buffer;
    try {
      frame = this.#encode(utterances);
    } catch (thrown) {
      slot.cancelled();
      for (const utterance of utterances) this.#fail(utterance, toError(thrown));
      this.#open.land(utterances);
      this.#pool.release(socket, false);
      return;
    }
    const sentAtMs = this.#options.clock.nowMs();
    for (const utterance of utterances) utterance.wireAtMs ??= sentAtMs;
    this.#merged += utterances.length - 1;
    const request: SttRequest = { utterances, pending: 0, isOver: false };
    void this.#send(request, frame, socket, slot);
    this.#hedge?.watch(
      request,
      () => this.#pool.take(),
      (other, otherSlot) => void this.#send(request, this.#encode(utterances), other, otherSlot),
    );
  }

  #encode(utterances: readonly OpenUtterance[]): Buffer {
    return this.#options.encode(joinAudio(utterances), utterances[0]!.sampleRate);
  }

  async #send(request: SttRequest, frame: Buffer, socket: PooledSocket, slot: RequestSlot): Promise<void> {
    const { clock, guard, timeoutMs = 30_000 } = this.#options;
    const sentAtMs = clock.nowMs();
    let isAnswered = false;
    this.#requests++;
    request.pending++;
    slot.sent();
    try {
      const text = await socket.connection.transcribe(frame, { timeoutMs });
      isAnswered = true;
      slot.answered();
      guard.succeeded(sentAtMs);
      this.#outage.succeeded();
      this.#hedge?.answered(request, sentAtMs);
      if (!request.isOver) this.#open.resolve(request.utterances, text);
    } catch (thrown) {
      const error = toError(thrown);
      slot.failed(error);
      this.#countRefusal(error);
      this.#outage.failed('request', error, sentAtMs);
      if (request.pending === 1 && !request.isOver) for (const lost of request.utterances) this.#onLost(lost, error);
    } finally {
      request.pending--;
      if (!request.isOver && (isAnswered || request.pending === 0)) {
        request.isOver = true;
        this.#open.land(request.utterances);
      }
      this.#hedge?.ended(request);
      this.#pool.release(socket, isAnswered);
      this.#pump();
    }
  }

  #onLost(utterance: OpenUtterance, error: Error): void {
    const { clock, guard, keep } = this.#options;
    const nowMs = clock.nowMs();
    if (!this.#open.isOpen(utterance)) return;
    const isRate = (error as Partial<GatewayError>).code === 'ERR_PLATFORM_RATE';
    const mayRetry = error instanceof GatewayError && error.retryable && nowMs < utterance.deadlineMs;
    if (isAccountError(error)) {
      guard.failed(error, nowMs);
      this.#open.reject(utterance, error);
    } else if (mayRetry && isRate) {
      this.#obstacle = error;
      // Waiting for the quota is the gateway's queue, not the platform's work.
      utterance.wireAtMs = undefined;
      this.#open.requeue(utterance);
    } else if (this.isAway && isOutage(error) && keep && utterance.priority !== 'batch') {
      this.#open.reject(utterance, away(error));
    } else if (mayRetry && (!utterance.retried || (this.isAway && isOutage(error)))) {
      this.#obstacle = error;
      utterance.retried = true;
      this.#retries++;
      this.#open.requeue(utterance);
    } else {
      this.#fail(utterance, error);
    }
  }

  #onConnectionError(error: Error, attemptedAtMs: number | undefined): void {
    const { clock, guard } = this.#options;
    const nowMs = clock.nowMs();
    this.#obstacle = error;
    this.#countRefusal(error);
    guard.failed(error, nowMs);
    if (attemptedAtMs !== undefined) {
      this.#outage.failed('connection', error, attemptedAtMs);
      // What was lost with a platform that can not be reached was lost by it: that counts as no try.
      if (isOutage(error)) for (const waiting of this.#open.allWaiting) waiting.retried = false;
    }
    if (!(error instanceof GatewayError) || error.retryable) return;
    // What no further attempt can mend is told now, not when the utterances have waited in vain.
    for (const waiting of this.#open.allWaiting) {
      if (isAccountError(error)) this.#open.reject(waiting, error);
      else this.#fail(waiting, error);
    }
  }

  #onOutage(isAway: boolean): void {
    const { keep, onOutage } = this.#options;
    for (const waiting of keep && isAway ? this.#open.allWaiting : []) {
      if (waiting.priority !== 'batch') this.#open.reject(waiting, away(this.#obstacle));
    }
    onOutage?.(isAway);
  }

  #countRefusal(error: Error): void {
    if (error instanceof PlatformError && (!error.retryable || error.code === 'ERR_PLATFORM_RATE')) this.#refused++;
  }

  #giveUp(utterance: OpenUtterance): void {
    if (this.#open.isInFlight(utterance)) return;
    this.#fail(
      utterance,
      this.#obstacle ?? new GatewayError('ERR_QUOTA_WAIT', 'no slot of the quota was free in time'),
    );
  }

  #fail(utterance: OpenUtterance, cause: Error): void {
    const error = new GatewayError('ERR_STT_FAILED', { found: `no transcript: ${cause.message}`, cause });
    this.#open.reject(utterance, error);
  }
}

function away(cause: Error | undefined): GatewayError {
  return new GatewayError('ERR_PLATFORM_CIRCUIT', { found: 'the platform is away', ...(cause ? { cause } : {}) });
}

function shuttingDown(): GatewayError {
  return new GatewayError('ERR_SHUTTING_DOWN', 'the transcriber takes no more utterances');
}
