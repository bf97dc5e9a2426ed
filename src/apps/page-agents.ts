import { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import type { Settings } from '../core/settings-table.ts';
import { post, group } from '../platform/rest/endpoint.ts';
import type { HamsaClient } from '../platform/rest/hamsa-client.ts';
import type { AgentPlatform } from '../server/agent-sessions/agent-platform.ts';
import type { QuotaScheduler } from '../speech/quota-scheduler.ts';

/** A person waits in front of the page. */
const MAX_QUOTA_WAIT_MS = 10_000;

/** Of the vendor's SDK, and not in the guide's tables. */
const { init } = group('voiceAgents', {
  init: post('once', '/v1/voice-agents/conversation-init', 'Begin a conversation with a voice agent.'),
});
const Begun = z.looseObject({ jobId: z.string().regex(/^[\x21-\x7e]{1,256}$/) });

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
    async begin(request, signal) {
      const { success, data } = Begun.safeParse(await client.request(init, { body: request }, { signal }));
      if (success) return data.jobId;
      throw new GatewayError('ERR_PLATFORM_PROTOCOL', 'the answer to conversation-init has no job id');
    },
    details: (jobId, signal) => client.conversations.get(jobId, { signal, fresh: true }),
    acquireConnection: (signal) =>
      scheduler.acquire('connection', { priority: 'turn', deadlineMs: MAX_QUOTA_WAIT_MS, signal }),
  };
}
