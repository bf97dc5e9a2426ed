import { GatewayError } from '../../src/core/errors.ts';
import type { OpenSpeech, SpeechPriority, SpeechRequest, SpeechStream } from '../../src/platform/speech-stream.ts';
import { until } from '../support/until.ts';

/** One request for speech and its answer, which the test gives piece by piece. */
export class FakeSpeech {
  readonly request: SpeechRequest;
  readonly signal: AbortSignal | undefined;
  readonly #sampleRate: number;
  readonly #chunks: Int16Array[] = [];
  #end: 'open' | 'done' | Error = 'open';
  #wake: () => void = () => {};
  #open: (stream: SpeechStream) => void = () => {};
  #refuse: (error: Error) => void = () => {};
  readonly opening: Promise<SpeechStream>;

  constructor(request: SpeechRequest, { signal }: SpeechPriority, sampleRate: number) {
    this.request = request;
    this.signal = signal;
    this.#sampleRate = sampleRate;
    this.opening = new Promise((resolve, reject) => {
      this.#open = resolve;
      this.#refuse = reject;
    });
    signal?.addEventListener('abort', () => this.end(new GatewayError('ERR_ABORTED', 'given up')));
  }

  get isAborted(): boolean {
    return this.signal?.aborted === true;
  }

  /** The stream is there from the first audio on. */
  give(pcm: Int16Array): void {
    this.#chunks.push(pcm);
    this.#open({ sampleRate: this.#sampleRate, [Symbol.asyncIterator]: () => this.#read() });
    this.#wake();
  }

  end(error?: Error): void {
    if (this.#end !== 'open') return;
    this.#end = error ?? 'done';
    if (error) this.#refuse(error);
    this.#wake();
  }

  async *#read(): AsyncGenerator<Int16Array, undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk) yield chunk;
      else if (this.#end instanceof Error) throw this.#end;
      else if (this.#end === 'done') return undefined;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

/** A platform whose every answer the test gives. */
export class FakeSpeechSource {
  readonly requests: FakeSpeech[] = [];
  readonly #sampleRate: number;

  constructor(sampleRate = 8000) {
    this.#sampleRate = sampleRate;
  }

  readonly open: OpenSpeech = (request, options) => {
    const speech = new FakeSpeech(request, options, this.#sampleRate);
    this.requests.push(speech);
    return speech.opening;
  };

  /** Resolves with request `number`, counted from 1. */
  async request(number: number): Promise<FakeSpeech> {
    await until(() => this.requests.length >= number, `request ${number} for speech`);
    return this.requests[number - 1]!;
  }
}
