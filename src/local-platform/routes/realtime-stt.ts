import type { z } from 'zod';
import { transcript } from '../api/answers.ts';
import { type Route, route } from '../api/route.ts';
import { successBody } from '../api-error.ts';
import type { PlatformContext } from '../context.ts';
import { answerWithFault } from '../http-faults.ts';
import { hear } from '../speech.ts';
import { readUtterance, SttPayload } from '../utterance.ts';

/** One utterance in, its text out. */
export function realtimeSttRoutes(context: PlatformContext): Route[] {
  return [
    route({
      operation: 'realtime.stt',
      isRealtime: true,
      method: 'POST',
      path: '/v1/realtime/stt',
      about: 'Transcribe one utterance, a WAV file.',
      body: SttPayload as z.ZodType<unknown>,
      answer: transcript,
      handle: async ({ body, reply, signal }) => {
        const fault = context.faults.take('http-stt');
        if (await answerWithFault(fault, reply, context.clock, signal)) return reply;
        const text = await hear(context, 'http-stt', readUtterance(body), signal);
        if (fault?.fault !== 'shape') return { text };
        return reply.send(fault.shape === 'bare' ? { text } : successBody([{ text }]));
      },
    }),
  ];
}
