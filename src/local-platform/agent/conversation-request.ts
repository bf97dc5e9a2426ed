import { z } from 'zod';
import { ApiError, issuesOf } from '../api-error.ts';

const MAX_TOOLS = 32;

/** A function that runs at the client. */
export interface ClientTool {
  readonly name: string;
  readonly description?: string | undefined;
  readonly parameters: { readonly properties: Readonly<Record<string, { readonly type?: string | undefined }>> };
}

/** As the vendor's SDK announces it. */
const Tool: z.ZodType<{ readonly function: ClientTool }> = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({
    name: z.string().min(1).max(100),
    description: z.string().max(2000).optional(),
    parameters: z
      .looseObject({ properties: z.record(z.string(), z.looseObject({ type: z.string().optional() })).default({}) })
      .default({ properties: {} }),
  }),
});

export interface ConversationRequest {
  readonly voiceAgentId: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly tools: readonly ClientTool[];
}

const Body = z.looseObject({
  voiceAgentId: z.string().min(1).max(200),
  params: z.record(z.string(), z.unknown()).nullish(),
  voiceEnablement: z.boolean().nullish(),
  tools: z.array(Tool).max(MAX_TOOLS).nullish(),
});

/** Reads the body of `POST /v1/voice-agents/conversation-init`. @throws ApiError 400. */
export function readConversationRequest(body: unknown): ConversationRequest {
  const { success, data, error } = Body.safeParse(body);
  if (!success) throw new ApiError(400, 'Request validation failed', { issues: issuesOf(error) });
  const { voiceAgentId, params, tools } = data;
  return { voiceAgentId, params: params ?? {}, tools: (tools ?? []).map((tool) => tool.function) };
}
