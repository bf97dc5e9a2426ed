import type { Clock } from '../core/clock.ts';
import { PlatformError } from './platform-errors.ts';
import type { QuotaSlot } from './quota-governor.ts';
import { readRateLimit } from './quota-headers.ts';

/**
 * The right to make one request, now. One of `answered`, `failed` and `cancelled` ends it; `failed` may follow
 * `answered` where what was accepted is refused after all.
 */
export interface RequestSlot {
  /** The request goes out. */
  sent(): void;
  /** Its answer came; `headers` are those of an HTTP answer. */
  answered(headers?: Readonly<Record<string, string | string[] | undefined>>): void;
  /** It failed with `error`, perhaps a refusal for the rate. */
  failed(error: unknown): void;
  /** It will never be sent. */
  cancelled(): void;
}

/** A slot of the governor on the gateway's clock; `onEnded` is told when others may have to wait less because of it. */
export function clockedSlot(slot: QuotaSlot, clock: Clock, onEnded: () => void): RequestSlot {
  return {
    sent: () => slot.sent(clock.nowMs()),
    answered: (headers = {}) => {
      slot.answered(clock.nowMs(), readRateLimit(headers, clock.wallMs()));
      onEnded();
    },
    failed: (error) => {
      if (error instanceof PlatformError && error.code === 'ERR_PLATFORM_RATE') {
        slot.refused(clock.nowMs(), { retryAfterMs: error.retryAfterMs });
      } else {
        slot.answered(clock.nowMs());
      }
      onEnded();
    },
    cancelled: () => {
      slot.cancelled();
      onEnded();
    },
  };
}
