import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { QuotaScheduler } from './quota-scheduler.ts';

/**
 * Slots that a call is expected to take in a minute: four turns, each one request once the end silence is long, and its
 * part of greetings and connections. At a quota of 100 that is 20 calls, which test/speech/quota-capacity.test.ts shows
 * to be carried with 95 of 100 turns on their way within 1.5 s.
 */
const SLOTS_OF_CALL = 5;
/** The window of the quota: after that, what a call really takes is in the count of used slots. */
const WINDOW_MS = 60_000;
/** Callers who would wait longer than this for an answer are better served elsewhere. */
const MAX_WAIT_MS = 3_000;
const MIN_RETRY_MS = 5_000;

export interface AdmissionOptions {
  readonly scheduler: Pick<QuotaScheduler, 'usage' | 'pressure'>;
  readonly clock: Clock;
  /** When each call began that is up or on its way, the one to be admitted too, in wall time. */
  readonly callsStartedMs: () => readonly number[];
}

/** A call that the quota could not serve. */
export class AdmissionError extends GatewayError {
  /** When it should fit. */
  readonly retryAfterMs: number;

  constructor(found: string, retryAfterMs: number) {
    super('ERR_NOT_ADMITTED', { found, needed: 'a call that fits into the quota', cure: 'raise HAMSA_REALTIME_QUOTA' });
    this.retryAfterMs = Math.min(WINDOW_MS, Math.max(MIN_RETRY_MS, retryAfterMs));
  }
}

/** Whether the quota can serve one call more. */
export class Admission {
  readonly #options: AdmissionOptions;
  refused = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Why the newest call is not to be answered; undefined: it is. */
  refusal(): AdmissionError | undefined {
    const { scheduler } = this.#options;
    const { limit, used, paceMs, blockedMs } = scheduler.usage;
    const { waiting, waitMs } = scheduler.pressure;
    const expectedMs = Math.max(blockedMs, waitMs, waiting * paceMs);
    const missing = used + this.#slotsToCome() - limit;
    if (expectedMs <= MAX_WAIT_MS && missing <= 0) return undefined;
    this.refused++;
    if (expectedMs > MAX_WAIT_MS) return new AdmissionError(`turns wait ${expectedMs} ms for the quota`, expectedMs);
    return new AdmissionError(`the quota is ${Math.ceil(missing)} slots short`, (missing * WINDOW_MS) / limit);
  }

  /** What calls of the last minute will take beyond what they took already. */
  #slotsToCome(): number {
    const nowMs = this.#options.clock.wallMs();
    let slots = 0;
    for (const startedMs of this.#options.callsStartedMs()) {
      slots += SLOTS_OF_CALL * Math.max(0, 1 - (nowMs - startedMs) / WINDOW_MS);
    }
    return slots;
  }
}
