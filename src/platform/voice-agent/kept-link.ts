import type { Clock } from '../../core/clock.ts';
import { GatewayError, toError } from '../../core/errors.ts';
import { AbortedError } from '../platform-errors.ts';
import { sleep } from '../rest/request-watch.ts';
import type { AgentLink, AgentLinkHandlers, OpenAgentLink } from './agent-link.ts';
import type { CallTimes } from './call-analytics.ts';
import { LinkRecovery } from './link-recovery.ts';

export interface KeptLinkListener {
  /** A link is open: the first one, or one in the place of one that was lost. */
  onOpen(link: AgentLink): void;
  /** There is no link any more. */
  onGone(): void;
  /** The agent said goodbye. */
  onGoodbye(): void;
  /** The link is lost. What becomes of it follows. */
  onLost(): void;
  /** It is being opened again; it is back. */
  onReconnecting(): void;
  onBack(): void;
  /** The link can not be had back. */
  onGivenUp(error: GatewayError): void;
}

export interface KeptLinkOptions {
  readonly openLink: OpenAgentLink;
  readonly clock: Clock;
  readonly times: CallTimes;
  /** Aborted when the conversation is over. */
  readonly over: AbortSignal;
  readonly random?: (() => number) | undefined;
  /** What a link tells, but for its end. */
  readonly handlers: Omit<AgentLinkHandlers, 'onClosed'>;
  readonly listener: KeptLinkListener;
}

/** The link of one conversation with an agent, which is opened again when it is lost. */
export class KeptLink {
  readonly #options: KeptLinkOptions;
  readonly #recovery: LinkRecovery;
  #jobId = '';
  #current: AgentLink | undefined;
  #reconnection: Promise<void> | undefined;
  #earlierBytesSent = 0;
  #earlierBytesReceived = 0;

  constructor(options: KeptLinkOptions) {
    this.#options = options;
    this.#recovery = new LinkRecovery(options.random);
  }

  get current(): AgentLink | undefined {
    return this.#current;
  }

  /** Over all links. */
  get bytesSent(): number {
    return this.#earlierBytesSent + (this.#current?.bytesSent ?? 0);
  }

  get bytesReceived(): number {
    return this.#earlierBytesReceived + (this.#current?.bytesReceived ?? 0);
  }

  /** Opens the first link of the conversation, in as many attempts as are left. Rejects with GatewayError. */
  async open(jobId: string): Promise<void> {
    this.#jobId = jobId;
    await this.#connect();
  }

  /** Breaks the link off, if there is one, and opens another. Rejects with GatewayError: it was given up. */
  async reopen(): Promise<void> {
    const link = this.#current;
    link?.drop();
    if (link) this.#onClosed(link, new GatewayError('ERR_ABORTED', 'the link was broken off to open another'));
    await this.#reconnection;
  }

  /** Says goodbye, if there is a link. */
  end(): void {
    const link = this.#current;
    link?.end();
    if (link) this.#detach(link);
  }

  async #connect(): Promise<void> {
    const { clock, times, over } = this.#options;
    for (;;) {
      times.connectionAttempts++;
      try {
        await this.#openOnce();
        return;
      } catch (thrown) {
        const error = asGatewayError(thrown);
        const delayMs = over.aborted ? undefined : this.#recovery.nextMs(error);
        if (delayMs === undefined) throw error;
        await sleep(clock, delayMs, over);
      }
    }
  }

  async #openOnce(): Promise<void> {
    const { openLink, handlers, over, clock, listener } = this.#options;
    // What the new link tells before it is known here, which it may: that it is closed again.
    let early: { readonly error: GatewayError | undefined } | undefined;
    let link: AgentLink | undefined;
    const onClosed = (error: GatewayError | undefined): void => {
      if (link) this.#onClosed(link, error);
      else early = { error };
    };
    link = await openLink(this.#jobId, { ...handlers, onClosed }, over);
    if (over.aborted) {
      link.end();
      throw new AbortedError('the conversation');
    }
    if (early?.error) throw early.error;
    this.#current = link;
    this.#recovery.linked(clock.nowMs());
    listener.onOpen(link);
    if (early) this.#onClosed(link, undefined);
  }

  #onClosed(link: AgentLink, error: GatewayError | undefined): void {
    if (link !== this.#current) return;
    const { clock, listener } = this.#options;
    this.#detach(link);
    if (!error) {
      listener.onGoodbye();
      return;
    }
    listener.onLost();
    this.#recovery.lost(clock.nowMs());
    const delayMs = this.#recovery.nextMs(error);
    if (delayMs === undefined) {
      listener.onGivenUp(error);
      return;
    }
    this.#reconnection = this.#restore(delayMs);
    // Whoever asked for it is told; the conversation itself ends with an `error` event.
    this.#reconnection.catch(() => {});
    listener.onReconnecting();
  }

  #detach(link: AgentLink): void {
    this.#current = undefined;
    this.#options.listener.onGone();
    this.#earlierBytesSent += link.bytesSent;
    this.#earlierBytesReceived += link.bytesReceived;
  }

  async #restore(delayMs: number): Promise<void> {
    const { clock, times, over, listener } = this.#options;
    try {
      await sleep(clock, delayMs, over);
      const attemptsBefore = times.connectionAttempts;
      try {
        await this.#connect();
      } finally {
        times.reconnectionAttempts += times.connectionAttempts - attemptsBefore;
      }
    } catch (thrown) {
      const error = asGatewayError(thrown);
      listener.onGivenUp(error);
      throw error;
    } finally {
      this.#reconnection = undefined;
    }
    listener.onBack();
  }
}

export function asGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError('ERR_PLATFORM_UNAVAILABLE', { found: toError(thrown).message, cause: thrown });
}
