const LIMIT = 100;
const WINDOW_MS = 60_000;

/** The limit's state after a request was counted, or as it stands. */
export interface RateState {
  readonly allowed: boolean;
  readonly remaining: number;
  readonly resetSeconds: number;
  readonly retryAfterSeconds: number;
}

/**
 * Section "Rate Limits": 100 requests per minute. One such limiter serves the standard rows and
 * another one the realtime rows together with the WebSocket connections. The guide does not say how
 * the minute is counted; here it is a fixed window that begins with its first request.
 */
export class RateLimiter {
  private used = 0;
  private endsAt = 0;

  /** Counts a request. */
  public take(): RateState {
    this.renew();
    if (this.used >= LIMIT) return this.state(false);
    this.used += 1;
    return this.state(true);
  }

  /** Gives the state without counting anything. */
  public peek(): RateState {
    this.renew();
    return this.state(this.used < LIMIT);
  }

  private renew(): void {
    const now = Date.now();
    if (now >= this.endsAt) {
      this.used = 0;
      this.endsAt = now + WINDOW_MS;
    }
  }

  private state(allowed: boolean): RateState {
    return {
      allowed,
      remaining: LIMIT - this.used,
      resetSeconds: Math.ceil(this.endsAt / 1_000),
      retryAfterSeconds: Math.max(1, Math.ceil((this.endsAt - Date.now()) / 1_000)),
    };
  }
}

/**
 * Builds the headers of section "Rate Limit Headers". The example value of X-RateLimit-Reset is
 * in seconds since 1970, while the code of "Handling Rate Limits" subtracts milliseconds from it;
 * the example value wins.
 */
export function rateHeaders(state: RateState): Readonly<Record<string, string>> {
  return {
    'X-RateLimit-Limit': String(LIMIT),
    'X-RateLimit-Remaining': String(state.remaining),
    'X-RateLimit-Reset': String(state.resetSeconds),
  };
}
