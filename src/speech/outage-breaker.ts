import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { Backoff } from '../platform/backoff.ts';

export interface OutageBreakerOptions {
  readonly clock: Clock;
  /** The platform went away, or is back. */
  readonly onChange: (isAway: boolean) => void;
  /** The time has come for a request that tries whether the platform is back. */
  readonly onProbe: () => void;
  /** [0, 1), for jitter. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** Attempts in a row that have to fail: a restart of the platform within a second or two is no outage. */
const FAILURES = 5;
/** Between one request that tries whether the platform is back and the next. */
const PROBE_BACKOFF = { baseMs: 1_000, maxMs: 30_000 };
const OUTAGE_CODES = new Set(['ERR_PLATFORM_UNAVAILABLE', 'ERR_PLATFORM_TIMEOUT', 'ERR_PLATFORM_PROTOCOL']);

/** Whether `error` says that the platform can not be reached or does not work. */
export function isOutage(error: Error): boolean {
  return error instanceof GatewayError && OUTAGE_CODES.has(error.code);
}

/**
 * Whether the platform is away. It is when several attempts in a row brought nothing, connections and requests alike,
 * and until a request is answered. Meanwhile one request at a time may try, each after a wait with full jitter.
 */
export class OutageBreaker {
  readonly #options: OutageBreakerOptions;
  readonly #backoff: Backoff;
  #failures = 0;
  #lastFailureMs = Number.NEGATIVE_INFINITY;
  #probeAtMs = Number.NEGATIVE_INFINITY;
  #probeTimer: Timer | undefined;

  constructor(options: OutageBreakerOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ ...PROBE_BACKOFF, ...(options.random ? { random: options.random } : {}) });
  }

  get isOpen(): boolean {
    return this.#failures >= FAILURES;
  }

  /** Whether a request may be made now, with `inFlight` others under way. If not yet, `onProbe` tells when. */
  mayTry(inFlight: number): boolean {
    if (!this.isOpen) return true;
    const { clock, onProbe } = this.#options;
    const waitMs = this.#probeAtMs - clock.nowMs();
    this.#probeTimer?.cancel();
    if (waitMs > 0) this.#probeTimer = clock.after(waitMs, onProbe);
    return waitMs <= 0 && inFlight === 0;
  }

  succeeded(): void {
    const wasOpen = this.isOpen;
    this.#failures = 0;
    this.#probeAtMs = Number.NEGATIVE_INFINITY;
    this.#backoff.reset();
    this.#probeTimer?.cancel();
    if (wasOpen) this.#options.onChange(false);
  }

  /** An attempt that was made at `madeAtMs` met `error`; one that is not the platform's failure does not count. */
  failed(what: 'connection' | 'request', error: Error, madeAtMs: number): void {
    // Those on their way together met one failure, not many.
    if (!isOutage(error) || madeAtMs < this.#lastFailureMs) return;
    const wasOpen = this.isOpen;
    this.#lastFailureMs = this.#options.clock.nowMs();
    this.#failures++;
    // Connections have waits of their own.
    if (this.isOpen && what === 'request') this.#probeAtMs = this.#lastFailureMs + this.#backoff.nextMs();
    if (this.isOpen && !wasOpen) this.#options.onChange(true);
  }

  close(): void {
    this.#probeTimer?.cancel();
  }
}
