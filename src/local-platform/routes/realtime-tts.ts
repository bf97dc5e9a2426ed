import { Readable } from 'node:stream';
import type { z } from 'zod';
import { wavHeader } from '../../audio/wav.ts';
import { type Route, route } from '../api/route.ts';
import type { PlatformContext } from '../context.ts';
import { deliver } from '../delivery.ts';
import { answerWithFault } from '../http-faults.ts';
import { speak } from '../speech.ts';
import { bytesPerSecond, readSpeechRequest, TtsPayload } from '../speech-request.ts';

/** Chunks of a WAV have an even length. */
const PAD = Uint8Array.of(0);
const INVALID = 'Request validation failed';

/** A WAV file at once, or bare samples as they come. */
export function realtimeTtsRoutes(context: PlatformContext): Route[] {
  const { faults, clock } = context;
  return [
    route({
      operation: 'realtime.tts',
      isRealtime: true,
      method: 'POST',
      path: '/v1/realtime/tts',
      about: 'Speak a text, as one WAV file.',
      body: TtsPayload as z.ZodType<unknown>,
      answer: 'audio',
      handle: async ({ body: asked, reply, signal }) => {
        const fault = faults.take('http-tts');
        if (await answerWithFault(fault, reply, clock, signal)) return reply;
        const wanted = readSpeechRequest(asked, INVALID);
        const audio = await speak(context, 'http-tts', wanted, fault, signal);
        const header = wavHeader({ ...wanted, dataBytes: audio.length });
        const body = Buffer.concat([header, audio, PAD.subarray(0, audio.length % 2)]);
        reply.type('audio/wav').header('content-length', body.length);
        return reply.send(Readable.from(deliver({ body, fault, clock, signal }), { objectMode: false }));
      },
    }),
    route({
      operation: 'realtime.ttsStream',
      isRealtime: true,
      method: 'POST',
      path: '/v1/realtime/tts-stream',
      about: 'Speak a text, as it is made: bare samples, labelled as a WAV.',
      body: TtsPayload as z.ZodType<unknown>,
      answer: 'audio',
      handle: async ({ body: asked, reply, signal }) => {
        const fault = faults.take('http-tts-stream');
        if (await answerWithFault(fault, reply, clock, signal)) return reply;
        const wanted = readSpeechRequest(asked, INVALID);
        const body = await speak(context, 'http-tts-stream', wanted, fault, signal);
        const chunks = deliver({ body, bytesPerSecond: bytesPerSecond(wanted), fault, clock, signal });
        return reply.type('audio/wav').send(Readable.from(chunks, { objectMode: false }));
      },
    }),
  ];
}
