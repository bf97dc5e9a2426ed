import type { Clock } from '../../core/clock.ts';
import { readRetryAfterMs } from '../platform-errors.ts';
import { QuotaGovernor, type QuotaSlot, type QuotaUsage } from '../quota-governor.ts';
import { readRateLimit } from '../quota-headers.ts';
import type { Answer } from './answer.ts';
import type { Quota, QuotaTicket } from './caller.ts';
import { orAborted, refuseAborted, sleep } from './request-watch.ts';
import { waitingClock } from './waiting-clock.ts';

export interface GovernedQuotaOptions {
  /** Requests a minute. */
  readonly limit: number;
  readonly clock?: Clock;
}

/** An answer may free a slot before its time: who waits looks again after this at the latest. */
const LOOK_AGAIN_MS = 1_000;

/** A quota of {@link HamsaClient} that a {@link QuotaGovernor} keeps: requests wait, first in, first out. */
export class GovernedQuota implements Quota {
  readonly #governor: QuotaGovernor;
  readonly #clock: Clock;
  #last: Promise<unknown> = Promise.resolve();

  /** @throws RangeError - unless `limit` is at least 1. */
  constructor({ limit, clock = waitingClock }: GovernedQuotaOptions) {
    this.#governor = new QuotaGovernor({ limit });
    this.#clock = clock;
  }

  get usage(): QuotaUsage {
    return this.#governor.usage(this.#clock.nowMs());
  }

  acquire(signal: AbortSignal): Promise<QuotaTicket> {
    const turn = this.#last.then(() => this.#slot(signal));
    this.#last = turn.catch(() => {});
    return orAborted(
      turn.then((slot) => this.#ticket(slot)),
      signal,
    );
  }

  async #slot(signal: AbortSignal): Promise<QuotaSlot> {
    for (;;) {
      refuseAborted(signal);
      const nowMs = this.#clock.nowMs();
      const grant = this.#governor.request('request', nowMs);
      if ('slot' in grant) return grant.slot;
      await sleep(this.#clock, Math.min(grant.retryAtMs - nowMs, LOOK_AGAIN_MS), signal);
    }
  }

  #ticket(slot: QuotaSlot): QuotaTicket {
    const clock = this.#clock;
    slot.sent(clock.nowMs());
    return {
      answered(status: number, headers: Answer['headers']) {
        const info = readRateLimit(headers, clock.wallMs());
        if (status !== 429) slot.answered(clock.nowMs(), info);
        else slot.refused(clock.nowMs(), { info, retryAfterMs: readRetryAfterMs(headers, clock.wallMs()) });
      },
      lost: () => slot.answered(clock.nowMs()),
    };
  }
}
