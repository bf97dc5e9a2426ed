import { ok } from './answers.ts';
import { startConversation } from './conversations.ts';
import type { GuideState } from './state.ts';
import type { JsonObject, Route } from './types.ts';
import { isObject, optionalText, requireBody, requireReferred, requireText } from './validate.ts';

/** The fields of "Create Agent Example", apart from `name`. */
const OPTIONAL_FIELDS = ['preamble', 'greeting', 'language', 'voiceId'] as const;

function checkOptionalFields(body: JsonObject): void {
  for (const field of OPTIONAL_FIELDS) optionalText(body, field);
}

/**
 * Section "Voice Agents". The guide marks no field as required; the server requires `name` and
 * checks the type of the other fields of the example. Fields beyond the example are stored and
 * answered as they were sent. `GET /v1/voice-agents` stands in no table, but section "API Key
 * Token Authentication" calls it, and so it lists the agents as well.
 */
export function agentRoutes(state: GuideState): readonly Route[] {
  const { agents } = state;
  return [
    {
      method: 'POST',
      path: '/v2/voice-agents',
      handle: (context) => {
        const body = requireBody(context);
        requireText(body, 'name');
        checkOptionalFields(body);
        return ok(agents.add(body));
      },
    },
    { method: 'GET', path: '/v2/voice-agents', handle: () => ok(agents.list()) },
    { method: 'GET', path: '/v1/voice-agents', handle: () => ok(agents.list()) },
    { method: 'GET', path: '/v2/voice-agents/{id}', handle: (context) => ok(agents.get(context.id)) },
    {
      method: 'PATCH',
      path: '/v2/voice-agents/{id}',
      handle: (context) => {
        agents.get(context.id);
        const body = requireBody(context);
        if (body['name'] !== undefined) requireText(body, 'name');
        checkOptionalFields(body);
        return ok(agents.update(context.id, body));
      },
    },
    {
      // The guide gives no body for the clone row. The original is found by its id under any
      // name, and of the example's fields those that are sent replace the original's.
      method: 'POST',
      path: '/v1/voice-agents/clone',
      handle: (context) => {
        const body = requireBody(context);
        const original = requireReferred(context, (text) => agents.find(text), 'Voice agent');
        if (body['name'] !== undefined) requireText(body, 'name');
        checkOptionalFields(body);
        const replaced = Object.fromEntries(
          ['name', ...OPTIONAL_FIELDS].flatMap((field) =>
            body[field] === undefined ? [] : [[field, body[field]] as const],
          ),
        );
        return ok(agents.add({ ...original, ...replaced }));
      },
    },
    {
      // The guide gives no body for the call row. `params` is echoed in the outcome, as section
      // "Advanced Configuration" says of the parameters of a call.
      method: 'POST',
      path: '/v1/voice-agents/call',
      handle: (context) => {
        const body = requireBody(context);
        const agent = requireReferred(context, (text) => agents.find(text), 'Voice agent');
        const { params } = body;
        return ok(startConversation(state, agent, isObject(params) ? params : {}));
      },
    },
  ];
}
