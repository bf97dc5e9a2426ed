import { ApiError } from '../api-error.ts';
import type { PlatformContext } from '../context.ts';
import { deliver, TornError } from '../delivery.ts';
import type { Fault } from '../faults.ts';
import { speak } from '../speech.ts';
import { bytesPerSecond } from '../speech-request.ts';
import type { LiveAudio } from '../state/live-audio.ts';
import { wait } from '../wait.ts';
import { markFrame, mediaFrame } from './agent-frames.ts';
import type { Link } from './link.ts';

const FORMAT = { format: 'linear16', sampleRate: 16_000 } as const;
const BYTES_PER_SECOND = bytesPerSecond(FORMAT);
/** 40 ms a frame. */
const CHUNK_BYTES = [BYTES_PER_SECOND / 25];
/** How long after its estimated end the mark of an answer is waited for. */
const MARK_LATE_MS = 2000;

/** What the agent says: sent a little ahead of real time, and taken back when the caller interrupts. */
export class AgentVoice {
  readonly #link: Link;
  /** For those who listen in. */
  readonly #audio: LiveAudio | undefined;
  readonly #context: PlatformContext;
  readonly #ended: AbortSignal;
  #sending: AbortController | undefined;
  /** When the client will have played what was sent, as far as can be told. */
  #playedAtMs = 0;
  #answers = 0;
  /** Name of the last mark until it comes back. */
  #mark: string | undefined;

  constructor(link: Link, audio: LiveAudio | undefined, context: PlatformContext, ended: AbortSignal) {
    this.#link = link;
    this.#audio = audio;
    this.#context = context;
    this.#ended = ended;
  }

  /**
   * Speech for the first of `texts` that the voice can say; no speech for the first if it can say none.
   *
   * @throws ApiError 500 or 503 - the voice fails for another reason.
   */
  async synthesize(
    texts: readonly string[],
    fault: Fault | undefined,
  ): Promise<{ readonly text: string; readonly body?: Uint8Array }> {
    for (const text of texts) {
      try {
        return { text, body: await speak(this.#context, 'agent', { text, ...FORMAT }, fault, this.#ended) };
      } catch (thrown) {
        if (!(thrown instanceof ApiError) || thrown.status !== 400) throw thrown;
      }
    }
    this.#context.log.warn({ via: 'agent' }, 'the voice can not say this answer, which goes without audio');
    return { text: texts[0] ?? '' };
  }

  /** Sends an answer and its mark. What a broken link leaves over follows when the client is back. */
  async speak(body: Uint8Array, fault: Fault | undefined): Promise<void> {
    this.#sending = new AbortController();
    this.#audio?.say('Agent', new Int16Array(body.buffer, body.byteOffset, body.length >> 1));
    const signal = AbortSignal.any([this.#sending.signal, this.#ended]);
    try {
      await this.#send(body, fault, signal);
    } catch (thrown) {
      if (!(thrown instanceof TornError) || fault?.fault !== 'torn') throw thrown;
      this.#link.drop();
      await this.#send(body.subarray(fault.bytes), undefined, signal);
    }
    this.#sending = undefined;
    if (signal.aborted) return;
    this.#mark = `answer-${++this.#answers}`;
    await this.#link.deliver(markFrame(this.#mark), this.#ended);
  }

  /** The caller speaks. @returns whether there was something to take back. */
  interrupt(): boolean {
    if (!this.#isAudible) return false;
    this.#sending?.abort();
    this.#audio?.interrupt('Agent');
    this.#playedAtMs = 0;
    this.#mark = undefined;
    return true;
  }

  /** The client has played everything before this mark. */
  played(mark: string): void {
    if (mark === this.#mark) this.#mark = undefined;
  }

  /** Resolves when the client has played everything, or must have. */
  async untilPlayed(): Promise<void> {
    const { clock } = this.#context;
    while (this.#isAudible && !this.#ended.aborted) await wait(clock, 50, this.#ended);
  }

  /** Whether the client has audio that it may not have played. */
  get #isAudible(): boolean {
    const nowMs = this.#context.clock.nowMs();
    return this.#sending !== undefined || (this.#mark !== undefined && nowMs < this.#playedAtMs + MARK_LATE_MS);
  }

  async #send(body: Uint8Array, fault: Fault | undefined, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    const delivery = {
      body,
      fault,
      clock,
      signal,
      speed: 1,
      chunkBytes: CHUNK_BYTES,
      bytesPerSecond: fault?.fault === 'burst' ? undefined : BYTES_PER_SECOND,
    };
    for await (const chunk of deliver(delivery)) {
      await this.#link.deliver(mediaFrame(chunk), signal);
      this.#playedAtMs = Math.max(this.#playedAtMs, clock.nowMs()) + (chunk.length * 1000) / BYTES_PER_SECOND;
    }
  }
}
