import { z } from 'zod';
import { G711 } from '../audio/g711.ts';
import { Resampler } from '../audio/resampler.ts';
import type { WavFormat } from '../audio/wav.ts';
import { ApiError, issuesOf } from './api-error.ts';
import { ENGINE_SAMPLE_RATE } from './engines/engine.ts';

const MAX_TEXT_CHARACTERS = 2000;

interface TtsPayload {
  readonly text: string;
  readonly mulaw?: boolean | undefined;
  readonly sampleRate?: '8k' | '16k' | undefined;
}

/** Fields that have no effect here (voices, `dialect`, `speed`, `pitch`, unknown ones) are accepted if well-formed. */
export const TtsPayload: z.ZodType<TtsPayload> = z.looseObject({
  text: z.string().trim().min(1).max(MAX_TEXT_CHARACTERS),
  voiceId: z.string().optional(),
  speaker: z.string().optional(),
  dialect: z.string().optional(),
  languageId: z.string().optional(),
  speed: z.number().positive().optional(),
  pitch: z.number().positive().optional(),
  expressiveness: z.number().min(0).max(2).optional(),
  mulaw: z.boolean().optional(),
  sampleRate: z.enum(['8k', '16k']).optional(),
});

export interface SpeechFormat {
  readonly format: Extract<WavFormat, 'linear16' | 'mulaw'>;
  readonly sampleRate: 8000 | 16_000;
}

export interface SpeechRequest extends SpeechFormat {
  readonly text: string;
}

/** Reads the body of a `tts` request. µ-law is always at 8 kHz. @throws ApiError 400 `message`. */
export function readSpeechRequest(body: unknown, message: string): SpeechRequest {
  const { success, data, error } = TtsPayload.safeParse(body);
  if (!success) throw new ApiError(400, message, { issues: issuesOf(error) });
  const format = data.mulaw ? 'mulaw' : 'linear16';
  return { text: data.text, format, sampleRate: format === 'mulaw' || data.sampleRate === '8k' ? 8000 : 16_000 };
}

/** Samples of the engine (mono at 16 kHz) as the request wants them. */
export function encodeSpeech(pcm: Int16Array, { format, sampleRate }: SpeechFormat): Uint8Array {
  const samples = Resampler.resample(pcm, ENGINE_SAMPLE_RATE, sampleRate);
  if (format === 'linear16') return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  const codes = new Uint8Array(samples.length);
  G711.encodeUlaw(samples, codes);
  return codes;
}

export function bytesPerSecond({ format, sampleRate }: SpeechFormat): number {
  return format === 'mulaw' ? sampleRate : 2 * sampleRate;
}
