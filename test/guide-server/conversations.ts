import { notFound, ok } from './answers.ts';
import { newId } from './state.ts';
import type { Conversation, GuideState } from './state.ts';
import type { Item, JsonObject, Route } from './types.ts';
import { findReferred, requireBody, requireReferred } from './validate.ts';

/** The answer to a started call; both names are those of "Call Ended Payload Structure". */
export interface StartedCall {
  readonly callId: string;
  readonly conversationId: string;
}

function textOf(item: Item, field: string): string {
  const value = item[field];
  return typeof value === 'string' ? value : '';
}

/** Starts a call of an agent, so that it appears in the call history at once. */
export function startConversation(state: GuideState, agent: Item, params: JsonObject): StartedCall {
  const conversationId = newId('conv');
  const greeting = textOf(agent, 'greeting');
  const conversation: Conversation = {
    callId: newId('call'),
    agentId: agent.id,
    agentName: textOf(agent, 'name'),
    conversationId,
    conversationRecording: `https://storage.tryhamsa.com/recordings/${conversationId}.mp3`,
    transcription: [{ Agent: greeting === '' ? 'Hello! How can I help you today?' : greeting }],
    outcomeResult: params,
  };
  state.conversations.set(conversationId, conversation);
  return { callId: conversation.callId, conversationId };
}

/**
 * Section "Call History & Conversations". The guide shows no answer for these rows; the names of
 * "Call Ended Payload Structure" are used, without the event's envelope. A call counts as active
 * for as long as the server runs, and its details are complete from the start.
 */
export function conversationRoutes(state: GuideState): readonly Route[] {
  return [
    {
      // The guide names no filter. The id of an agent anywhere in the body filters by that agent;
      // every other filter is accepted and has no effect, and the body may be missing.
      method: 'POST',
      path: '/v1/voice-agents/conversations/list',
      handle: (context) => {
        const agent = findReferred(context, (text) => state.agents.find(text));
        const all = [...state.conversations.values()];
        return ok(agent === undefined ? all : all.filter((entry) => entry.agentId === agent.id));
      },
    },
    {
      // The guide does not say which id is meant; conversation id and call id are both taken.
      method: 'GET',
      path: '/v1/voice-agents/conversation/{id}',
      handle: (context) => {
        const conversation = state.findConversation(context.id);
        if (conversation === undefined) throw notFound('Conversation');
        return ok(conversation);
      },
    },
    {
      // The guide shows no body and no answer; the call is found by either id under any name.
      method: 'POST',
      path: '/v1/voice-agents/join-call',
      handle: (context) => {
        requireBody(context);
        const found = requireReferred(context, (text) => state.findConversation(text), 'Call');
        return ok({ callId: found.callId, conversationId: found.conversationId });
      },
    },
  ];
}
