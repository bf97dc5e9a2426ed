import { wavHeader } from '../audio/wav.ts';
import type { PlatformContext } from './context.ts';
import { ENGINE_SAMPLE_RATE } from './engines/engine.ts';
import type { Fault } from './faults.ts';
import { encodeSpeech, type SpeechRequest } from './speech-request.ts';
import type { Utterance } from './utterance.ts';

/** Transcribes for the request `via`, which the log then names. @throws ApiError 500 or 503. */
export async function hear(
  { engines, clock, log }: PlatformContext,
  via: string,
  { pcm, durationMs }: Utterance,
  signal: AbortSignal,
): Promise<string> {
  const startMs = clock.nowMs();
  const text = await engines.ears.transcribe(pcm, signal);
  const tookMs = Math.round(clock.nowMs() - startMs);
  log.info({ via, engine: engines.ears.name, audioMs: durationMs, characters: text.length, tookMs }, 'heard');
  return text;
}

/** Speaks for the request `via`, which the log then names. @throws ApiError 400, 500 or 503. */
export async function speak(
  { engines, clock, log }: PlatformContext,
  via: string,
  request: SpeechRequest,
  fault: Fault | undefined,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const startMs = clock.nowMs();
  const { pcm, engine } = await engines.voice.speak(request.text, signal);
  const tookMs = Math.round(clock.nowMs() - startMs);
  const audioMs = Math.round((pcm.length * 1000) / ENGINE_SAMPLE_RATE);
  log.info({ via, engine, characters: request.text.length, audioMs, tookMs }, 'spoke');
  const audio = encodeSpeech(pcm, request);
  if (fault?.fault === 'cut') return audio.subarray(0, fault.bytes);
  if (fault?.fault !== 'riff-header') return audio;
  const header = wavHeader({ ...request, dataBytes: 0, streaming: true });
  return Buffer.concat([header, audio]);
}
