import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import type { EventBus } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import { isAccountError } from '../platform/account-guard.ts';
import { type StoredUtterance, StoredUtterances, type UtteranceRecord } from './stored-utterances.ts';
import type { Transcriber } from './transcriber.ts';
import type { Utterance } from './utterance.ts';

export interface LateTranscriptionOptions {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly logger: Logger;
  /** Asked for the transcripts once the platform is back. */
  readonly transcriber: Pick<Transcriber, 'submit' | 'isAway'>;
  /** Whether there is quota that no caller needs. */
  readonly hasRoom: () => boolean;
  /** Where the utterances are kept. One process at a time. */
  readonly folder: string;
  /** Default 1 GiB. */
  readonly maxBytes?: number;
}

/** How often a stored utterance failed: at all, and while the platform did others. */
interface Failures {
  readonly all: number;
  readonly own: number;
}

/** Stored utterances that are with the transcriber at once; callers who are on the line need its sockets more. */
const MAX_REPLAYED_AT_ONCE = 2;
/** An utterance that the platform can not do while it does others is given up after so many tries. */
const MAX_OWN_FAILURES = 3;
/** While the account is refused, and after what failed by itself. */
const PAUSE_MS = 10_000;
/** How soon it is looked again for quota that no caller needs. */
const ROOM_CHECK_MS = 1_000;
const ABSENCE_CODES = new Set(['ERR_PLATFORM_CIRCUIT', 'ERR_SHUTTING_DOWN', 'ERR_STT_BACKLOG']);
/** Lost with its connection, refused for the rate, or never sent. */
const LOST_CODES = new Set(['ERR_PLATFORM_UNAVAILABLE', 'ERR_PLATFORM_RATE', 'ERR_QUOTA_WAIT']);
/** Audio on its way to the disk; beyond, the disk is too slow to keep more. */
const MAX_WRITING_BYTES = 64 * 1_048_576;

/**
 * What callers say while the platform is away: kept on disk, transcribed when it is back, also by the next process, and
 * told as `transcript.final` with `late`. An utterance that it has taken is answered by it, in exactly one transcript or
 * one error.
 */
export class LateTranscription {
  readonly #options: LateTranscriptionOptions;
  #stored: StoredUtterances | undefined;
  /** Ids of those that are with the transcriber. */
  readonly #replaying = new Set<string>();
  /** By key; who failed goes behind the others, so that none of them stands in the way of finding the platform back. */
  readonly #failures = new Map<string, Failures>();
  readonly #writes = new Set<Promise<void>>();
  #lastRead: Promise<unknown> = Promise.resolve();
  #writingBytes = 0;
  #pause: Timer | undefined;
  #stopped = false;
  #closed = false;
  replayed = 0;
  dropped = 0;

  constructor(options: LateTranscriptionOptions) {
    this.#options = options;
  }

  get storedUtterances(): number {
    return this.#stored?.size ?? 0;
  }

  get storedBytes(): number {
    return this.#stored?.bytes ?? 0;
  }

  /** Opens the store and begins to transcribe what an earlier process left in it. Without a store nothing is kept. */
  async open(): Promise<void> {
    const { clock, folder, maxBytes, logger } = this.#options;
    try {
      this.#stored = await StoredUtterances.open(folder, { clock, ...(maxBytes === undefined ? {} : { maxBytes }) });
    } catch (thrown) {
      logger.warn({ error: toError(thrown) }, 'what is said while the platform is away will not be kept');
      return;
    }
    const { size: utterances, bytes } = this.#stored;
    if (utterances > 0)
      logger.info({ utterances, bytes }, 'utterances of an earlier process wait for their transcripts');
    this.resume();
  }

  /**
   * Takes charge of `utterance`, which would end in `error`, if that is the platform's absence and not the utterance's
   * or the account's fault.
   */
  keep(utterance: Utterance, error: GatewayError): boolean {
    const bytes = utterance.pcm.byteLength;
    if (!this.#stored || this.#closed || this.#replaying.has(utterance.id) || !isAbsence(error)) return false;
    if (this.#writingBytes + bytes > MAX_WRITING_BYTES) return false;
    const { clock } = this.#options;
    const { id, callId, startMs, endMs, sampleRate, pcm, decidedAtMs, voicedAtMs = decidedAtMs } = utterance;
    const voicedWallMs = clock.wallMs() - (clock.nowMs() - voicedAtMs);
    this.#writingBytes += bytes;
    const write = this.#write(this.#stored, { id, callId, startMs, endMs, voicedWallMs, sampleRate, pcm });
    this.#writes.add(write);
    void write.finally(() => {
      this.#writes.delete(write);
      this.#writingBytes -= bytes;
      this.resume();
    });
    return true;
  }

  /** Hands stored utterances to the transcriber: the platform may be back. */
  resume(): void {
    const { transcriber, hasRoom } = this.#options;
    const atOnce = transcriber.isAway ? 1 : MAX_REPLAYED_AT_ONCE;
    while (this.#stored && !this.#stopped && !this.#pause && this.#replaying.size < atOnce) {
      const next = this.#next(this.#stored.all);
      if (!next) return;
      if (!hasRoom()) {
        this.#rest(ROOM_CHECK_MS);
        return;
      }
      this.#replaying.add(next.id);
      void this.#replay(this.#stored, next).finally(() => {
        this.#replaying.delete(next.id);
        this.resume();
      });
    }
  }

