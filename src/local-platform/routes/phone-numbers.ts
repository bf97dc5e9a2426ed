import { z } from 'zod';
import { conversation, done, listOf, phoneNumber } from '../api/answers.ts';
import { type Fields, idField, name, number, pageOf, pageQuery, requireText } from '../api/fields.ts';
import { type Route, route } from '../api/route.ts';
import type { PlatformContext } from '../context.ts';
import { presentConversation } from './conversations.ts';
import { callBody } from './voice-agents.ts';

const add: z.ZodType<Fields & { number: string }> = z.looseObject({ number, label: name.optional() });
export const assignBody: z.ZodType<Fields> = z.looseObject({
  phoneNumberId: idField.optional(),
  id: idField.optional(),
  voiceAgentId: idField.optional(),
  number: number.optional(),
});
const byId: z.ZodType<Fields> = z.looseObject({ id: idField.optional() });

/** Phone numbers of the account, and calls from them. */
export function phoneNumberRoutes({ state, calls }: PlatformContext): Route[] {
  const { agents, phoneNumbers } = state;
  return [
    route({
      operation: 'phoneNumbers.list',
      method: 'GET',
      path: '/v1/voice-agents/phone-number',
      about: 'List the phone numbers.',
      query: pageQuery,
      answer: listOf(phoneNumber),
      handle: ({ query }) => pageOf(phoneNumbers.all(), query, ['number', 'label', 'voiceAgentId']),
    }),
    route({
      operation: 'phoneNumbers.add',
      method: 'POST',
      path: '/v1/voice-agents/phone-number',
      about: 'Add a phone number.',
      body: add,
      answer: phoneNumber,
      handle: ({ body }) => phoneNumbers.put(state.make({ ...body, voiceAgentId: null })),
    }),
    route({
      operation: 'phoneNumbers.delete',
      method: 'DELETE',
      path: '/v1/voice-agents/phone-number',
      about: 'Delete a phone number.',
      query: byId,
      body: byId,
      answer: done,
      handle: ({ query, body }) => {
        const { id } = phoneNumbers.delete(requireText({ ...body, ...query }, 'id'));
        return { id };
      },
    }),
    route({
      operation: 'phoneNumbers.assign',
      method: 'POST',
      path: '/v1/voice-agents/assign-number',
      about: 'Give a phone number to a voice agent.',
      body: assignBody,
      answer: phoneNumber,
      handle: ({ body }) => {
        const { id: voiceAgentId } = agents.get(requireText(body, 'voiceAgentId'));
        const chosen = phoneNumbers.get(requireText(body, 'phoneNumberId', 'id'));
        return phoneNumbers.put(state.change(chosen, { voiceAgentId }));
      },
    }),
    route({
      operation: 'phoneNumbers.unassign',
      method: 'POST',
      path: '/v1/voice-agents/unassign',
      about: 'Take a phone number from its voice agent.',
      body: assignBody,
      answer: phoneNumber,
      handle: ({ body }) => {
        const chosen = phoneNumbers.get(requireText(body, 'phoneNumberId', 'id'));
        return phoneNumbers.put(state.change(chosen, { voiceAgentId: null }));
      },
    }),
    route({
      operation: 'phoneNumbers.call',
      method: 'POST',
      path: '/v1/voice-agents/phone-number/call',
      about: 'Call a number from a phone number.',
      body: callBody,
      answer: conversation,
      handle: ({ body }) => {
        const from = phoneNumbers.get(requireText(body, 'phoneNumberId', 'id'));
        const agent = agents.get(requireText({ own: from.voiceAgentId, ...body }, 'voiceAgentId', 'own'));
        const to = requireText(body, 'toNumber', 'number');
        const placed = calls.place({ agent, to, from: from.number, phoneNumberId: from.id, params: body.params });
        return presentConversation(placed.conversation);
      },
    }),
  ];
}
