import { type Clock, systemClock } from '../../core/clock.ts';

/**
 * The machine's clock for work that somebody waits for: its timers keep the process alive, so that a program does not
 * end while a request waits to be sent again.
 */
export const waitingClock: Clock = {
  ...systemClock,
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
