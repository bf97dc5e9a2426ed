import { WebSocket } from 'ws';
import { removeSecrets } from '../../core/secrets.ts';

/** What may wait for a page: an agent may send a long answer at once, of which 43 kB are a second. */
const MAX_WAITING_FOR_PAGE_BYTES = 8 << 20;
/** What may wait for the agent: ten seconds of a microphone. */
const MAX_WAITING_FOR_AGENT_BYTES = 1 << 20;
const CLOSE_NORMAL = 1000;
const CLOSE_WITHOUT_CODE = 1005;
const CLOSE_TRY_AGAIN_LATER = 1013;
const MAX_REASON_BYTES = 123;

export interface RelayListener {
  onTooSlow(who: 'page' | 'agent'): void;
  /** Told once. `isOver`: one of the two said goodbye; otherwise a link broke. */
  onEnded(isOver: boolean, code: number): void;
}

/**
 * Joins a page's socket to the agent's: messages go both ways as they are, close codes too, and a link that breaks on one
 * side breaks on the other, so that each meets what it would have met without anything in between. Only what the agent
 * sends is looked at, for secrets.
 */
export class Relay {
  readonly #page: WebSocket;
  readonly #agent: WebSocket;
  readonly #listener: RelayListener;
  readonly #alive = new Set<WebSocket>();
  #hasEnded = false;

  /** `agent` is paused and both are open. */
  constructor(page: WebSocket, agent: WebSocket, listener: RelayListener) {
    this.#page = page;
    this.#agent = agent;
    this.#listener = listener;
    for (const [socket, other] of [
      [page, agent],
      [agent, page],
    ] as const) {
      this.#alive.add(socket);
      socket.on('pong', () => this.#alive.add(socket));
      // A close with a code follows, which is what is passed on.
      socket.on('error', () => {});
      socket.on('close', (code, reason) => this.#onClose(other, code, reason.toString()));
    }
    // Messages are whole Buffers unless `binaryType` says otherwise, which it does not.
    page.on('message', (data, isBinary) => this.#send('agent', data as Buffer, isBinary));
    agent.on('message', (data, isBinary) =>
      this.#send('page', isBinary ? (data as Buffer) : clean(data as Buffer), isBinary),
    );
    agent.resume();
  }

  /** Breaks the link if a side did not answer the last ping, and asks both again. */
  ping(): void {
    for (const socket of [this.#page, this.#agent]) {
      if (!this.#alive.delete(socket)) socket.terminate();
      else socket.ping();
    }
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

  #send(to: 'page' | 'agent', data: Buffer, isBinary: boolean): void {
    const socket = to === 'page' ? this.#page : this.#agent;
    const limit = to === 'page' ? MAX_WAITING_FOR_PAGE_BYTES : MAX_WAITING_FOR_AGENT_BYTES;
    if (socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount + data.length > limit) {
      this.#listener.onTooSlow(to);
      this.drop(CLOSE_TRY_AGAIN_LATER, `the ${to} is too slow`);
      return;
    }
    socket.send(data, { binary: isBinary });
  }

  #onClose(other: WebSocket, code: number, reason: string): void {
    if (this.#hasEnded) return;
    this.#finish(code === CLOSE_NORMAL || code === CLOSE_WITHOUT_CODE, code);
    if (code === CLOSE_WITHOUT_CODE) other.close();
    else if (maySend(code)) other.close(code, shortened(removeSecrets(reason)));
    else other.terminate();
  }

  #finish(isOver: boolean, code: number): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#listener.onEnded(isOver, code);
  }
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
