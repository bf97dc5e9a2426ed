import { Resampler } from '../audio/resampler.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import type { OpenSpeech, SpeechPriority, SpeechRequest, SpeechStream } from '../platform/speech-stream.ts';
import type { SENTENCE_END } from './playback.ts';
import type { PromptCache } from './prompt-cache.ts';
import { markSentences } from './sentence-marks.ts';
import { SpeechPace } from './speech-duration.ts';
import { SpeechRequester } from './speech-requester.ts';
import { planRequests } from './text-splitter.ts';

export interface SynthesizerOptions {
  /** `TtsStreamClient.openSpeech` or `SpeechSockets.openSpeech`. */
  readonly openSpeech: OpenSpeech;
  readonly clock: Clock;
  /** Used when a text names none. */
  readonly voice: string;
  readonly dialect?: string | undefined;
  readonly language?: string | undefined;
  /** What was said before. Default: everything is asked for anew. */
  readonly prompts?: PromptCache;
}

export interface SpeakOptions extends SpeechPriority {
  readonly voice?: string | undefined;
  /** What the receiver needs, in Hz. */
  readonly sampleRate: number;
}

export interface SynthesizerStatistics {
  readonly requests: number;
  readonly retries: number;
  /** Answers whose audio was missing or far too short for their text. */
  readonly short: number;
  /** Texts that ended in an error, given up ones aside. */
  readonly failed: number;
}

/**
 * Asked for whatever the leg needs, and resampled here. It is what the platform sends when nothing is asked, so that a
 * server that does not know `sampleRate` is still played at the right speed: bare samples do not tell their rate.
 */
const REQUESTED_RATE = 16_000;

/** Turns texts into speech at the rate a leg needs. */
export class Synthesizer {
  readonly #options: SynthesizerOptions;
  readonly #requester: SpeechRequester;
  readonly #pace = new SpeechPace();
  #failed = 0;

  constructor(options: SynthesizerOptions) {
    this.#options = options;
    this.#requester = new SpeechRequester(options);
  }

  get statistics(): SynthesizerStatistics {
    const { requests, retries, short } = this.#requester;
    return { requests, retries, short, failed: this.#failed };
  }

  /**
   * `text` as 16 bit mono at `options.sampleRate`, as it comes, with `SENTENCE_END` behind the audio of each sentence;
   * the receiver owns every chunk. Nothing is asked for before the first chunk is. The sentences of a long text share a
   * few requests, of which the next is made when the first audio of the one before has come. A request that fails
   * before its first audio, and may succeed, is made again; so is one whose audio is far too short. Leaving the loop,
   * or aborting the signal, ends all requests.
   *
   * Iterating throws GatewayError `ERR_PLATFORM_*`, `ERR_TTS_*`, `ERR_QUOTA_WAIT` or `ERR_ABORTED`.
   */
  async *speak(text: string, options: SpeakOptions): AsyncGenerator<Int16Array | typeof SENTENCE_END, undefined> {
    const given = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, given.signal]) : given.signal;
    const requests = planRequests(text);
    const open = (index: number): Promise<SpeechStream> | undefined => {
      const sentences = requests[index];
      const opening = sentences && this.#open(sentences, { ...options, signal });
      // A failure of what is asked for ahead is told when its turn comes.
      opening?.catch(() => {});
      return opening;
    };
    try {
      let ahead = open(0);
      for (const [index, sentences] of requests.entries()) {
        const stream = await ahead;
        if (!stream) break;
        ahead = open(index + 1);
        const { sampleRate } = options;
        const speech = stream.sampleRate === sampleRate ? stream : resample(stream, sampleRate);
        yield* markSentences(speech, sentences, sampleRate, this.#pace);
      }
    } catch (error) {
      if ((error as GatewayError).code !== 'ERR_ABORTED') this.#failed++;
      throw error;
    } finally {
      given.abort();
    }
    return undefined;
  }

  /**
   * Fetches the speech of `text` unless it is kept already, and keeps it on disk and in memory, so that it can be spoken
   * at any time: also while the platform is away.
   *
   * @throws TypeError - the synthesizer keeps nothing. @throws GatewayError as {@link speak} does.
   */
  async preload(text: string, options: Omit<SpeakOptions, 'sampleRate'> = {}): Promise<void> {
    const { prompts } = this.#options;
    if (!prompts) throw new TypeError('Expected a synthesizer with prompts to preload a text');
    for (const sentences of planRequests(text)) {
      const request = this.#requestFor(sentences, options.voice);
      await prompts.pin(request, () => this.#requester.open(request, { priority: 'batch', ...options }));
    }
  }

  #open(sentences: readonly string[], { voice, signal, priority }: SpeakOptions): Promise<SpeechStream> {
    const request = this.#requestFor(sentences, voice);
    const ask = (): Promise<SpeechStream> => this.#requester.open(request, { signal, priority });
    return this.#options.prompts?.speech(request, signal, ask) ?? ask();
  }

  #requestFor(sentences: readonly string[], voice: string = this.#options.voice): SpeechRequest {
    const { dialect, language } = this.#options;
    return {
      text: sentences.join('').trim(),
      voice,
      ...(dialect === undefined ? {} : { dialect }),
      ...(language === undefined ? {} : { language }),
      sampleRate: REQUESTED_RATE,
    };
  }
}

/**
 * The stream at another rate, as long as before: what the filter delays is taken from its front. Where it breaks off,
 * all that came before is still yielded.
 */
async function* resample(stream: SpeechStream, outputRate: number): AsyncGenerator<Int16Array, undefined> {
  let resampler: Resampler | undefined;
  let early = 0;
  let failure: Error | undefined;
  try {
    for await (const pcm of stream) {
      if (!resampler) {
        resampler = newResampler(stream.sampleRate, outputRate);
        early = resampler.delaySamples;
      }
      const output = new Int16Array(resampler.outputSamplesFor(pcm.length));
      resampler.process(pcm, output);
      const dropped = Math.min(early, output.length);
      early -= dropped;
      if (dropped < output.length) yield output.subarray(dropped);
    }
  } catch (thrown) {
    failure = toError(thrown);
  }
  if (resampler) {
    const tail = new Int16Array(resampler.delaySamples);
    resampler.flush(tail);
    yield tail.subarray(early);
  }
  if (failure) throw failure;
  return undefined;
}

function newResampler(inputRate: number, outputRate: number): Resampler {
  try {
    return new Resampler({ inputRate, outputRate });
  } catch (cause) {
    throw new GatewayError('ERR_PLATFORM_PROTOCOL', { found: `the platform answered audio at ${inputRate} Hz`, cause });
  }
}
