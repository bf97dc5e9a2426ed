import type { GatewayError } from '../core/errors.ts';

export interface AccountGuardOptions {
  /** How long after a refusal one request may try again. Default 60 s, the window of the platform's own quota. */
  readonly retryAfterMs?: number;
}

export interface AccountState {
  readonly keyRefused: boolean;
  readonly walletEmpty: boolean;
}

/** Whether `error` is about the account, so that every other request would meet it too. */
export function isAccountError(error: unknown): error is GatewayError {
  const code = (error as Partial<GatewayError> | undefined)?.code;
  return code === 'ERR_PLATFORM_AUTH' || code === 'ERR_PLATFORM_WALLET';
}

/**
 * One gate for everything that uses the API key. A refused key or an empty wallet closes it: asking again would only
 * spend quota and bury the one error that matters. From then on one request per `retryAfterMs` is let through as a
 * probe; its success opens the gate.
 */
export class AccountGuard {
  readonly #retryAfterMs: number;
  #refusal: GatewayError | undefined;
  #closedAtMs = 0;
  #probeAtMs = 0;

  constructor(options: AccountGuardOptions = {}) {
    this.#retryAfterMs = options.retryAfterMs ?? 60_000;
  }

  /** Why the gate is closed; undefined while it is open. */
  get refusal(): GatewayError | undefined {
    return this.#refusal;
  }

  get state(): AccountState {
    return {
      keyRefused: this.#refusal?.code === 'ERR_PLATFORM_AUTH',
      walletEmpty: this.#refusal?.code === 'ERR_PLATFORM_WALLET',
    };
  }

  /**
   * Asks to make a request. While the gate is closed, a request that is let through counts as the probe whatever
   * becomes of it: a probe that is never answered delays the next one, it does not block it.
   *
   * @returns the refusal, or undefined when the request may be made.
   */
  admit(nowMs: number): GatewayError | undefined {
    if (this.#refusal === undefined || nowMs < this.#probeAtMs) return this.#refusal;
    this.#probeAtMs = nowMs + this.#retryAfterMs;
    return undefined;
  }

  /** A request met `error`; anything but a refusal of the account leaves the gate as it is. */
  failed(error: unknown, nowMs: number): void {
    if (!isAccountError(error)) return;
    this.#refusal = error;
    this.#closedAtMs = nowMs;
    this.#probeAtMs = nowMs + this.#retryAfterMs;
  }

  /** A request that was made at `madeAtMs` succeeded. One made before the gate closed proves nothing. */
  succeeded(madeAtMs: number): void {
    if (madeAtMs >= this.#closedAtMs) this.#refusal = undefined;
  }
}
