import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { isRecord, platformError } from '../platform-errors.ts';
import { group, post } from '../rest/endpoint.ts';
import type { Conversation } from '../rest/groups/conversations.ts';
import type { HamsaClient } from '../rest/hamsa-client.ts';
import { sleep } from '../rest/request-watch.ts';

/** What `conversation-init` is told. */
export interface ConversationRequest {
  readonly voiceAgentId: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly voiceEnablement: boolean;
  readonly tools: readonly unknown[];
  readonly userId?: string;
}

/** Of the vendor's SDK, and not in the guide's tables. */
const { init } = group('voiceAgents', {
  init: post('once', '/v1/voice-agents/conversation-init', 'Begin a conversation with a voice agent.'),
});

/** It becomes a part of a path. */
const jobId = z
  .union([z.string(), z.number().transform(String)])
  .refine((id) => /^[\x21-\x7e]{1,256}$/.test(id) && id !== '.' && id !== '..');

/**
 * Begins a conversation. @returns its job id.
 *
 * @throws GatewayError `ERR_PLATFORM_*`, `ERR_ABORTED`.
 */
export async function beginConversation(
  client: HamsaClient,
  request: ConversationRequest,
  signal: AbortSignal,
): Promise<string> {
  const data = await client.request(init, { body: { ...request } }, { signal });
  const parsed = jobId.safeParse(isRecord(data) ? (data['jobId'] ?? data['id']) : data);
  if (parsed.success) return parsed.data;
  throw platformError('ERR_PLATFORM_PROTOCOL', 'the answer to conversation-init has no job id');
}

/** As often and as patiently as the vendor's SDK asks: 1, 2, 4 and 8 s between the attempts. */
const MAX_ATTEMPTS = 5;
const FIRST_WAIT_MS = 1_000;
const FAILED = /^(FAILED|ERROR|CANCELL?ED)$/i;

/**
 * What became of a conversation, once the platform has worked it out: transcript, recording, outcome.
 *
 * @throws GatewayError `ERR_PLATFORM_JOB` - it failed; `ERR_PLATFORM_TIMEOUT` - it is not done yet; `ERR_PLATFORM_*`;
 *   `ERR_ABORTED`.
 */
export async function conversationDetails(
  client: HamsaClient,
  id: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<Conversation> {
  let waitMs = FIRST_WAIT_MS;
  for (let attempt = 1; ; attempt++) {
    const details = await client.conversations.get(id, { signal, fresh: true });
    const status = String(details.status ?? '');
    if (/^COMPLETED$/i.test(status)) return details;
    if (FAILED.test(status)) throw platformError('ERR_PLATFORM_JOB', `the conversation ended as ${status}`);
    if (attempt === MAX_ATTEMPTS) {
      throw platformError('ERR_PLATFORM_TIMEOUT', `the conversation was still '${status.slice(0, 40)}'`);
    }
    await sleep(clock, waitMs, signal);
    waitMs *= 2;
  }
}
