/** Speech to text. */
export interface Ears {
  readonly name: string;
  /**
   * What was said in one utterance; `''` if nothing was understood.
   *
   * @param pcm - mono at 16 kHz; stays unchanged until the promise settles.
   * @throws ApiError 503 - too many utterances wait; 500 - the engine failed or took too long.
   */
  transcribe(pcm: Int16Array, signal: AbortSignal): Promise<string>;
  /** Resolves when nothing is under way any more, processes and files included. Ends nothing by itself. */
  settled(): Promise<void>;
}

/** Text to speech. */
export interface Voice {
  readonly name: string;
  /**
   * @throws ApiError 400 - the voice can not say this text; 503 - too many texts wait; 500 - the engine failed or took
   *   too long.
   */
  speak(text: string, signal: AbortSignal): Promise<Spoken>;
  /** As for {@link Ears}. */
  settled(): Promise<void>;
}

export interface Spoken {
  /** Mono at {@link ENGINE_SAMPLE_RATE}; the caller owns it. */
  readonly pcm: Int16Array;
  /** Which engine it was, for the log. */
  readonly engine: string;
}

/** What engines hear and speak in. */
export const ENGINE_SAMPLE_RATE = 16_000;
