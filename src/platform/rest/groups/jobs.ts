import { z } from 'zod';
import type { Clock } from '../../../core/clock.ts';
import { platformError } from '../../platform-errors.ts';
import type { Caller, CallOptions } from '../caller.ts';
import { ENDPOINTS } from '../endpoints.ts';
import { RequestWatch, sleep } from '../request-watch.ts';
import { aliased, id, type MaybeText, type Page, pageOf, text } from './answers.ts';

const endpoints = ENDPOINTS.jobs;
const FIRST_POLL_MS = 1_000;
const LAST_POLL_MS = 5_000;

export interface Job {
  /** Also `jobId`: the platform gives one or both. */
  readonly id: string;
  readonly jobId: string;
  readonly type?: MaybeText;
  /** `PENDING`, `COMPLETED`, `FAILED` and others on the way. */
  readonly status?: MaybeText;
  readonly jobResponse?: unknown;
  readonly [field: string]: unknown;
}

export interface TranscriptionJob {
  readonly mediaUrl: string;
  readonly model?: string;
  readonly language?: string;
  readonly webhookUrl?: string;
  readonly [field: string]: unknown;
}

export interface SpeechJob {
  readonly text: string;
  readonly voiceId: string;
  readonly [field: string]: unknown;
}

export interface ContentJob {
  readonly mediaUrl?: string;
  readonly text?: string;
  readonly parts?: readonly string[];
  readonly [field: string]: unknown;
}

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told the job each time it was asked for. */
  readonly onProgress?: ((job: Job) => void) | undefined;
  /** Default ten minutes. */
  readonly timeoutMs?: number | undefined;
}

const job: z.ZodType<Job> = aliased(
  { id: ['jobId'], jobId: ['id'] },
  z.looseObject({ id, jobId: id, type: text, status: text }),
);

const DONE = /^(completed?|done|finished|success|succeeded)$/i;
const FAILED = /^(failed|failure|error|cancel+ed|expired)$/i;

/** Work of the platform that takes its time. All methods throw as {@link Caller.json} does. */
export class Jobs {
  readonly #caller: Caller;
  readonly #clock: Clock;

  constructor(caller: Caller, clock: Clock) {
    this.#caller = caller;
    this.#clock = clock;
  }

  transcribe(body: TranscriptionJob, options?: CallOptions): Promise<Job> {
    return this.#caller.json(endpoints.transcribe, { body }, job, options);
  }

  textToSpeech(body: SpeechJob, options?: CallOptions): Promise<Job> {
    return this.#caller.json(endpoints.textToSpeech, { body }, job, options);
  }

  aiContent(body: ContentJob, options?: CallOptions): Promise<Job> {
    return this.#caller.json(endpoints.aiContent, { body }, job, options);
  }

  get(jobId: string, options?: CallOptions): Promise<Job> {
    return this.#caller.json(endpoints.get, { id: jobId }, job, options);
  }

  list(
    filter: { readonly page?: number; readonly limit?: number; readonly [field: string]: unknown } = {},
    options?: CallOptions,
  ): Promise<Page<Job>> {
    return this.#caller.json(endpoints.list, { body: filter }, pageOf(job), options);
  }

  /**
   * Asks for a job until it is done, each second at first and later every five.
   *
   * @returns the job that is done.
   * @throws GatewayError `ERR_PLATFORM_JOB` - it failed; `details` is the job. `ERR_PLATFORM_TIMEOUT` - it takes longer
   *   than `timeoutMs`. And as {@link Caller.json} does.
   */
  async waitFor(jobId: string, { signal, onProgress, timeoutMs = 600_000 }: WaitOptions = {}): Promise<Job> {
    const watch = new RequestWatch(this.#clock, [signal, this.#caller.closing], 'jobs.waitFor');
    watch.expect('the end of the job', timeoutMs);
    try {
      for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, LAST_POLL_MS)) {
        const current = await this.get(jobId, { signal: watch.signal, fresh: true });
        onProgress?.(current);
        const status = current.status ?? '';
        if (DONE.test(status)) return current;
        if (FAILED.test(status)) {
          throw platformError('ERR_PLATFORM_JOB', `the job '${jobId}' is ${status}`, { details: current });
        }
        await sleep(this.#clock, pollMs, watch.signal);
      }
    } finally {
      watch.end();
    }
  }
}
