/** A timer that was started; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

/**
 * The only source of time and timers outside the media threads, so that tests can put a fake in its place.
 *
 * `nowMs` is monotonic with an arbitrary origin (milliseconds, fractional); `wallMs` is Unix time in milliseconds.
 */
export interface Clock {
  nowMs(): number;
  wallMs(): number;
  /** Calls `run` once, no earlier than `delayMs` from now. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` every `periodMs` until cancelled. */
  every(periodMs: number, run: () => void): Timer;
}

/** The machine's own clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  every(periodMs, run) {
    const handle = setInterval(run, periodMs);
    handle.unref();
    return { cancel: () => clearInterval(handle) };
  },
};
