import type { GatewayError } from '../../core/errors.ts';
import { Backoff } from '../backoff.ts';

/** Attempts that fail in a row, a lost link among them, before a conversation is given up: about 6 s of waiting. */
const MAX_FAILURES = 6;
const BACKOFF = { baseMs: 500, maxMs: 4_000 };
/** A link that was up for so long was a good one; one that is lost sooner counts as a failed attempt. */
const STABLE_AFTER_MS = 10_000;
/** Failures that another attempt would meet again. */
const FINAL = new Set([
  'ERR_PLATFORM_AUTH',
  'ERR_PLATFORM_PERMISSION',
  'ERR_PLATFORM_WALLET',
  'ERR_PLATFORM_NOT_FOUND',
]);

/** Decides whether the link of a conversation with an agent is opened again, and when. */
export class LinkRecovery {
  readonly #backoff: Backoff;
  #linkedAtMs = 0;

  /** `random`: [0, 1), default `Math.random`. */
  constructor(random?: () => number) {
    this.#backoff = new Backoff({ ...BACKOFF, ...(random ? { random } : {}) });
  }

  /** A link is open. */
  linked(nowMs: number): void {
    this.#linkedAtMs = nowMs;
  }

  /** The open link was lost. */
  lost(nowMs: number): void {
    if (nowMs - this.#linkedAtMs >= STABLE_AFTER_MS) this.#backoff.reset();
  }

  /** Counts a failure. @returns how long to wait before the next attempt; undefined: there is no point in another. */
  nextMs(error: GatewayError): number | undefined {
    if (FINAL.has(error.code) || this.#backoff.failures >= MAX_FAILURES - 1) return undefined;
    return this.#backoff.nextMs();
  }
}
