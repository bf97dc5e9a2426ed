import type { FastifyReply } from 'fastify';
import type { Clock } from '../core/clock.ts';
import type { Fault } from './faults.ts';
import { untilAborted, wait } from './wait.ts';

/** Aborted when nobody waits for the answer any more. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}

/** Plays a fault that takes the place of the answer or delays it. @returns whether there is nothing left to answer. */
export async function answerWithFault(
  fault: Fault | undefined,
  reply: FastifyReply,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  if (fault?.fault === 'delay') {
    await wait(clock, fault.ms, signal);
    return false;
  }
  if (fault?.fault === 'answer') {
    await reply.code(fault.status).headers(fault.headers).send(fault.body);
    return true;
  }
  if (fault?.fault !== 'never-answer' && fault?.fault !== 'hang-up') return false;
  reply.hijack();
  if (fault.fault === 'never-answer') await untilAborted(signal);
  reply.raw.destroy();
  return true;
}
