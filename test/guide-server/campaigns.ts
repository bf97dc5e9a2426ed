import { badRequest, ok } from './answers.ts';
import type { GuideState } from './state.ts';
import type { Route } from './types.ts';
import { requireBody } from './validate.ts';

/**
 * Section "Campaigns (Outbound Calling)". The guide gives no field for a campaign, not even one
 * for its state; any object that is not empty is stored, and the state rows answer the campaign as
 * it is. A cancelled campaign can't be paused or resumed any more (400); everything else is allowed
 * at any time, because the guide forbids nothing. The state rows need no body.
 */
export function campaignRoutes(state: GuideState): readonly Route[] {
  const { campaigns } = state;
  const cancelled = new Set<string>();
  const base = '/v1/voice-agents/campaigns';

  function stateRow(action: 'pause' | 'resume' | 'cancel' | 'retry'): Route {
    return {
      method: 'POST',
      path: `${base}/{id}/${action}`,
      handle: (context) => {
        const campaign = campaigns.get(context.id);
        if ((action === 'pause' || action === 'resume') && cancelled.has(campaign.id)) {
          throw badRequest('The campaign is cancelled.');
        }
        if (action === 'cancel') cancelled.add(campaign.id);
        return ok(campaign);
      },
    };
  }

  return [
    { method: 'POST', path: base, handle: (context) => ok(campaigns.add(requireBody(context))) },
    { method: 'GET', path: base, handle: () => ok(campaigns.list()) },
    { method: 'GET', path: `${base}/{id}`, handle: (context) => ok(campaigns.get(context.id)) },
    {
      method: 'PATCH',
      path: `${base}/{id}`,
      handle: (context) => {
        campaigns.get(context.id);
        return ok(campaigns.update(context.id, requireBody(context)));
      },
    },
    stateRow('pause'),
    stateRow('resume'),
    stateRow('cancel'),
    stateRow('retry'),
  ];
}
