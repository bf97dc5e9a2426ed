import { z } from 'zod';
import { agent, conversation, listOf } from '../api/answers.ts';
import {
  type Fields,
  findText,
  idField,
  name,
  number,
  pageOf,
  pageQuery,
  params,
  requireText,
  text,
  webAddress,
} from '../api/fields.ts';
import { type Route, route } from '../api/route.ts';
import type { PlatformContext } from '../context.ts';
import type { Agent } from '../state/records.ts';
import { presentConversation } from './conversations.ts';

const settings = {
  preamble: text.exactOptional(),
  greeting: text.exactOptional(),
  language: z.string().max(64).exactOptional(),
  voiceId: z.string().max(512).exactOptional(),
  webhookUrl: webAddress.nullish(),
  webhookAuth: z
    .looseObject({ authKey: z.string().regex(/^[\w-]{1,64}$/), authSecret: z.string().regex(/^[\x20-\x7e]{1,8192}$/) })
    .nullish(),
  params: params.exactOptional(),
};
type Settings = Fields & Partial<Agent>;

const create: z.ZodType<Settings & { name: string }> = z.looseObject({ name, ...settings });
const update: z.ZodType<Settings> = z.looseObject({ name: name.exactOptional(), ...settings });
const clone: z.ZodType<Fields> = z.looseObject({
  voiceAgentId: idField.exactOptional(),
  id: idField.exactOptional(),
  name: name.exactOptional(),
});
export const callBody: z.ZodType<Fields & { params?: Fields | undefined }> = z.looseObject({
  voiceAgentId: idField.exactOptional(),
  phoneNumberId: idField.exactOptional(),
  id: idField.exactOptional(),
  toNumber: number.exactOptional(),
  number: number.exactOptional(),
  params: params.exactOptional(),
});

/** Voice agents, and calls that they make. */
export function voiceAgentRoutes({ state, calls }: PlatformContext): Route[] {
  const { agents, phoneNumbers } = state;
  return [
    route({
      operation: 'voiceAgents.create',
      method: 'POST',
      path: '/v2/voice-agents',
      about: 'Create a voice agent.',
      body: create,
      answer: agent,
      handle: ({ body }) => agents.put(state.make(body)),
    }),
    route({
      operation: 'voiceAgents.list',
      method: 'GET',
      path: '/v2/voice-agents',
      about: 'List the voice agents.',
      query: pageQuery,
      answer: listOf(agent),
      handle: ({ query }) => pageOf(agents.all(), query, ['name', 'language']),
    }),
    route({
      operation: 'voiceAgents.get',
      method: 'GET',
      path: '/v2/voice-agents/{id}',
      about: 'Show a voice agent.',
      answer: agent,
      handle: ({ id }) => agents.get(id),
    }),
    route({
      operation: 'voiceAgents.update',
      method: 'PATCH',
      path: '/v2/voice-agents/{id}',
      about: 'Change a voice agent.',
      body: update,
      answer: agent,
      handle: ({ id, body }) => agents.put(state.change(agents.get(id), body)),
    }),
    route({
      operation: 'voiceAgents.clone',
      method: 'POST',
      path: '/v1/voice-agents/clone',
      about: 'Copy a voice agent.',
      body: clone,
      answer: agent,
      handle: ({ body }) => {
        const original = agents.get(requireText(body, 'voiceAgentId', 'id'));
        const { voiceAgentId: _, id: __, ...changes } = body;
        return agents.put(state.make({ ...original, name: `${original.name} (copy)`, ...changes }));
      },
    }),
    route({
      operation: 'voiceAgents.call',
      method: 'POST',
      path: '/v1/voice-agents/call',
      about: 'Let a voice agent call a number.',
      body: callBody,
      answer: conversation,
      handle: ({ body }) => {
        const fromId = findText(body, 'phoneNumberId');
        const from = fromId === undefined ? undefined : phoneNumbers.get(fromId);
        const placed = calls.place({
          agent: agents.get(requireText(body, 'voiceAgentId', 'id')),
          to: requireText(body, 'toNumber', 'number'),
          from: from?.number ?? null,
          phoneNumberId: from?.id ?? null,
          params: body.params,
        });
        return presentConversation(placed.conversation);
      },
    }),
  ];
}