  /** Hands out no more. To be called before the transcriber closes. */
  stop(): void {
    this.#stopped = true;
    this.#pause?.cancel();
  }

  /** Waits for what is being written. To be called once the transcriber is closed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#writes);
    await this.#stored?.close();
  }

  /** The oldest of those that failed least often. */
  #next(all: Iterable<StoredUtterance>): StoredUtterance | undefined {
    let best: StoredUtterance | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const stored of all) {
      const { all: failures = 0 } = this.#failures.get(stored.key) ?? {};
      if (this.#replaying.has(stored.id) || failures >= fewest) continue;
      best = stored;
      fewest = failures;
      if (failures === 0) break;
    }
    return best;
  }

  async #write(stored: StoredUtterances, record: UtteranceRecord): Promise<void> {
    try {
      for (const dropped of await stored.add(record)) {
        this.dropped++;
        this.#failures.delete(dropped.key);
        // One that is with the transcriber is answered by that.
        if (this.#replaying.has(dropped.id)) continue;
        this.#tellError(dropped, new GatewayError('ERR_STT_STORE_FULL', 'newer utterances needed its place on disk'));
      }
    } catch (thrown) {
      this.#tellError(record, asGatewayError(thrown));
    }
  }

  async #replay(stored: StoredUtterances, entry: StoredUtterance): Promise<void> {
    const { transcriber, clock, events } = this.#options;
    try {
      const record = await this.#read(stored, entry);
      if (!record) throw new GatewayError('ERR_STORE', 'the stored utterance can not be read');
      const { id, callId, startMs, endMs, sampleRate, pcm, voicedWallMs } = record;
      const decidedAtMs = clock.nowMs();
      // Its call may be up and have utterances of its own, which do not wait for it.
      const order = `late:${callId}`;
      const place = { id, callId: order, startMs, endMs };
      const { text, parts } = await transcriber.submit({ ...place, sampleRate, pcm, decidedAtMs, priority: 'batch' });
      await this.#remove(stored, entry);
      this.replayed++;
      // Those that went as one request are told with the last of them.
      if (parts.at(-1)?.id !== id) return;
      const latencyMs = Math.max(0, Math.round(clock.wallMs() - voicedWallMs));
      const whole = { startMs: parts[0]?.startMs ?? startMs, endMs, latencyMs, utterances: parts };
      events.emit('transcript.final', callId, { text, ...whole, late: true });
    } catch (thrown) {
      await this.#onFailed(stored, entry, asGatewayError(thrown));
    }
  }

  /** One after the other, so that a call's utterances are asked for in their order. */
  #read(stored: StoredUtterances, entry: StoredUtterance): Promise<UtteranceRecord | undefined> {
    const record = this.#lastRead.then(() => stored.read(entry));
    this.#lastRead = record.catch(() => {});
    return record;
  }

  async #onFailed(stored: StoredUtterances, entry: StoredUtterance, error: GatewayError): Promise<void> {
    if (error.code === 'ERR_SHUTTING_DOWN') return;
    const { all = 0, own = 0 } = this.#failures.get(entry.key) ?? {};
    const isOwn = !this.#options.transcriber.isAway && !isAccountError(error);
    const failures = { all: all + 1, own: own + Number(isOwn) };
    if (isHopeless(error) || failures.own >= MAX_OWN_FAILURES) {
      await this.#remove(stored, entry);
      this.#tellError(entry, error);
      return;
    }
    this.#failures.set(entry.key, failures);
    if (isOwn || isAccountError(error)) this.#rest(PAUSE_MS);
  }

  #rest(forMs: number): void {
    this.#pause ??= this.#options.clock.after(forMs, () => {
      this.#pause = undefined;
      this.resume();
    });
  }

  async #remove(stored: StoredUtterances, entry: StoredUtterance): Promise<void> {
    this.#failures.delete(entry.key);
    try {
      await stored.remove(entry);
    } catch (thrown) {
      // It will be transcribed once more by the next process, which is better than not at all.
      this.#options.logger.error({ error: toError(thrown) }, 'a stored utterance can not be removed');
    }
  }

  #tellError({ id, callId }: Pick<StoredUtterance, 'id' | 'callId'>, error: GatewayError): void {
    const { code, message, retryable } = error;
    this.#options.events.emit('error', callId, { code, message, retryable, utteranceId: id });
  }
}

/** Whether an utterance that would end in `error` may have its transcript later. */
function isAbsence({ code, cause }: GatewayError): boolean {
  if (code !== 'ERR_STT_FAILED') return ABSENCE_CODES.has(code);
  // What found no answer twice on connections that stayed up ends in an error.
  return cause instanceof GatewayError && LOST_CODES.has(cause.code);
}

/** Whether no further attempt will do better. */
function isHopeless({ code, cause }: GatewayError): boolean {
  return code === 'ERR_STORE' || (code === 'ERR_STT_FAILED' && cause instanceof GatewayError && !cause.retryable);
}

function asGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError('ERR_STT_FAILED', { found: toError(thrown).message, cause: thrown });
}
