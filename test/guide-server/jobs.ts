import { ok } from './answers.ts';
import type { GuideState } from './state.ts';
import type { Answer, RequestContext, Route } from './types.ts';
import { requireBody, requireReferred } from './validate.ts';

/**
 * Section "Media Processing (Jobs)". The guide gives no field for these rows. A job is answered
 * with its id, the fields that were sent, and `status`, which is the one name that "Get job status"
 * implies. It is PENDING when it is created and COMPLETED from the first question about it on.
 * A job has no result, because the guide names no field for one.
 */
export function jobRoutes(state: GuideState): readonly Route[] {
  const { jobs } = state;

  function create(context: RequestContext): Answer {
    return ok(jobs.add({ ...requireBody(context), status: 'PENDING' }));
  }

  return [
    // The media of a transcription may come as JSON or as multipart/form-data.
    { method: 'POST', path: '/v1/jobs/transcribe', acceptsMultipart: true, handle: create },
    { method: 'POST', path: '/v1/jobs/text-to-speech', handle: create },
    { method: 'POST', path: '/v1/jobs/ai-content', handle: create },
    {
      // The row has no id in its path; the job is found by its id in any query parameter.
      method: 'GET',
      path: '/v1/jobs',
      handle: (context) => {
        const job = requireReferred(context, (text) => jobs.find(text), 'Job');
        return ok(jobs.update(job.id, { status: 'COMPLETED' }));
      },
    },
    // The guide names no filter for the list; a body is accepted and has no effect.
    { method: 'POST', path: '/v1/jobs/all', handle: () => ok(jobs.list()) },
  ];
}
