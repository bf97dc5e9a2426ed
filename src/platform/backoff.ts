export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** [0, 1); default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Full jitter: after the n-th failure in a row a wait of anything up to `baseMs * 2^(n-1)`, so that many who lost the
 * same server do not come back together.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure. @returns how long to wait before the next attempt. */
  nextMs(): number {
    const { baseMs, maxMs, random = Math.random } = this.#options;
    const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return random() * ceilingMs;
  }

  reset(): void {
    this.#failures = 0;
  }
}
