import type { Clock } from '../core/clock.ts';
import type { Call } from './call.ts';
import type { SipCounters } from './counters.ts';
import type { Transactions } from './transactions.ts';
import type { SendDatagram } from './transport.ts';

/** What calls need of their user agent. */
export interface AgentContext {
  readonly clock: Clock;
  readonly counters: SipCounters;
  readonly transactions: Transactions;
  readonly send: SendDatagram;
  /** Requests that name the call's local tag reach it from now on. */
  register(call: Call): void;
  release(call: Call): void;
  /** Runs a callback of the application. @returns false when it threw, which is counted and told. */
  guard(run: () => void): boolean;
}
