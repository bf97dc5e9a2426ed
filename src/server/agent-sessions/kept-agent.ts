import { WebSocket } from 'ws';
import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import { errorFromClose } from '../../platform/platform-errors.ts';
import { sleep } from '../../platform/rest/request-watch.ts';
import { LinkRecovery } from '../../platform/voice-agent/link-recovery.ts';
import { HeldMessages, type Message } from './held-messages.ts';

/** A person sits in front of a silent page meanwhile. */
const MAX_OUTAGE_MS = 10_000;
/** What may wait for the agent: ten seconds of a microphone. */
const MAX_WAITING_BYTES = 1 << 20;
/** How the SDK's first message begins, and how long one is at most that is kept: the SDK's has 38 bytes. */
const START = /^\s*\{\s*"event"\s*:\s*"start"/;
const MAX_START_BYTES = 4_096;
/** Pings in a row without an answer. */
const MAX_UNANSWERED = 2;
const CLOSE_NORMAL = 1000;
const CLOSE_WITHOUT_CODE = 1005;
/** RFC 6455's registry: what is behind this server failed. */
const CLOSE_BAD_GATEWAY = 1014;

export interface KeptAgentListener {
  onMessage(data: Buffer, isBinary: boolean): void;
  /** The link is lost, and is being opened again; it is back. */
  onLost(): void;
  onBack(): void;
  /** More is to be sent than the agent takes. */
  onTooSlow(): void;
  /** The agent closed the conversation, or can not be had back. Told once, unless this side ended it. */
  onClosed(code: number, reason: string): void;
}

export interface KeptAgentOptions {
  readonly clock: Clock;
  /** Opens another socket of the same conversation, paused. Rejects with GatewayError. */
  readonly reopen: (signal: AbortSignal) => Promise<WebSocket>;
  readonly listener: KeptAgentListener;
}

/**
 * The platform's side of a page's conversation. A link that is lost is opened again, as on the phone: the page can do
 * nothing about it, and the SDK does not try.
 */
export class KeptAgent {
  readonly #options: KeptAgentOptions;
  readonly #recovery = new LinkRecovery();
  readonly #over = new AbortController();
  readonly #held = new HeldMessages();
  #socket: WebSocket | undefined;
  /** With which the page began, and so does each link. */
  #start: Message | undefined;
  #isReading = false;
  #unanswered = 0;

  /** `socket` is open and paused; {@link begin} reads it. */
  constructor(socket: WebSocket, options: KeptAgentOptions) {
    this.#options = options;
    this.#adopt(socket);
  }

  begin(): void {
    this.#isReading = true;
    this.#socket?.resume();
  }

  send(data: Buffer, isBinary: boolean): void {
    const socket = this.#socket;
    const isStart = !this.#start && data.length <= MAX_START_BYTES && START.test(data.toString());
    if (isStart) this.#start = { data, isBinary };
    if (socket === undefined) {
      if (!isStart && !this.#held.hold(data, isBinary)) this.#options.listener.onTooSlow();
    } else if (socket.readyState === WebSocket.OPEN) {
      if (socket.bufferedAmount + data.length > MAX_WAITING_BYTES) this.#options.listener.onTooSlow();
      else socket.send(data, { binary: isBinary });
    }
  }

  /** Breaks the link if the last pings were not answered, and asks again. */
  ping(): void {
    const socket = this.#socket;
    if (!socket) return;
    if (this.#unanswered >= MAX_UNANSWERED) {
      socket.terminate();
      return;
    }
    this.#unanswered++;
    socket.ping();
  }

  /** Closes with `code`; without one, as the page did. Nothing is told any more. */
  close(code?: number, reason?: string): void {
    this.#over.abort();
    // The answer is to be read.
    this.#socket?.resume();
    this.#socket?.close(code, reason);
  }

  /** Breaks the link. Nothing is told any more. */
  terminate(): void {
    this.#over.abort();
    this.#socket?.terminate();
  }

  #adopt(socket: WebSocket): void {
    const { clock, listener } = this.#options;
    this.#socket = socket;
    this.#unanswered = 0;
    this.#recovery.linked(clock.nowMs());
    // Messages are whole Buffers unless `binaryType` says otherwise, which it does not.
    socket.on('message', (data, isBinary) => listener.onMessage(data as Buffer, isBinary));
    socket.on('pong', () => {
      this.#unanswered = 0;
    });
    // A close with a code follows, which is what is acted upon.
    socket.on('error', () => {});
    socket.on('close', (code, reason) => this.#onClose(code, reason.toString()));
    if (this.#isReading) socket.resume();
  }

  #onClose(code: number, reason: string): void {
    if (this.#over.signal.aborted) return;
    const { clock, listener } = this.#options;
    this.#recovery.lost(clock.nowMs());
    const isGoodbye = code === CLOSE_NORMAL || code === CLOSE_WITHOUT_CODE;
    const delayMs = isGoodbye ? undefined : this.#recovery.nextMs(errorFromClose(code, reason));
    if (delayMs === undefined) {
      this.#end(code, reason);
      return;
    }
    this.#socket = undefined;
    listener.onLost();
    void this.#restore(delayMs);
  }

  /** Never rejects. */
  async #restore(firstDelayMs: number): Promise<void> {
    const { clock, reopen, listener } = this.#options;
    const late = new AbortController();
    const outage = clock.after(MAX_OUTAGE_MS, () => late.abort());
    const signal = AbortSignal.any([late.signal, this.#over.signal]);
    let socket: WebSocket | undefined;
    for (let delayMs: number | undefined = firstDelayMs; delayMs !== undefined && !socket; ) {
      try {
        await sleep(clock, delayMs, signal);
        socket = await reopen(signal);
      } catch (thrown) {
        delayMs = thrown instanceof GatewayError ? this.#recovery.nextMs(thrown) : undefined;
      }
    }
    outage.cancel();
    if (this.#over.signal.aborted) {
      socket?.terminate();
    } else if (!socket) {
      this.#end(CLOSE_BAD_GATEWAY, 'the agent can not be reached');
    } else {
      if (this.#start) socket.send(this.#start.data, { binary: this.#start.isBinary });
      for (const { data, isBinary } of this.#held.take()) socket.send(data, { binary: isBinary });
      listener.onBack();
      this.#adopt(socket);
    }
  }

  #end(code: number, reason: string): void {
    this.#over.abort();
    this.#options.listener.onClosed(code, reason);
  }
}
