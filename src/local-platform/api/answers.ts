import { z } from 'zod';

/** What the answers of the platform are made of. Other fields came with a request. */
const time = z.iso.datetime();
const stored = { id: z.uuid(), createdAt: time, updatedAt: time } as const;
const anything = z.record(z.string(), z.unknown());

export const agent: z.ZodType = z.looseObject({
  ...stored,
  name: z.string(),
  preamble: z.string().optional(),
  greeting: z.string().optional(),
  language: z.string().optional(),
  voiceId: z.string().optional(),
  webhookUrl: z.string().nullish(),
});

export const phoneNumber: z.ZodType = z.looseObject({
  ...stored,
  number: z.string(),
  label: z.string().optional(),
  voiceAgentId: z.uuid().nullable(),
});

export const knowledgeItem: z.ZodType = z.looseObject({
  ...stored,
  type: z.enum(['TEXT', 'FILE', 'URL']),
  name: z.string(),
  content: z.string().optional(),
  url: z.string().optional(),
  urls: z.array(z.string()),
  isActive: z.boolean(),
  status: z.enum(['PROCESSING', 'READY', 'FAILED']),
  error: z.string().nullable(),
  contentVersion: z.int().min(1),
  fileBytes: z.int().min(0),
  pageBytes: z.int().min(0),
  sizeBytes: z.int().min(0),
});

export const webTool: z.ZodType = z.looseObject({
  ...stored,
  name: z.string(),
  description: z.string().optional(),
  url: z.string(),
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
  headers: z.array(z.object({ name: z.string(), value: z.string() })),
  isActive: z.boolean(),
});

export const toolResult: z.ZodType = z.object({
  ok: z.boolean(),
  status: z.int().nullable(),
  body: z.unknown(),
  error: z.string().nullable(),
  durationMs: z.number().min(0),
});

export const campaign: z.ZodType = z.looseObject({
  ...stored,
  name: z.string(),
  voiceAgentId: z.uuid().nullable(),
  phoneNumberId: z.uuid().nullable(),
  status: z.enum(['DRAFT', 'RUNNING', 'PAUSED', 'CANCELLED', 'COMPLETED']),
  contacts: z.array(
    z.object({
      number: z.string(),
      params: anything.optional(),
      status: z.enum(['PENDING', 'CALLING', 'COMPLETED', 'FAILED', 'CANCELLED']),
      attempts: z.int().min(0),
      conversationId: z.uuid().nullable(),
    }),
  ),
});

const turn = z.union([z.strictObject({ Agent: z.string() }), z.strictObject({ User: z.string() })]);

export const conversation: z.ZodType = z.object({
  ...stored,
  conversationId: z.uuid(),
  jobId: z.uuid(),
  callId: z.uuid(),
  voiceAgentId: z.string(),
  agentName: z.string(),
  channel: z.enum(['phone', 'web']),
  from: z.string().nullable(),
  to: z.string().nullable(),
  phoneNumberId: z.uuid().nullable(),
  campaignId: z.uuid().nullable(),
  params: anything,
  status: z.enum(['PENDING', 'ONGOING', 'COMPLETED', 'FAILED']),
  reason: z.string().nullable(),
  startedAt: time,
  answeredAt: time.nullable(),
  endedAt: time.nullable(),
  durationMs: z.number().nullable(),
  transcription: z.array(turn),
  toolCalls: z.array(
    z.object({ name: z.string(), params: z.unknown(), ok: z.boolean(), result: z.unknown(), at: time }),
  ),
  outcomeResult: anything.nullable(),
  conversationRecording: z.url().nullable(),
});

export const job: z.ZodType = z.object({
  ...stored,
  jobId: z.uuid(),
  type: z.enum(['TRANSCRIPTION', 'TEXT_TO_SPEECH', 'AI_CONTENT']),
  status: z.enum(['PENDING', 'PROCESSING', 'COMPLETED', 'FAILED']),
  progress: z.number().min(0).max(100),
  request: anything,
  jobResponse: anything.nullable(),
  error: z.string().nullable(),
});

export const transcript: z.ZodType = z.object({ text: z.string() });
export const done: z.ZodType = z.object({ id: z.string() });
export const details: z.ZodType = anything;

export function listOf(item: z.ZodType): z.ZodType {
  return z.object({ items: z.array(item), total: z.int().min(0), page: z.int().min(1), limit: z.int().min(1) });
}
