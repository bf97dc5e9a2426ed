import type { FastifyInstance } from 'fastify';
import { successBody } from '../api-error.ts';
import type { PlatformContext } from '../context.ts';
import { answerWithFault, goneSignal } from '../http-faults.ts';
import { hear } from '../speech.ts';
import { readUtterance } from '../utterance.ts';

/** `POST /v1/realtime/stt`: one utterance in, its text out. */
export function realtimeSttRoutes(app: FastifyInstance, context: PlatformContext): void {
  app.post('/v1/realtime/stt', async (request, reply) => {
    const signal = goneSignal(reply);
    const fault = context.faults.take('http-stt');
    if (await answerWithFault(fault, reply, context.clock, signal)) return reply;
    const text = await hear(context, 'http-stt', readUtterance(request.body), signal);
    if (fault?.fault === 'shape') return fault.shape === 'bare' ? { text } : successBody([{ text }]);
    return successBody({ text });
  });
}
