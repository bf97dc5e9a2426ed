import { badRequest, ok } from './answers.ts';
import { startConversation } from './conversations.ts';
import type { GuideState } from './state.ts';
import type { Item, Route } from './types.ts';
import { findReferred, isObject, looksLikePhoneNumber, requireBody, requireReferred, stringsIn } from './validate.ts';

function agentIdOf(number: Item): string | undefined {
  const value = number['agentId'];
  return typeof value === 'string' ? value : undefined;
}

/** Finds a stored number by its id or by the number itself, under whatever name it was sent. */
function findNumber(state: GuideState, text: string): Item | undefined {
  const direct = state.phoneNumbers.find(text);
  if (direct !== undefined) return direct;
  if (!looksLikePhoneNumber(text)) return undefined;
  return state.phoneNumbers.list().find((number) => stringsIn(number).includes(text));
}

/**
 * Section "Phone Numbers". The guide gives no field for any of these rows. Adding requires some
 * string that looks like a phone number; the other rows find the number and the agent by value.
 * An assigned number carries `agentId`, a name taken from "Call Ended Payload Structure".
 */
export function phoneNumberRoutes(state: GuideState): readonly Route[] {
  const { agents, phoneNumbers } = state;
  return [
    { method: 'GET', path: '/v1/voice-agents/phone-number', handle: () => ok(phoneNumbers.list()) },
    {
      method: 'POST',
      path: '/v1/voice-agents/phone-number',
      handle: (context) => {
        const body = requireBody(context);
        if (!stringsIn(body).some(looksLikePhoneNumber)) {
          throw badRequest('The request body holds no phone number.');
        }
        return ok(phoneNumbers.add(body));
      },
    },
    {
      // The reference may stand in the query or in the body; the answer's data is empty.
      method: 'DELETE',
      path: '/v1/voice-agents/phone-number',
      handle: (context) => {
        const number = requireReferred(context, (text) => findNumber(state, text), 'Phone number');
        phoneNumbers.remove(number.id);
        return ok({});
      },
    },
    {
      method: 'POST',
      path: '/v1/voice-agents/assign-number',
      handle: (context) => {
        requireBody(context);
        const number = requireReferred(context, (text) => findNumber(state, text), 'Phone number');
        const agent = requireReferred(context, (text) => agents.find(text), 'Voice agent');
        return ok(phoneNumbers.update(number.id, { agentId: agent.id }));
      },
    },
    {
      // A number that is named by its agent alone is found too; unassigning twice is harmless.
      method: 'POST',
      path: '/v1/voice-agents/unassign',
      handle: (context) => {
        requireBody(context);
        const number = requireReferred(
          context,
          (text) => findNumber(state, text) ?? phoneNumbers.list().find((one) => agentIdOf(one) === text),
          'Phone number',
        );
        const { agentId: _unassigned, ...rest } = number;
        return ok(phoneNumbers.replace({ ...rest, id: number.id }));
      },
    },
    {
      // The agent is the one that is named, or else the one the number is assigned to. Some phone
      // number that is not one of the stored ones must be there to be called.
      method: 'POST',
      path: '/v1/voice-agents/phone-number/call',
      handle: (context) => {
        const body = requireBody(context);
        const target = stringsIn(body).find(
          (text) => looksLikePhoneNumber(text) && findNumber(state, text) === undefined,
        );
        if (target === undefined) throw badRequest('The request names no phone number to call.');
        const named = findReferred(context, (text) => agents.find(text));
        if (named !== undefined) {
          return ok(startConversation(state, named, isObject(body['params']) ? body['params'] : {}));
        }
        const number = requireReferred(context, (text) => findNumber(state, text), 'Phone number');
        const agentId = agentIdOf(number);
        if (agentId === undefined) throw badRequest('The phone number is assigned to no agent.');
        const params = isObject(body['params']) ? body['params'] : {};
        return ok(startConversation(state, agents.get(agentId), params));
      },
    },
  ];
}
