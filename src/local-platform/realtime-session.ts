import type { WebSocket } from 'ws';
import { z } from 'zod';
import type { Timer } from '../core/clock.ts';
import { toError } from '../core/errors.ts';
import { ApiError } from './api-error.ts';
import type { PlatformContext } from './context.ts';
import { deliver, TornError } from './delivery.ts';
import { isUnfinished, THINKING } from './end-of-speech.ts';
import type { Fault } from './faults.ts';
import type { SocketEndpoint } from './socket-server.ts';
import { hear, speak } from './speech.ts';
import { bytesPerSecond, readSpeechRequest } from './speech-request.ts';
import { readUtterance } from './utterance.ts';
import { untilAborted, wait } from './wait.ts';

const IDLE_MS = 60 * 60_000;
/** Requests that wait for those before them on the same connection. */
const MAX_WAITING = 16;

const Message = z.looseObject({ type: z.enum(['stt', 'tts']), payload: z.unknown().optional() });

/**
 * The realtime socket. Each client is answered one message after the other, in their order, until it is gone; whatever is
 * under way then is given up.
 */
export function realtimeEndpoint(context: PlatformContext): SocketEndpoint {
  return {
    path: /^\/v1\/realtime\/ws$/,
    place: 'connect',
    admit: () => (socket) => new RealtimeSession(socket, context).start(),
  };
}

class RealtimeSession {
  readonly #socket: WebSocket;
  readonly #context: PlatformContext;
  readonly #closed = new AbortController();
  #idle: Timer;
  #work: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(socket: WebSocket, context: PlatformContext) {
    this.#socket = socket;
    this.#context = context;
    this.#idle = this.#startIdleTimer();
  }

  start(): void {
    // With the default `binaryType` of ws every message is one Buffer.
    this.#socket.on('message', (data, isBinary) => this.#receive(data as Buffer, isBinary));
    this.#socket.on('close', () => {
      this.#idle.cancel();
      this.#closed.abort();
    });
    this.#sendFrame('info', { message: 'Connected to realtime WebSocket server' });
  }

  #startIdleTimer(): Timer {
    return this.#context.clock.after(IDLE_MS, () => this.#socket.close(1000, 'idle'));
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#idle.cancel();
    this.#idle = this.#startIdleTimer();
    const { realtimeQuota, clock } = this.#context;
    const { allowed } = realtimeQuota.take(clock.wallMs());
    if (this.#waiting >= MAX_WAITING) {
      this.#sendError('Too many requests wait on this connection');
      return;
    }
    this.#waiting++;
    this.#work = this.#work.then(async () => {
      await this.#answer(data, isBinary, allowed);
      this.#waiting--;
    });
  }

  /** Never rejects. */
  async #answer(data: Buffer, isBinary: boolean, allowed: boolean): Promise<void> {
    if (this.#closed.signal.aborted) return;
    try {
      if (!allowed) throw new ApiError(429, 'Rate limit exceeded, please try again later');
      const { type, payload } = readMessage(data, isBinary);
      if (type === 'stt') await this.#transcribe(payload);
      else await this.#speak(payload);
    } catch (thrown) {
      if (this.#closed.signal.aborted) return;
      if (thrown instanceof TornError) {
        this.#socket.terminate();
        return;
      }
      if (!(thrown instanceof ApiError)) {
        this.#context.log.error({ error: toError(thrown).message }, 'a realtime request failed');
      }
      this.#sendError(thrown instanceof ApiError ? thrown.message : 'Internal server error');
    }
  }

  async #transcribe(payload: unknown): Promise<void> {
    const fault = this.#context.faults.take('stt');
    if (await this.#answerWithFault(fault)) return;
    const utterance = readUtterance(payload);
    const text = await hear(this.#context, 'stt', utterance, this.#closed.signal).catch((thrown: unknown) => {
      throw thrown instanceof ApiError
        ? new ApiError(thrown.status, `Error generating transcription: ${thrown.message}`)
        : thrown;
    });
    this.#sendText(utterance.isEosEnabled && isUnfinished(text) ? THINKING : text);
  }

  async #speak(payload: unknown): Promise<void> {
    const { faults, clock } = this.#context;
    const fault = faults.take('tts');
    if (await this.#answerWithFault(fault)) return;
    const request = readSpeechRequest(payload, 'Invalid payload');
    this.#sendFrame('ack', { message: 'Request accepted' });
    const signal = this.#closed.signal;
    const body = await speak(this.#context, 'tts', request, fault, signal);
    for await (const chunk of deliver({ body, bytesPerSecond: bytesPerSecond(request), fault, clock, signal })) {
      await this.#sendAudio(chunk);
    }
    this.#sendFrame('end', { message: 'Audio sent' });
  }

  /** Plays a fault that takes the place of the answer or delays it. @returns whether there is nothing left to answer. */
  async #answerWithFault(fault: Fault | undefined): Promise<boolean> {
    const signal = this.#closed.signal;
    if (fault?.fault === 'delay') {
      await wait(this.#context.clock, fault.ms, signal);
      return signal.aborted;
    }
    if (fault?.fault === 'text') {
      this.#sendText(fault.text);
      return true;
    }
    if (fault?.fault === 'hang-up') this.#socket.terminate();
    else if (fault?.fault === 'close') this.#socket.close(fault.code, fault.reason);
    else return fault?.fault === 'never-answer';
    // What came after this request is never looked at.
    await untilAborted(signal);
    return true;
  }

  #sendError(message: string): void {
    this.#sendFrame('error', { message });
  }

  #sendFrame(type: 'info' | 'ack' | 'end' | 'error', payload: { readonly message: string }): void {
    this.#sendText(JSON.stringify({ type, payload }));
  }

  #sendText(text: string): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(text);
  }

  /** Resolves when the kernel has the chunk, so that a slow reader holds up its own reply only. */
  async #sendAudio(chunk: Uint8Array): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    await new Promise<void>((resolve) => this.#socket.send(chunk, { binary: true }, () => resolve()));
  }
}

/** @throws ApiError 400. */
function readMessage(data: Buffer, isBinary: boolean): z.infer<typeof Message> {
  let parsed: unknown;
  try {
    parsed = isBinary ? undefined : JSON.parse(data.toString('utf8'));
  } catch {
    parsed = undefined;
  }
  const message = Message.safeParse(parsed);
  if (!message.success) throw new ApiError(400, 'Invalid message format');
  return message.data;
}
