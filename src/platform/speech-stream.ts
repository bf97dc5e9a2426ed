export interface SpeechPriority {
  /** Default `turn`: a caller waits for the answer to what he said. */
  readonly priority?: 'turn' | 'greeting' | 'batch' | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface SpeechRequest {
  /** At most 2,000 characters. */
  readonly text: string;
  /** A UUID or `voice_…` is sent as `voiceId`, anything else as `speaker`. */
  readonly voice: string;
  readonly dialect?: string | undefined;
  /** Of the text. Only the realtime socket knows it. */
  readonly language?: string | undefined;
  /** What is asked for; what comes is told by {@link SpeechStream.sampleRate}. */
  readonly sampleRate: 8000 | 16_000;
  /** Asks for µ-law at 8 kHz instead, half the bytes. It arrives decoded. */
  readonly mulaw?: boolean;
}

/**
 * Audio as it comes, 16 bit mono, to be iterated once. The receiver owns every chunk. Leaving the loop, or aborting the
 * signal it was opened with, ends the request at once.
 *
 * Iterating throws GatewayError `ERR_TTS_TORN` where the audio breaks off, after all that came was yielded, and
 * `ERR_ABORTED` once the signal is aborted.
 */
export interface SpeechStream extends AsyncIterable<Int16Array> {
  readonly sampleRate: number;
  /** When its first byte came, on the monotonic clock. Absent where it did not have to come. */
  readonly firstByteAtMs?: number;
}

/**
 * Asks for speech, by whatever transport; resolves when its first audio has come.
 *
 * Rejects with GatewayError `ERR_PLATFORM_*`, `ERR_TTS_*`, `ERR_QUOTA_WAIT` or `ERR_ABORTED`.
 */
export type OpenSpeech = (request: SpeechRequest, options: SpeechPriority) => Promise<SpeechStream>;

/** A voice that was cloned for the account: its id is a UUID. */
export function isClonedVoice(voice: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(voice);
}

/** The fields of a request that both transports have. */
export function speechPayload(request: SpeechRequest): Record<string, string | boolean> {
  const { text, voice, dialect, sampleRate, mulaw } = request;
  const isId = voice.startsWith('voice_') || isClonedVoice(voice);
  return {
    text,
    [isId ? 'voiceId' : 'speaker']: voice,
    ...(dialect === undefined ? {} : { dialect }),
    ...(mulaw ? { mulaw } : { sampleRate: sampleRate === 8000 ? '8k' : '16k' }),
  };
}
