import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  isBrokenCircuitError,
} from 'cockatiel';
import { toError } from '../../core/errors.ts';
import { platformError } from '../platform-errors.ts';

export interface CircuitBreakerOptions {
  /** Failures in a row that open it. Default 5. */
  readonly failures?: number;
  /** How long nothing is sent then; afterwards one request tries. Default 10 s. */
  readonly openMs?: number;
}

/**
 * Leaves a failing platform alone: after some failures in a row nothing is sent for a while, and everybody is told at
 * once. Then one request tries, and the others wait for how it goes.
 */
export class CircuitBreaker {
  readonly #policy: CircuitBreakerPolicy;
  readonly #openMs: number;
  /** Errors that count; the policy sees only the error, and what it means depends on the request. */
  readonly #outages = new WeakSet<Error>();

  constructor({ failures = 5, openMs = 10_000 }: CircuitBreakerOptions = {}) {
    this.#openMs = openMs;
    this.#policy = circuitBreaker(
      handleWhen((error) => this.#outages.has(error)),
      { halfOpenAfter: openMs, breaker: new ConsecutiveBreaker(failures) },
    );
  }

  get isOpen(): boolean {
    return this.#policy.state === CircuitState.Open;
  }

  /**
   * @param isOutage - whether an error of `run` is one of the platform as a whole.
   * @throws GatewayError `ERR_PLATFORM_CIRCUIT` - the breaker is open; `run` was not called.
   */
  async run<T>(run: () => Promise<T>, isOutage: (error: Error) => boolean): Promise<T> {
    try {
      return await this.#policy.execute(async () => {
        try {
          return await run();
        } catch (thrown) {
          const error = toError(thrown);
          if (isOutage(error)) this.#outages.add(error);
          throw error;
        }
      });
    } catch (thrown) {
      if (!isBrokenCircuitError(thrown)) throw thrown;
      throw platformError('ERR_PLATFORM_CIRCUIT', 'the platform kept failing and is left alone for now', {
        retryAfterMs: this.#openMs,
        nothingDone: true,
      });
    }
  }
}
