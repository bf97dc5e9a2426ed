import { toggleActivation } from './activation.ts';
import { ok } from './answers.ts';
import type { GuideState } from './state.ts';
import type { Route } from './types.ts';
import { requireBody } from './validate.ts';

/**
 * Section "Web Tools (Custom API Integration)". The guide gives no field for a tool; any object
 * that is not empty is stored and answered with an id. There is no row that gets one tool and none
 * that deletes one, and so there is none here.
 */
export function webToolRoutes(state: GuideState): readonly Route[] {
  const { webTools } = state;
  return [
    { method: 'POST', path: '/v2/web-tool', handle: (context) => ok(webTools.add(requireBody(context))) },
    { method: 'GET', path: '/v2/web-tool/list', handle: () => ok(webTools.list()) },
    {
      method: 'PATCH',
      path: '/v2/web-tool/{id}',
      handle: (context) => {
        webTools.get(context.id);
        return ok(webTools.update(context.id, requireBody(context)));
      },
    },
    {
      // The guide shows neither body nor answer. The tool's own address is never called, and the
      // data of the answer is empty.
      method: 'POST',
      path: '/v1/voice-agents/web-tool/test-api-tool',
      handle: (context) => {
        requireBody(context);
        return ok({});
      },
    },
    {
      method: 'POST',
      path: '/v1/voice-agents/web-tool/toggle-activation',
      handle: toggleActivation(webTools, 'Web tool'),
    },
  ];
}
