import { z } from 'zod';

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
  readonly params?: Readonly<Record<string, unknown>> | null | undefined;
  readonly tools?: readonly { readonly function: ClientTool }[] | null | undefined;
}

/** What `conversation-init` takes. The SDK sends `voiceEnablement` too, which has no effect here. */
export const conversationRequest: z.ZodType<ConversationRequest> = z.looseObject({
  voiceAgentId: z.string().min(1).max(200),
  params: z.record(z.string(), z.unknown()).nullish(),
  voiceEnablement: z.boolean().nullish(),
  tools: z.array(Tool).max(MAX_TOOLS).nullish(),
});
