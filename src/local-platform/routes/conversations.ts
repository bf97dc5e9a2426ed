import { Readable } from 'node:stream';
import { z } from 'zod';
import { wavHeader } from '../../audio/wav.ts';
import { ApiError } from '../api-error.ts';
import { conversation, listOf } from '../api/answers.ts';
import { type Fields, idField, pageOf, type PageQuery, pageQuery, periodOf, requireText } from '../api/fields.ts';
import { type Route, route } from '../api/route.ts';
import type { PlatformContext } from '../context.ts';
import { ENGINE_SAMPLE_RATE } from '../engines/engine.ts';
import type { Conversation } from '../state/records.ts';

const FILTERS = ['status', 'voiceAgentId', 'campaignId', 'phoneNumberId', 'channel', 'to', 'from'] as const;

const join: z.ZodType<Fields> = z.looseObject({
  conversationId: idField.optional(),
  jobId: idField.optional(),
  callId: idField.optional(),
  id: idField.optional(),
});

/** A conversation under each name that its id has. */
export function presentConversation(record: Conversation): Conversation & { conversationId: string; callId: string } {
  return { ...record, conversationId: record.id, callId: record.id };
}

/** Calls, past and present. */
export function conversationRoutes({ state }: PlatformContext): Route[] {
  const { conversations } = state;
  return [
    route({
      operation: 'conversations.list',
      method: 'POST',
      path: '/v1/voice-agents/conversations/list',
      about: 'List calls, the newest first.',
      body: pageQuery,
      answer: listOf(conversation),
      handle: ({ body }) => {
        const filters = filtersOf(body);
        const isWanted = periodOf(filters);
        const all = conversations.all().filter(({ startedAt }) => isWanted(startedAt));
        const page = pageOf(all, filters, FILTERS);
        return { ...page, items: page.items.map(presentConversation) };
      },
    }),
    route({
      operation: 'conversations.get',
      method: 'GET',
      path: '/v1/voice-agents/conversation/{id}',
      about: 'Show a call with its transcript.',
      answer: conversation,
      handle: ({ id }) => presentConversation(conversations.get(id)),
    }),
    route({
      operation: 'conversations.joinCall',
      method: 'POST',
      path: '/v1/voice-agents/join-call',
      about: 'Listen to a call that is up: a WAV of 16 bit mono at 16 kHz that ends with the call.',
      body: join,
      answer: 'audio',
      handle: ({ body, reply, signal }) => {
        const { id } = conversations.get(requireText(body, 'conversationId', 'jobId', 'callId', 'id'));
        const audio = conversations.audioOf(id);
        if (audio === undefined) throw new ApiError(400, 'The call is not up any more');
        const heard = audio.listen(signal);
        if (heard === undefined) throw new ApiError(503, 'Too many listen to this call');
        return reply.type('audio/wav').send(Readable.from(withHeader(heard), { objectMode: false }));
      },
    }),
  ];
}

async function* withHeader(heard: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  yield wavHeader({ format: 'linear16', sampleRate: ENGINE_SAMPLE_RATE, dataBytes: 0, streaming: true });
  yield* heard;
}

/** Filters may stand in an object of their own. */
function filtersOf(body: PageQuery): PageQuery {
  const { filters } = body;
  return typeof filters === 'object' && filters !== null ? { ...body, ...filters } : body;
}
