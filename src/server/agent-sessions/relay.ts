import { WebSocket } from 'ws';
import type { Clock, Timer } from '../../core/clock.ts';
import { removeSecrets } from '../../core/secrets.ts';
import { isAudioMessage } from './held-messages.ts';
import { KeptAgent } from './kept-agent.ts';

/** What may wait for a page: an agent may send a long answer at once, of which 43 kB are a second. */
const MAX_WAITING_FOR_PAGE_BYTES = 8 << 20;
/** Pings in a row without an answer; a telephone on its way may be silent for a while. */
const MAX_UNANSWERED = 4;
/**
 * A page that comes back is sent at once what its agent was about to say, which the SDK drops as long as it can not play
 * it. It can once it sends the microphone; a page without one is not kept waiting for long.
 */
const READY_WITHIN_MS = 1_000;
const CLOSE_NORMAL = 1000;
const CLOSE_WITHOUT_CODE = 1005;
const CLOSE_TRY_AGAIN_LATER = 1013;
const MAX_REASON_BYTES = 123;

export interface RelayListener {
  onTooSlow(who: 'page' | 'agent'): void;
  /** The link to the agent broke and is being opened again; it is back. */
  onLost(): void;
  onBack(): void;
  /** Told once. `isOver`: one of the two said goodbye; otherwise a link broke. */
  onEnded(isOver: boolean, code: number): void;
}

export interface RelayOptions {
  /** Both are open, and `agent` is paused. */
  readonly page: WebSocket;
  readonly agent: WebSocket;
  /** Whether the conversation was connected before. */
  readonly isReturn: boolean;
  readonly clock: Clock;
  /** Opens another socket to the agent in the same conversation, paused. Rejects with GatewayError. */
  readonly reopenAgent: (signal: AbortSignal) => Promise<WebSocket>;
  readonly listener: RelayListener;
}

/**
 * Joins a page's socket to the agent's: messages go both ways as they are, and close codes too. A link to the agent that
 * breaks is opened again, of which the page gets `info` messages; one to the page is the page's to open again, and
 * breaks the agent's. Only what the agent sends is looked at, for secrets.
 */
export class Relay {
  readonly #page: WebSocket;
  readonly #agent: KeptAgent;
  readonly #listener: RelayListener;
  readonly #ready: Timer | undefined;
  #isReady = false;
  #unanswered = 0;
  #hasEnded = false;

  constructor({ page, agent, isReturn, clock, reopenAgent, listener }: RelayOptions) {
    this.#page = page;
    this.#listener = listener;
    this.#agent = new KeptAgent(agent, {
      clock,
      reopen: reopenAgent,
      listener: {
        onMessage: (data, isBinary) => this.#toPage(isBinary ? data : clean(data), isBinary),
        onLost: () => {
          this.#tellLink('reconnecting');
          listener.onLost();
        },
        onBack: () => {
          this.#tellLink('reconnected');
          listener.onBack();
        },
        onTooSlow: () => this.#tooSlow('agent'),
        onClosed: (code, reason) => this.#onAgentClosed(code, reason),
      },
    });
    page.on('pong', () => {
      this.#unanswered = 0;
    });
    // A close with a code follows, which is what is passed on.
    page.on('error', () => {});
    page.on('close', (code, reason) => this.#onPageClosed(code, reason.toString()));
    // Messages are whole Buffers unless `binaryType` says otherwise, which it does not.
    page.on('message', (data, isBinary) => {
      if (page.readyState !== WebSocket.OPEN) return;
      if (!this.#isReady && isAudioMessage(data as Buffer)) this.#begin();
      this.#agent.send(data as Buffer, isBinary);
    });
    if (isReturn) this.#ready = clock.after(READY_WITHIN_MS, () => this.#begin());
    else this.#begin();
  }

  /** Breaks the link of a side that did not answer the last pings, and asks both again. */
  ping(): void {
    this.#agent.ping();
    if (this.#unanswered >= MAX_UNANSWERED) {
      this.#page.terminate();
      return;
    }
    this.#unanswered++;
    this.#page.ping();
  }

  /** Ends the conversation: `code` is for the page, a goodbye for the agent. */
  end(code: number, reason: string): void {
    this.#finish(true, code);
    this.#page.close(code, reason);
    this.#agent.close(CLOSE_NORMAL);
  }

  /** Breaks the link to the agent, which may be made again. */
  drop(code: number, reason: string): void {
    this.#finish(false, code);
    this.#page.close(code, reason);
    this.#agent.terminate();
  }

  /** From now on the page is sent what its agent says. */
  #begin(): void {
    this.#isReady = true;
    this.#ready?.cancel();
    this.#agent.begin();
  }

  #toPage(data: Buffer | string, isBinary: boolean): void {
    const page = this.#page;
    if (page.readyState !== WebSocket.OPEN) return;
    if (page.bufferedAmount + data.length > MAX_WAITING_FOR_PAGE_BYTES) this.#tooSlow('page');
    else page.send(data, { binary: isBinary });
  }

  /** The SDK hands `info` messages on as they are. */
  #tellLink(state: 'reconnecting' | 'reconnected' | 'lost'): void {
    this.#toPage(JSON.stringify({ event: 'info', type: 'link', state }), false);
  }

  #tooSlow(who: 'page' | 'agent'): void {
    this.#listener.onTooSlow(who);
    this.drop(CLOSE_TRY_AGAIN_LATER, `the ${who} is too slow`);
  }

  #onPageClosed(code: number, reason: string): void {
    if (this.#hasEnded) return;
    this.#finish(isGoodbye(code), code);
    if (code === CLOSE_WITHOUT_CODE) this.#agent.close();
    else if (maySend(code)) this.#agent.close(code, shortened(reason));
    else this.#agent.terminate();
  }

  #onAgentClosed(code: number, reason: string): void {
    if (!isGoodbye(code)) this.#tellLink('lost');
    this.#finish(isGoodbye(code), code);
    if (code === CLOSE_WITHOUT_CODE) this.#page.close();
    else if (maySend(code)) this.#page.close(code, shortened(removeSecrets(reason)));
    else this.#page.terminate();
  }

  #finish(isOver: boolean, code: number): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#isReady = true;
    this.#ready?.cancel();
    this.#listener.onEnded(isOver, code);
  }
}

function isGoodbye(code: number): boolean {
  return code === CLOSE_NORMAL || code === CLOSE_WITHOUT_CODE;
}

/** The message itself unless the key is in it. */
function clean(message: Buffer): Buffer {
  const text = message.toString();
  const cleaned = removeSecrets(text);
  return cleaned === text ? message : Buffer.from(cleaned);
}

/** RFC 6455, section 7.4: 1004 to 1006 and 1015 stand for what happened and are never sent. */
function maySend(code: number): boolean {
  return (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);
}

/** A close frame holds 125 bytes. */
function shortened(reason: string): string {
  return Buffer.from(reason)
    .subarray(0, MAX_REASON_BYTES)
    .toString()
    .replace(/\uFFFD+$/, '');
}
