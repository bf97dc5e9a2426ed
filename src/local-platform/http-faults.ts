import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { Clock } from '../core/clock.ts';
import { deliver } from './delivery.ts';
import type { Fault } from './faults.ts';
import { untilAborted, wait } from './wait.ts';

const HUGE_START = '{"success":true,"data":{"id":"';
const HUGE_CHUNK: Uint8Array = Buffer.alloc(65_536, 'a');

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
  if (fault?.fault === 'error') {
    await reply.code(fault.status).headers(fault.headers).type(typeOf(fault)).send(bodyOf(fault));
    return true;
  }
  if (fault?.fault === 'huge') {
    await reply.type('application/json').send(Readable.from(hugeBody(fault.bytes), { objectMode: false }));
    return true;
  }
  if (fault?.fault !== 'never-answer' && fault?.fault !== 'hang-up') return false;
  reply.hijack();
  if (fault.fault === 'never-answer') await untilAborted(signal);
  reply.raw.destroy();
  return true;
}

/** What of a right answer (`{success,data}`) is sent: all of it, unless the fault has it otherwise. */
export function shapeAnswer(
  fault: Fault | undefined,
  answer: object,
  reply: FastifyReply,
  clock: Clock,
  signal: AbortSignal,
): unknown {
  const { data } = answer as { data?: unknown };
  if (fault?.fault === 'shape') return fault.shape === 'bare' ? (data ?? {}) : { success: true, data: [data] };
  if (!isOfBody(fault)) return answer;
  const body = Buffer.from(JSON.stringify(answer));
  reply.type('application/json').header('content-length', body.length);
  const chunks = fault.fault === 'drip' ? drip(body, fault.ms, clock, signal) : deliver({ body, fault, clock, signal });
  return reply.send(Readable.from(chunks, { objectMode: false }));
}

type BodyFault = Extract<Fault, { fault: 'torn' | 'drip' }>;

function isOfBody(fault: Fault | undefined): fault is BodyFault {
  return fault?.fault === 'torn' || fault?.fault === 'drip';
}

type Refusal = Extract<Fault, { fault: 'error' }>;

function typeOf({ shape }: Refusal): string {
  if (shape === 'html') return 'text/html';
  return shape === 'text' ? 'text/plain' : 'application/json';
}

function bodyOf({ status, shape, message, code = `10${status}` }: Refusal): string {
  switch (shape) {
    case 'guide':
      return JSON.stringify({ success: false, error: { code: String(code), message, details: {} } });
    case 'number-code':
      return JSON.stringify({ success: false, error: { code: Number(code), message, details: {} } });
    case 'bare':
      return JSON.stringify({ code, message });
    case 'error-text':
      return JSON.stringify({ error: message });
    case 'message':
      return JSON.stringify({ message });
    case 'list':
      return JSON.stringify({ message: [message] });
    case 'text':
      return message;
    case 'html':
      return `<!doctype html><title>${status}</title><h1>${message}</h1>`;
    case 'empty':
      return '';
  }
}

function* hugeBody(bytes: number): Generator<Uint8Array, void> {
  yield Buffer.from(HUGE_START);
  for (let left = bytes; left > 0; left -= HUGE_CHUNK.length) yield HUGE_CHUNK.subarray(0, left);
  yield Buffer.from('"}}');
}

async function* drip(
  body: Uint8Array,
  everyMs: number,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < body.length && !signal.aborted; at++) {
    yield body.subarray(at, at + 1);
    await wait(clock, everyMs, signal);
  }
}
