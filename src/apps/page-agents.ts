import type { Settings } from '../core/settings-table.ts';
import type { HamsaClient } from '../platform/rest/hamsa-client.ts';
import { beginConversation } from '../platform/voice-agent/conversation.ts';
import type { AgentPlatform } from '../server/agent-sessions/agent-platform.ts';
import type { QuotaScheduler } from '../speech/quota-scheduler.ts';

/** A person waits in front of the page. */
const MAX_QUOTA_WAIT_MS = 10_000;

/** The hosted agents, for the sessions of web pages. */
export function pageAgents(
  settings: Settings,
  apiKey: string,
  client: HamsaClient,
  scheduler: QuotaScheduler,
): AgentPlatform {
  return {
    agentUrl: settings.hamsaAgentUrl,
    apiKey,
    maxConversationMs: settings.gatewayMaxCallS * 1000,
    begin: (request, signal) => beginConversation(client, request, signal),
    details: (jobId, signal) => client.conversations.get(jobId, { signal, fresh: true }),
    acquireConnection: (signal) =>
      scheduler.acquire('connection', { priority: 'turn', deadlineMs: MAX_QUOTA_WAIT_MS, signal }),
  };
}
