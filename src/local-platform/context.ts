import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { KeyCheck } from './access.ts';
import type { Engines } from './engines/choose-engines.ts';
import type { FaultQueue } from './faults.ts';
import type { FixedWindow } from './fixed-window.ts';
import type { PlatformState } from './state/state.ts';

export type PlatformLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** What the routes and the sockets of one running platform share. */
export interface PlatformContext {
  readonly holdsKey: KeyCheck;
  readonly engines: Engines;
  /** One budget for realtime requests, messages and connections together. */
  readonly realtimeQuota: FixedWindow;
  readonly faults: FaultQueue;
  readonly state: PlatformState;
  readonly clock: Clock;
  /** Never given keys, URLs, texts or audio. */
  readonly log: PlatformLog;
  /** Aborted when the platform stops. */
  readonly stopping: AbortSignal;
}
