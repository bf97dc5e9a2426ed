import { encodeWav } from '../../audio/wav.ts';
import { GatewayError, toError } from '../../core/errors.ts';
import type { OutboundClient } from '../../core/outbound-client.ts';
import { ApiError } from '../api-error.ts';
import type { PlatformLog } from '../platform-log.ts';
import type { Engines } from '../engines/choose-engines.ts';
import { ENGINE_SAMPLE_RATE } from '../engines/engine.ts';
import { WorkQueue } from '../engines/work-queue.ts';
import type { MediaShelf } from '../media-shelf.ts';
import type { Job, JobType, Params } from '../state/records.ts';
import type { PlatformState } from '../state/state.ts';
import type { Webhooks } from '../webhooks.ts';
import { makeContent, sentencesOf } from './ai-content.ts';
import { readMedia } from './media-reader.ts';
import { splitSpeech } from './split-speech.ts';

export interface JobRunnerOptions {
  readonly state: PlatformState;
  readonly engines: Engines;
  readonly outbound: OutboundClient;
  readonly media: MediaShelf;
  readonly webhooks: Webhooks;
  readonly log: PlatformLog;
  readonly stopping: AbortSignal;
}

const CONCURRENT_JOBS = 2;
const MAX_WAITING_JOBS = 100;
const MAX_MEDIA_BYTES = 64 * 1_048_576;
const FETCH_WITHIN_MS = 60_000;

type Work = (job: Job, progress: (part: number) => void) => Promise<Params>;

/** Does jobs, two at a time, with the engines of the platform. */
export class JobRunner {
  readonly #options: JobRunnerOptions;
  readonly #queue = new WorkQueue({ concurrent: CONCURRENT_JOBS, maxWaiting: MAX_WAITING_JOBS });
  #waiting = 0;
  readonly #work: Readonly<Record<JobType, Work>> = {
    TRANSCRIPTION: (job, progress) => this.#transcribe(String(job.request['mediaUrl']), progress),
    TEXT_TO_SPEECH: (job, progress) => this.#speak(String(job.request['text']), progress),
    AI_CONTENT: (job, progress) => this.#makeContent(job.request, progress),
  };

  constructor(options: JobRunnerOptions) {
    this.#options = options;
  }

  /** Starts a job. @throws ApiError 503 - too many wait. */
  start(type: JobType, request: Params): Job {
    if (this.#waiting >= MAX_WAITING_JOBS) throw new ApiError(503, 'Too many jobs wait');
    const { state, log, stopping } = this.#options;
    const made = state.make({
      type,
      status: 'PENDING' as const,
      progress: 0,
      request,
      jobResponse: null,
      error: null,
    });
    const job = state.jobs.put({ ...made, jobId: made.id });
    this.#waiting++;
    void this.#queue
      .run(() => this.#run(job.id), stopping)
      .catch((thrown: unknown) => this.#fail(job.id, thrown))
      .catch((thrown: unknown) =>
        log.error({ error: toError(thrown).message }, 'the end of a job could not be stored'),
      );
    return job;
  }

  /** Resolves when nothing is under way any more, which ends when the platform stops. */
  settled(): Promise<void> {
    return this.#queue.settled();
  }

  async #run(id: string): Promise<void> {
    const { state } = this.#options;
    this.#waiting--;
    const job = this.#change(state.jobs.get(id), { status: 'PROCESSING', progress: 5 });
    try {
      const jobResponse = await this.#work[job.type](job, (part) => {
        this.#change(state.jobs.get(id), { progress: Math.round(5 + 90 * part) });
      });
      this.#change(state.jobs.get(id), { status: 'COMPLETED', progress: 100, jobResponse });
    } catch (thrown) {
      this.#fail(id, thrown);
    }
    this.#tell(state.jobs.get(id));
  }

  #fail(id: string, thrown: unknown): void {
    const { state, log, stopping } = this.#options;
    const isOurs = thrown instanceof ApiError || thrown instanceof GatewayError;
    if (!isOurs && !stopping.aborted) log.error({ error: toError(thrown).message }, 'a job failed');
    const error = isOurs ? (thrown instanceof GatewayError ? thrown.found : thrown.message) : 'Internal server error';
    this.#change(state.jobs.get(id), { status: 'FAILED', error });
  }

  #change(job: Job, changes: Partial<Job>): Job {
    return this.#options.state.jobs.put(this.#options.state.change(job, changes));
  }

  #tell(job: Job): void {
    const url = job.request['webhookUrl'];
    if (typeof url === 'string' && url !== '') this.#options.webhooks.onJobDone(job, url);
  }

  async #transcribe(mediaUrl: string, progress: (part: number) => void): Promise<{ text: string; durationMs: number }> {
    const { outbound, engines, stopping } = this.#options;
    const request = { url: mediaUrl, timeoutMs: FETCH_WITHIN_MS, maxBytes: MAX_MEDIA_BYTES, signal: stopping };
    const { status, body } = await outbound.request(request);
    if (status !== 200) throw new ApiError(400, `The media URL answered ${status}`);
    progress(0.1);
    const pcm = await readMedia(body, stopping);
    const pieces = splitSpeech(pcm, ENGINE_SAMPLE_RATE);
    const texts: string[] = [];
    for (const [index, piece] of pieces.entries()) {
      progress(0.2 + (0.8 * index) / pieces.length);
      const text = await engines.ears.transcribe(piece, stopping);
      if (text !== '') texts.push(text);
    }
    return { text: texts.join(' '), durationMs: Math.round((pcm.length * 1000) / ENGINE_SAMPLE_RATE) };
  }

  async #speak(text: string, progress: (part: number) => void): Promise<Params> {
    const { engines, media, stopping } = this.#options;
    const sentences = sentencesOf(text);
    const spoken: Int16Array[] = [];
    for (const [index, sentence] of sentences.entries()) {
      progress(index / sentences.length);
      spoken.push((await engines.voice.speak(sentence, stopping)).pcm);
    }
    const samples = spoken.reduce((sum, { length }) => sum + length, 0);
    const pcm = new Int16Array(samples);
    let at = 0;
    for (const part of spoken) {
      pcm.set(part, at);
      at += part.length;
    }
    const mediaUrl = media.add(encodeWav(pcm, ENGINE_SAMPLE_RATE));
    return { mediaUrl, durationMs: Math.round((samples * 1000) / ENGINE_SAMPLE_RATE) };
  }

  async #makeContent(request: Params, progress: (part: number) => void): Promise<Params> {
    const { text, mediaUrl, parts } = request;
    const source = typeof text === 'string' ? text : (await this.#transcribe(String(mediaUrl), progress)).text;
    return { parts: makeContent(source, parts as readonly string[] | undefined) };
  }
}
