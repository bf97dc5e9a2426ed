import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { SpeechStream } from '../platform/speech-stream.ts';
import { minimumDurationMs } from './speech-duration.ts';

/** How much is held back at most. What is cut later is told when it ends. */
const MAX_HELD_MS = 300;
/** For how long at most from the first byte: the end of a reply that the platform cuts follows its audio at once. */
const HOLD_MS = 6;
/** Less is not played in any case, so holding it back costs nothing. */
const MIN_RELEASED_MS = 40;

type Result = IteratorResult<Int16Array, unknown>;

/**
 * Speech that is known not to be far too short for its text, or to go on: its start is held back until then. A platform
 * under pressure cuts replies after 20 ms or so, ends them in good order and says nothing.
 */
export class CheckedSpeech implements SpeechStream {
  readonly sampleRate: number;
  readonly #firstByteAtMs: number | undefined;
  readonly #chunks: AsyncIterator<Int16Array, unknown>;
  readonly #neededMs: number;
  readonly #onShort: () => void;
  readonly #held: Int16Array[] = [];
  /** What was asked for and has not been taken. */
  #next: Promise<Result> | undefined;
  #samples = 0;

  /** `onShort` is told once when the speech turns out to be too short. */
  constructor(speech: SpeechStream, text: string, onShort: () => void) {
    this.sampleRate = speech.sampleRate;
    this.#firstByteAtMs = speech.firstByteAtMs;
    this.#chunks = speech[Symbol.asyncIterator]();
    this.#neededMs = minimumDurationMs(text);
    this.#onShort = onShort;
  }

  /**
   * Resolves when enough has come to be sure, or when it goes on; to be awaited before it is iterated.
   *
   * @throws GatewayError `ERR_TTS_SHORT`, or what the speech itself throws.
   */
  async hold(clock: Clock): Promise<void> {
    const enoughMs = Math.min(this.#neededMs, MAX_HELD_MS);
    const nowMs = clock.nowMs();
    const untilMs = (this.#firstByteAtMs ?? nowMs) + HOLD_MS;
    let timer: Timer | undefined;
    const late = new Promise<'late'>((resolve) => {
      // After the turn of the event loop in which its end may be read.
      timer = clock.after(untilMs - nowMs, () => setImmediate(resolve, 'late'));
    });
    try {
      while (this.#durationMs < enoughMs) {
        const mayBePlayed = this.#durationMs >= MIN_RELEASED_MS;
        if (mayBePlayed && clock.nowMs() >= untilMs) return;
        const next = this.#ask();
        const result = await (mayBePlayed ? Promise.race([next, late]) : next);
        if (result === 'late') return;
        const pcm = this.#take(result);
        if (pcm) this.#held.push(pcm);
      }
    } finally {
      timer?.cancel();
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Int16Array, undefined> {
    try {
      yield* this.#held.splice(0);
      for (let pcm = this.#take(await this.#ask()); pcm; pcm = this.#take(await this.#ask())) yield pcm;
    } finally {
      await this.#chunks.return?.();
    }
    return undefined;
  }

  get #durationMs(): number {
    return (this.#samples * 1000) / this.sampleRate;
  }

  #ask(): Promise<Result> {
    if (!this.#next) {
      this.#next = this.#chunks.next();
      // Whoever waits for it is told of a failure; that may be later, or nobody.
      this.#next.catch(() => {});
    }
    return this.#next;
  }

  /** @returns undefined at the end of the speech. @throws GatewayError `ERR_TTS_SHORT` - which came too early. */
  #take({ done, value }: Result): Int16Array | undefined {
    this.#next = undefined;
    if (!done) {
      this.#samples += value.length;
      return value;
    }
    if (this.#durationMs >= this.#neededMs) return undefined;
    this.#onShort();
    const found = `the platform answered ${Math.round(this.#durationMs)} ms of audio`;
    throw new GatewayError('ERR_TTS_SHORT', {
      found,
      needed: `at least ${Math.round(this.#neededMs)} ms for the text`,
    });
  }
}
