import { Resampler } from '../audio/resampler.ts';
import { parseWav, type Wav, wavToPcm } from '../audio/wav.ts';
import { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import { ApiError, issuesOf } from './api-error.ts';
import { ENGINE_SAMPLE_RATE } from './engines/engine.ts';

/** Longest utterance; the engines' time and memory follow from it. */
export const MAX_UTTERANCE_S = 60;

const AUDIO_LIST_SAMPLE_RATE = 16_000;

interface SttPayload {
  readonly audioBase64?: string | undefined;
  readonly audioList?: readonly number[] | undefined;
  readonly isEosEnabled?: boolean | undefined;
}

/** Fields that have no effect here (`language`, `model`, `eosThreshold`, unknown ones) are accepted if well-formed. */
export const SttPayload: z.ZodType<SttPayload> = z.looseObject({
  audioBase64: z.string().optional(),
  audioList: z.array(z.number()).optional(),
  language: z.string().optional(),
  model: z.string().optional(),
  isEosEnabled: z.boolean().optional(),
  eosThreshold: z.number().optional(),
});

export interface Utterance {
  /** Mono at {@link ENGINE_SAMPLE_RATE}. */
  readonly pcm: Int16Array;
  readonly durationMs: number;
  readonly isEosEnabled: boolean;
}

/** Reads the payload of an `stt` request. @throws ApiError 400. */
export function readUtterance(payload: unknown): Utterance {
  const { success, data, error } = SttPayload.safeParse(payload);
  if (!success) throw new ApiError(400, 'Invalid payload', { issues: issuesOf(error) });
  if ((data.audioBase64 === undefined) === (data.audioList === undefined)) {
    throw new ApiError(400, 'Invalid payload', { needed: 'either audioBase64 or audioList' });
  }
  const { samples, sampleRate } =
    data.audioBase64 === undefined
      ? { samples: samplesOfList(data.audioList ?? []), sampleRate: AUDIO_LIST_SAMPLE_RATE }
      : readWav(data.audioBase64);
  if (samples.length > MAX_UTTERANCE_S * sampleRate) {
    throw new ApiError(400, `Error generating transcription: the audio is longer than ${MAX_UTTERANCE_S} s`);
  }
  return {
    pcm: Resampler.resample(samples, sampleRate, ENGINE_SAMPLE_RATE),
    durationMs: Math.round((samples.length * 1000) / sampleRate),
    isEosEnabled: data.isEosEnabled ?? false,
  };
}

function readWav(audioBase64: string): { samples: Int16Array; sampleRate: number } {
  let wav: Wav;
  try {
    wav = parseWav(Buffer.from(audioBase64, 'base64'));
  } catch (thrown) {
    if (thrown instanceof GatewayError)
      throw new ApiError(400, 'Only WAV files are supported', { found: thrown.found });
    throw thrown;
  }
  const { format, sampleRate, channels } = wav;
  const isSupported =
    channels === 1 &&
    ((format === 'linear16' && (sampleRate === 8000 || sampleRate === 16_000)) ||
      (format === 'mulaw' && sampleRate === 8000));
  if (!isSupported) {
    throw new ApiError(
      400,
      `Error generating transcription: ${format} at ${sampleRate} Hz with ${channels} channels is not supported`,
      { needed: 'mono; linear16 at 8000 or 16000 Hz, or mulaw at 8000 Hz' },
    );
  }
  return { samples: wavToPcm(wav), sampleRate };
}

/** From −1 … 1; what goes beyond is clipped. */
function samplesOfList(list: readonly number[]): Int16Array {
  return Int16Array.from(list, (value) => Math.round(Math.max(-1, Math.min(1, value)) * 32767));
}
