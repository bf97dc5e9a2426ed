import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { wavHeader } from '../../audio/wav.ts';
import type { PlatformContext } from '../context.ts';
import { deliver } from '../delivery.ts';
import { answerWithFault, goneSignal } from '../http-faults.ts';
import { speak } from '../speech.ts';
import { bytesPerSecond, readSpeechRequest } from '../speech-request.ts';

/** Chunks of a WAV have an even length. */
const PAD = Uint8Array.of(0);
const INVALID = 'Request validation failed';

/** `POST /v1/realtime/tts` (a WAV file at once) and `POST /v1/realtime/tts-stream` (bare samples as they come). */
export function realtimeTtsRoutes(app: FastifyInstance, context: PlatformContext): void {
  const { faults, clock } = context;

  app.post('/v1/realtime/tts', async (request, reply) => {
    const signal = goneSignal(reply);
    const fault = faults.take('http-tts');
    if (await answerWithFault(fault, reply, clock, signal)) return reply;
    const wanted = readSpeechRequest(request.body, INVALID);
    const audio = await speak(context, 'http-tts', wanted, fault, signal);
    const body = Buffer.concat([
      wavHeader({ ...wanted, dataBytes: audio.length }),
      audio,
      PAD.subarray(0, audio.length % 2),
    ]);
    reply.type('audio/wav').header('content-length', body.length);
    return reply.send(Readable.from(deliver({ body, fault, clock, signal }), { objectMode: false }));
  });

  app.post('/v1/realtime/tts-stream', async (request, reply) => {
    const signal = goneSignal(reply);
    const fault = faults.take('http-tts-stream');
    if (await answerWithFault(fault, reply, clock, signal)) return reply;
    const wanted = readSpeechRequest(request.body, INVALID);
    const body = await speak(context, 'http-tts-stream', wanted, fault, signal);
    const chunks = deliver({ body, bytesPerSecond: bytesPerSecond(wanted), fault, clock, signal });
    return reply.type('audio/wav').send(Readable.from(chunks, { objectMode: false }));
  });
}
