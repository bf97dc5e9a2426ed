import type { FastifyInstance } from 'fastify';
import { encodeWav } from '../../audio/wav.ts';
import { ApiError } from '../api-error.ts';
import type { PlatformContext } from '../context.ts';
import { ENGINE_SAMPLE_RATE } from '../engines/engine.ts';
import { goneSignal } from '../http-faults.ts';

const PAUSE = new Int16Array(ENGINE_SAMPLE_RATE / 4);

/** Files that jobs and calls gave the URL of. As with a storage service the URL is all that is needed. */
export function mediaRoutes(app: FastifyInstance, { media, state, engines }: PlatformContext): void {
  app.get('/media/:name', (request, reply) => {
    const { name } = request.params as { name: string };
    const file = media.find(name);
    if (file === undefined) throw new ApiError(404, 'There is no such file');
    return reply.type('audio/wav').send(Buffer.from(file.buffer, file.byteOffset, file.byteLength));
  });

  app.get('/media/recordings/:name', async (request, reply) => {
    const { name } = request.params as { name: string };
    const { transcription, conversationRecording } = state.conversations.get(name.replace(/\.wav$/, ''));
    if (conversationRecording === null) throw new ApiError(404, 'The call was not recorded');
    const signal = goneSignal(reply);
    const parts: Int16Array[] = [];
    for (const text of transcription.flatMap((turn) => Object.values(turn))) {
      // The built-in voice can not say everything.
      const spoken = await engines.voice.speak(text, signal).catch((thrown: unknown) => {
        if (thrown instanceof ApiError && thrown.status === 400) return undefined;
        throw thrown;
      });
      parts.push(spoken?.pcm ?? PAUSE, PAUSE);
    }
    const pcm = new Int16Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      pcm.set(part, at);
      at += part.length;
    }
    return reply.type('audio/wav').send(Buffer.from(encodeWav(pcm, ENGINE_SAMPLE_RATE)));
  });
}
