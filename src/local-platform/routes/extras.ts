import { z } from 'zod';
import { details, job, listOf, phoneNumber, webTool } from '../api/answers.ts';
import {
  type Fields,
  findText,
  idField,
  invalid,
  name,
  pageOf,
  pageQuery,
  periodOf,
  requireText,
} from '../api/fields.ts';
import { type Route, route } from '../api/route.ts';
import type { PlatformContext } from '../context.ts';
import type { VoiceDictionary } from '../state/records.ts';
import { byJobId, jobRoutes } from './jobs.ts';
import { phoneNumberRoutes } from './phone-numbers.ts';
import { voiceAgentRoutes } from './voice-agents.ts';
import { webToolRoutes } from './web-tools.ts';

const VOICES: readonly string[] = [
  'Amjad',
  'Lyali',
  'Salma',
  'Mariam',
  'Dalal',
  'Lana',
  'Jasem',
  'Samir',
  'Carla',
  'Nada',
  'Majd',
  'Salem',
];
const CHARACTERS_PER_UNIT = 1000;

const period: z.ZodType<Fields> = z.looseObject({
  voiceAgentId: idField.exactOptional(),
  startDate: z.string().max(64).exactOptional(),
  endDate: z.string().max(64).exactOptional(),
});
const preload: z.ZodType<Fields & { voiceId: string }> = z.looseObject({ voiceId: idField });
type Dictionary = Fields & Partial<Pick<VoiceDictionary, 'name' | 'words'>>;
const createDictionary: z.ZodType<Dictionary & { name: string }> = z.looseObject({
  name,
  words: z.unknown().exactOptional(),
});
const updateDictionary: z.ZodType<Dictionary> = z.looseObject({
  name: name.exactOptional(),
  words: z.unknown().exactOptional(),
});
const dictionary = z.looseObject({ id: z.uuid(), name: z.string(), words: z.unknown() });
const voice = z.looseObject({ id: z.string(), name: z.string() });

