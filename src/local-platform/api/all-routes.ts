import type { PlatformContext } from '../context.ts';
import { campaignRoutes } from '../routes/campaigns.ts';
import { conversationRoutes } from '../routes/conversations.ts';
import { extraRoutes } from '../routes/extras.ts';
import { jobRoutes } from '../routes/jobs.ts';
import { knowledgeBaseRoutes } from '../routes/knowledge-base.ts';
import { phoneNumberRoutes } from '../routes/phone-numbers.ts';
import { realtimeSttRoutes } from '../routes/realtime-stt.ts';
import { realtimeTtsRoutes } from '../routes/realtime-tts.ts';
import { voiceAgentRoutes } from '../routes/voice-agents.ts';
import { webToolRoutes } from '../routes/web-tools.ts';
import type { Route } from './route.ts';

/** Every endpoint of the REST API. */
export function allRoutes(context: PlatformContext): Route[] {
  return [
    voiceAgentRoutes,
    phoneNumberRoutes,
    knowledgeBaseRoutes,
    webToolRoutes,
    campaignRoutes,
    conversationRoutes,
    jobRoutes,
    realtimeSttRoutes,
    realtimeTtsRoutes,
    extraRoutes,
  ].flatMap((routes) => routes(context));
}
