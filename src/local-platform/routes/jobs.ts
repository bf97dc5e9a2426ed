import { z } from 'zod';
import { job, listOf } from '../api/answers.ts';
import { type Fields, idField, name, pageOf, pageQuery, requireText, webAddress } from '../api/fields.ts';
import { type Route, route } from '../api/route.ts';
import type { PlatformContext } from '../context.ts';

/** Twenty minutes of speech. */
const MAX_TEXT_CHARACTERS = 20_000;

const words = z.string().trim().min(1).max(MAX_TEXT_CHARACTERS);
const transcribe: z.ZodType<Fields> = z.looseObject({
  mediaUrl: webAddress.min(1),
  model: z.string().max(256).optional(),
  language: z.string().max(64).optional(),
  webhookUrl: webAddress.nullish(),
});
const speak: z.ZodType<Fields> = z.looseObject({
  text: words,
  voiceId: z.string().max(512).optional(),
  webhookUrl: webAddress.nullish(),
});
export const contentBody: z.ZodType<Fields> = z.looseObject({
  mediaUrl: webAddress.optional(),
  text: words.optional(),
  parts: z.array(name).max(100).optional(),
  webhookUrl: webAddress.nullish(),
});
export const byJobId: z.ZodType<Fields> = z.looseObject({ jobId: idField.optional(), id: idField.optional() });

/** Work that takes its time. */
export function jobRoutes({ state, jobs: runner }: PlatformContext): Route[] {
  return [
    route({
      operation: 'jobs.transcribe',
      method: 'POST',
      path: '/v1/jobs/transcribe',
      about: 'Transcribe audio or video.',
      body: transcribe,
      answer: job,
      handle: ({ body }) => runner.start('TRANSCRIPTION', body),
    }),
    route({
      operation: 'jobs.textToSpeech',
      method: 'POST',
      path: '/v1/jobs/text-to-speech',
      about: 'Make speech of a text.',
      body: speak,
      answer: job,
      handle: ({ body }) => runner.start('TEXT_TO_SPEECH', body),
    }),
    route({
      operation: 'jobs.aiContent',
      method: 'POST',
      path: '/v1/jobs/ai-content',
      about: 'Make documents of media or a text.',
      body: contentBody,
      answer: job,
      handle: ({ body }) => {
        requireText(body, 'text', 'mediaUrl');
        return runner.start('AI_CONTENT', body);
      },
    }),
    route({
      operation: 'jobs.get',
      method: 'GET',
      path: '/v1/jobs',
      about: 'Show a job.',
      query: byJobId,
      answer: job,
      handle: ({ query }) => state.jobs.get(requireText(query, 'jobId', 'id')),
    }),
    route({
      operation: 'jobs.list',
      method: 'POST',
      path: '/v1/jobs/all',
      about: 'List the jobs, the newest first.',
      body: pageQuery,
      answer: listOf(job),
      handle: ({ body }) => pageOf(state.jobs.all().reverse(), body, ['status', 'type']),
    }),
  ];
}