/** What the guide does not have. Some are other names of what it has. */
export function extraRoutes(context: PlatformContext): Route[] {
  const { state, clock } = context;
  const known = [voiceAgentRoutes, phoneNumberRoutes, webToolRoutes, jobRoutes].flatMap((routes) => routes(context));
  /** The route `operation` under another name and path. */
  const also = (operation: string, path: string, newName: string): Route => ({
    ...known.find((candidate) => candidate.operation === operation)!,
    operation: `extras.${newName}`,
    path,
    isExtra: true,
  });
  const read = (operation: string, path: string, about: string, tell: (query: Fields) => object): Route =>
    route({
      operation: `extras.${operation}`,
      isExtra: true,
      method: 'GET',
      path,
      about,
      query: period,
      answer: details,
      handle: ({ query }) => tell(query),
    });
  const calls = (query: Fields): CallFigures => figuresOf(context, query);
  return [
    route({
      operation: 'extras.voices',
      isExtra: true,
      method: 'GET',
      path: '/v2/tts/voices/catalog',
      about: 'List the voices.',
      query: pageQuery,
      answer: listOf(voice),
      handle: ({ query }) =>
        pageOf(
          VOICES.map((speaker) => ({ id: speaker, name: speaker })),
          query,
          ['name'],
        ),
    }),
    route({
      operation: 'extras.preloadVoice',
      isExtra: true,
      method: 'POST',
      path: '/v2/tts/voices/custom/preload',
      about: 'Load a cloned voice.',
      body: preload,
      answer: details,
      handle: ({ body: { voiceId } }) => ({ voiceId, status: 'READY' }),
    }),
    also('phoneNumbers.list', '/v1/voice-agents/phone-number/list', 'listPhoneNumbers'),
    also('phoneNumbers.call', '/v1/voice-agents/twilio/call', 'callTwilioNumber'),
    route({
      operation: 'extras.assignTwilioNumber',
      isExtra: true,
      method: 'POST',
      path: '/v1/voice-agents/twilio/assign-number',
      about: 'Give a Twilio number to a voice agent.',
      body: z.looseObject({ number: z.string().exactOptional(), voiceAgentId: idField }),
      answer: phoneNumber,
      handle: ({ body }) => {
        const { id: voiceAgentId } = state.agents.get(requireText(body, 'voiceAgentId'));
        const stored = state.phoneNumbers.find(findText(body, 'phoneNumberId', 'id') ?? '');
        const number = stored?.number ?? requireText(body, 'number', 'phoneNumberId');
        const chosen = stored ?? state.phoneNumbers.all().find((other) => other.number === number);
        if (chosen === undefined) return state.phoneNumbers.put(state.make({ number, voiceAgentId }));
        return state.phoneNumbers.put(state.change(chosen, { voiceAgentId }));
      },
    }),
    also('webTools.create', '/v2/voice-agents/web-tool', 'createWebTool'),
    also('webTools.list', '/v2/voice-agents/web-tool/list', 'listWebTools'),
    also('webTools.update', '/v2/voice-agents/web-tool/{id}', 'updateWebTool'),
    route({
      operation: 'extras.getWebTool',
      isExtra: true,
      method: 'GET',
      path: '/v2/voice-agents/web-tool/{id}',
      about: 'Show a web tool.',
      answer: webTool,
      handle: ({ id }) => state.webTools.get(id),
    }),
    route({
      operation: 'extras.createVoiceDictionary',
      isExtra: true,
      method: 'POST',
      path: '/v1/voice-agents/voice-dictionaries',
      about: 'Create a dictionary of pronunciations.',
      body: createDictionary,
      answer: dictionary,
      handle: ({ body }) => state.voiceDictionaries.put(state.make({ ...body, words: body.words ?? [] })),
    }),
    route({
      operation: 'extras.updateVoiceDictionary',
      isExtra: true,
      method: 'PATCH',
      path: '/v1/voice-agents/voice-dictionaries/{id}',
      about: 'Change a dictionary of pronunciations.',
      body: updateDictionary,
      answer: dictionary,
      handle: ({ id, body }) => state.voiceDictionaries.put(state.change(state.voiceDictionaries.get(id), body)),
    }),
    read('analyticsOverview', '/v1/agent-analytics/overview', 'How the voice agents did.', calls),
    read('analyticsPerformance', '/v1/agent-analytics/performance', 'How well they answered.', (query) => {
      const { completedCalls, totalCalls, averageDurationMs } = calls(query);
      return { successRate: totalCalls === 0 ? 0 : completedCalls / totalCalls, averageDurationMs };
    }),
    read('analyticsSatisfaction', '/v1/agent-analytics/satisfaction', 'How content the callers were.', (query) => {
      const { averageSentiment, completedCalls } = calls(query);
      return { averageSentiment, ratedCalls: completedCalls };
    }),
    read('project', '/v1/projects/by-api-key', 'Show the project of the key.', () => ({
      id: state.projectId,
      name: 'Local platform',
      tier: context.tier,
    })),
    read('statisticsChart', '/v1/projects/statistics/chart', 'Usage over time.', (query) => ({
      points: [{ date: new Date(clock.wallMs()).toISOString().slice(0, 10), calls: calls(query).totalCalls }],
    })),
    read('statisticsNumbers', '/v1/projects/statistics/numbers', 'Usage in numbers.', (query) => ({
      ...calls(query),
      agents: state.agents.size,
      phoneNumbers: state.phoneNumbers.size,
      jobs: state.jobs.size,
    })),
    route({
      operation: 'extras.getAiContent',
      isExtra: true,
      method: 'GET',
      path: '/v1/jobs/ai-content',
      about: 'Show the documents of a job.',
      query: byJobId,
      answer: job,
      handle: ({ query }) => {
        const found = state.jobs.get(requireText(query, 'jobId', 'id'));
        if (found.type !== 'AI_CONTENT') throw invalid('jobId', 'is of another kind of job');
        return found;
      },
    }),
    also('jobs.aiContent', '/v1/jobs/ai-content/custom', 'customAiContent'),
    route({
      operation: 'extras.estimateAiContent',
      isExtra: true,
      method: 'GET',
      path: '/v1/jobs/ai-content/estimate',
      about: 'What documents would cost.',
      query: z.looseObject({ text: z.string().exactOptional(), mediaUrl: z.string().exactOptional() }),
      answer: details,
      handle: ({ query }) => ({
        units: Math.ceil(requireText(query, 'text', 'mediaUrl').length / CHARACTERS_PER_UNIT),
      }),
    }),
  ];
}

interface CallFigures {
  readonly totalCalls: number;
  readonly completedCalls: number;
  readonly failedCalls: number;
  readonly averageDurationMs: number;
  readonly averageSentiment: number;
}

function figuresOf({ state }: PlatformContext, query: Fields): CallFigures {
  const isWanted = periodOf(query);
  const wanted = state.conversations.all().filter(({ voiceAgentId, startedAt }) => {
    return (query['voiceAgentId'] ?? voiceAgentId) === voiceAgentId && isWanted(startedAt);
  });
  const completed = wanted.filter(({ status }) => status === 'COMPLETED');
  const average = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / (values.length || 1);
  return {
    totalCalls: wanted.length,
    completedCalls: completed.length,
    failedCalls: wanted.filter(({ status }) => status === 'FAILED').length,
    averageDurationMs: average(completed.map(({ durationMs }) => durationMs ?? 0)),
    averageSentiment: average(completed.map(({ outcomeResult }) => Number(outcomeResult?.['sentiment_score'] ?? 0))),
  };
}
