import { z } from 'zod';
import { GatewayError } from '../../../core/errors.ts';
import { isRecord, platformError } from '../../platform-errors.ts';
import type { AudioStream } from '../audio-stream.ts';
import type { Caller, CallOptions } from '../caller.ts';
import type { Endpoint } from '../endpoint.ts';
import { ENDPOINTS } from '../endpoints.ts';

const endpoints = ENDPOINTS.realtime;

export interface SpeechSettings {
  readonly text: string;
  readonly voiceId?: string;
  readonly speaker?: string;
  readonly dialect?: string;
  readonly speed?: number;
  readonly pitch?: number;
  /** `8k` or `16k`. */
  readonly sampleRate?: string;
  /** 8 bit µ-law at 8 kHz instead of 16 bit samples. */
  readonly mulaw?: boolean;
  readonly [field: string]: unknown;
}

export interface Speech {
  /** A WAV file or bare samples, as the platform sent it. */
  readonly audio: Uint8Array;
  readonly contentType: string | undefined;
}

export interface Utterance {
  /** A WAV file: the platform takes nothing else. */
  readonly audio: Uint8Array;
  readonly language: string;
  readonly model?: string;
  readonly isEosEnabled?: boolean;
  readonly eosThreshold?: number;
  readonly [field: string]: unknown;
}

/** `{text}`, a list of them, or bare text. */
const transcript: z.ZodType<{ readonly text: string }> = z.preprocess(
  (data) => {
    if (typeof data === 'string') return { text: data };
    if (!Array.isArray(data)) return data;
    const texts = data.map((part) => (isRecord(part) ? part['text'] : part));
    return { text: texts.every((part) => typeof part === 'string') ? texts.join(' ') : undefined };
  },
  z.looseObject({ text: z.string() }),
);

/** Speech at once. All methods throw as {@link Caller.json} does. */
export class Realtime {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * A text as speech, all of it at once.
   *
   * @throws GatewayError `ERR_TTS_EMPTY` - there is no audio in the answer.
   */
  async tts(speech: SpeechSettings, options?: CallOptions): Promise<Speech> {
    const stream = await this.#speak(endpoints.tts, speech, options);
    const audio = await stream.bytes();
    if (audio.length === 0) throw new GatewayError('ERR_TTS_EMPTY', 'the platform answered with no audio');
    return { audio, contentType: stream.contentType };
  }

  /** A text as speech, as it is made. `options.signal` ends it. */
  ttsStream(speech: SpeechSettings, options?: CallOptions): Promise<AudioStream> {
    return this.#speak(endpoints.ttsStream, speech, options);
  }

  /** The transcript of one utterance. */
  stt({ audio, ...rest }: Utterance, options?: CallOptions): Promise<{ readonly text: string }> {
    const { buffer, byteOffset, byteLength } = audio;
    const audioBase64 = Buffer.from(buffer, byteOffset, byteLength).toString('base64');
    return this.#caller.json(
      endpoints.stt,
      { body: { audioBase64, isEosEnabled: false, ...rest } },
      transcript,
      options,
    );
  }

  async #speak(endpoint: Endpoint, body: SpeechSettings, options?: CallOptions): Promise<AudioStream> {
    const { audio } = await this.#caller.audio(endpoint, { body }, options);
    if (audio !== undefined) return audio;
    throw platformError('ERR_PLATFORM_PROTOCOL', 'the platform answered a text where audio was asked for');
  }
}
