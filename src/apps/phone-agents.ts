import { AgentBridge, type AgentServices } from '../call/agent-bridge.ts';
import type { CallOptions } from '../call/call.ts';
import type { Clock } from '../core/clock.ts';
import type { EventBus } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import type { OnCall, Settings } from '../core/settings-table.ts';
import type { HamsaClient } from '../platform/rest/hamsa-client.ts';
import { AgentCounters } from '../platform/voice-agent/agent-counters.ts';
import type { OpenAgentLink } from '../platform/voice-agent/agent-link.ts';
import type { ClientTool } from '../platform/voice-agent/client-tool.ts';
import { VoiceAgentSession } from '../platform/voice-agent/voice-agent-session.ts';
import { webSocketLinks } from '../platform/voice-agent/websocket-link.ts';
import { PrebufferEstimator } from '../speech/prebuffer-estimator.ts';
import type { QuotaScheduler } from '../speech/quota-scheduler.ts';

export interface PhoneAgentsOptions {
  readonly settings: Settings;
  readonly apiKey: string;
  readonly client: HamsaClient;
  readonly scheduler: QuotaScheduler;
  readonly clock: Clock;
  readonly events: EventBus;
  readonly logger: Logger;
  readonly tools: readonly ClientTool[];
}

/** An agent may send its voice just in time: as much as the Internet holds a packet back now and then. */
const ASSUMED_STALL_MS = 60;
/** A caller waits no longer than this for the quota. */
const MAX_QUOTA_WAIT_MS = 10_000;

/** Joins calls to hosted agents. */
export class PhoneAgents {
  readonly counters: AgentCounters = new AgentCounters();
  readonly #services: AgentServices;

  constructor({ settings, apiKey, client, scheduler, clock, events, logger, tools }: PhoneAgentsOptions) {
    const { hamsaAgentUrl: agentUrl, hamsaAllowInsecure: allowInsecure } = settings;
    const openLink = withinQuota(webSocketLinks({ url: agentUrl, apiKey, clock }), scheduler);
    const session = { apiKey, agentUrl, allowInsecure, client, counters: this.counters, clock, openLink };
    this.#services = {
      clock,
      events,
      logger,
      tools,
      prebuffer: new PrebufferEstimator(ASSUMED_STALL_MS),
      createSession: (createPlayer) => new VoiceAgentSession({ ...session, createPlayer }),
    };
  }

  /** What joins a call to the agent of `onCall`; undefined where none is asked for. */
  join(onCall: OnCall): CallOptions['join'] {
    if (!onCall.startsWith('agent:')) return undefined;
    const agentId = onCall.slice('agent:'.length);
    return (call, media) => new AgentBridge(call, media, agentId, this.#services);
  }
}

/** A new connection costs a slot of the realtime quota, like any other. */
function withinQuota(openLink: OpenAgentLink, scheduler: QuotaScheduler): OpenAgentLink {
  return async (jobId, handlers, signal) => {
    const slot = await scheduler.acquire('connection', { priority: 'turn', deadlineMs: MAX_QUOTA_WAIT_MS, signal });
    slot.sent();
    try {
      const link = await openLink(jobId, handlers, signal);
      slot.answered();
      return link;
    } catch (thrown) {
      slot.failed(thrown);
      throw thrown;
    }
  };
}
