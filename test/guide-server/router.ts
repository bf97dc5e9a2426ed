import { agentRoutes } from './agents.ts';
import { campaignRoutes } from './campaigns.ts';
import { conversationRoutes } from './conversations.ts';
import { jobRoutes } from './jobs.ts';
import { knowledgeBaseRoutes } from './knowledge-base.ts';
import { phoneNumberRoutes } from './phone-numbers.ts';
import { realtimeTtsRoutes } from './realtime-tts.ts';
import { GuideState } from './state.ts';
import type { Route } from './types.ts';
import { webToolRoutes } from './web-tools.ts';

/** A row that matches a request, with the `{id}` of its path. */
export interface Match {
  readonly route: Route;
  readonly id: string;
}

/** Lists every row of sections "Core API Endpoints" and "Real-Time APIs" over fresh state. */
export function allRoutes(): readonly Route[] {
  const state = new GuideState();
  return [
    ...agentRoutes(state),
    ...phoneNumberRoutes(state),
    ...knowledgeBaseRoutes(state),
    ...webToolRoutes(state),
    ...campaignRoutes(state),
    ...conversationRoutes(state),
    ...jobRoutes(state),
    ...realtimeTtsRoutes(),
  ];
}

function idOf(pattern: string, path: string): string | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  let id = '';
  for (const [index, segment] of wanted.entries()) {
    const actual = given[index] ?? '';
    if (segment !== '{id}') {
      if (segment !== actual) return undefined;
    } else {
      if (actual === '') return undefined;
      try {
        id = decodeURIComponent(actual);
      } catch {
        return undefined;
      }
    }
  }
  return id;
}

/** Finds the row of a request; a row with a literal path stands before one with `{id}`. */
export function findRoute(routes: readonly Route[], method: string, path: string): Match | undefined {
  for (const route of routes) {
    if (route.method !== method) continue;
    const id = idOf(route.path, path);
    if (id !== undefined) return { route, id };
  }
  return undefined;
}
