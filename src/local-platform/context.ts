import type { Clock } from '../core/clock.ts';
import type { OutboundClient } from '../core/outbound-client.ts';
import type { KeyCheck } from './access.ts';
import type { CallSimulator } from './calls/call-simulator.ts';
import type { CampaignRunner } from './calls/campaign-runner.ts';
import type { Engines } from './engines/choose-engines.ts';
import type { FaultQueue } from './faults.ts';
import type { FixedWindow } from './fixed-window.ts';
import type { JobRunner } from './jobs/job-runner.ts';
import type { KnowledgeReader } from './knowledge-reader.ts';
import type { Tier } from './knowledge-storage.ts';
import type { MediaShelf } from './media-shelf.ts';
import type { PlatformLog } from './platform-log.ts';
import type { PlatformState } from './state/state.ts';

/** What the routes and the sockets of one running platform share. */
export interface PlatformContext {
  readonly holdsKey: KeyCheck;
  readonly engines: Engines;
  /** Of the standard APIs, which are counted for themselves. */
  readonly apiQuota: FixedWindow;
  /** One budget for realtime requests, messages and connections together. */
  readonly realtimeQuota: FixedWindow;
  readonly faults: FaultQueue;
  readonly state: PlatformState;
  /** Of the account: what its knowledge base may hold. */
  readonly tier: Tier;
  readonly knowledgeReader: KnowledgeReader;
  /** Calls what others chose: web tools, webhooks, media. */
  readonly outbound: OutboundClient;
  readonly media: MediaShelf;
  readonly calls: CallSimulator;
  readonly campaigns: CampaignRunner;
  readonly jobs: JobRunner;
  readonly clock: Clock;
  /** Never given keys, URLs, texts or audio. */
  readonly log: PlatformLog;
  /** Aborted when the platform stops. */
  readonly stopping: AbortSignal;
}
