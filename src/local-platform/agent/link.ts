import { WebSocket } from 'ws';
import type { AgentLog } from './agent-session.ts';

/** Frames that wait for a client that is away; the oldest are given up. */
const MAX_KEPT_FRAMES = 64;
/** Another connection of the same client took its place. */
const CLOSE_REPLACED = 4409;

/** The way to the client: one connection at a time, and none while the client is away. */
export class Link {
  readonly #log: AgentLog;
  #socket: WebSocket | undefined;
  #kept: string[] = [];
  #connected: (() => void)[] = [];

  constructor(log: AgentLog) {
    this.#log = log;
  }

  get isConnected(): boolean {
    return this.#socket !== undefined;
  }

  /** The connection that came last is the client's. */
  connect(socket: WebSocket): void {
    this.#socket?.close(CLOSE_REPLACED, 'replaced by a newer connection');
    this.#socket = socket;
    for (const frame of this.#kept.splice(0)) socket.send(frame);
    for (const resolve of this.#connected.splice(0)) resolve();
  }

  /** @returns whether the client is away now: an older connection of it may end at any time. */
  disconnected(socket: WebSocket): boolean {
    if (this.#socket !== socket) return false;
    this.#socket = undefined;
    return true;
  }

  /** Sends now, or as soon as the client is back. */
  send(frame: string): void {
    if (this.#open) {
      this.#open.send(frame);
      return;
    }
    this.#kept.push(frame);
    if (this.#kept.length <= MAX_KEPT_FRAMES) return;
    this.#kept.shift();
    this.#log.warn('a frame was given up: the client is away for too long');
  }

  /** Waits until the client is there, then until the kernel has the frame, so that a slow client holds up only itself. */
  async deliver(frame: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const socket = this.#open;
      if (!socket) await this.#untilConnected(signal);
      else if (await isSent(socket, frame)) return;
    }
  }

  /** Breaks the connection without a word. */
  drop(): void {
    this.#socket?.terminate();
  }

  close(code: number, reason: string): void {
    this.#socket?.close(code, reason);
  }

  /** A connection that ends is no longer good for anything, although its client may not be known to be away yet. */
  get #open(): WebSocket | undefined {
    return this.#socket?.readyState === WebSocket.OPEN ? this.#socket : undefined;
  }

  async #untilConnected(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#connected.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

function isSent(socket: WebSocket, frame: string): Promise<boolean> {
  return new Promise((resolve) => socket.send(frame, (error) => resolve(!error)));
}
