import { GatewayError } from '../../core/errors.ts';

/** What a session allows. */
export interface SessionTerms {
  readonly agentId: string;
  /** Win over those that the page sends. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Of pages that may use the token; undefined: see {@link isAllowedOrigin}. */
  readonly origins: readonly string[] | undefined;
  /** How long its conversation may be begun. */
  readonly ttlMs: number;
}

/** How long the token of a conversation that is begun works without a connection, to come back or to ask for its details. */
const WITHOUT_CONNECTION_MS = 5 * 60_000;

/**
 * A token's right to one conversation with one agent. It begins once, may be connected again while it goes on, and can
 * be asked about for some minutes after it has ended.
 */
export class AgentSession {
  /** Hash of the token, so that it can be told. */
  readonly id: string;
  readonly terms: SessionTerms;
  #expiresAtMs: number;
  #stage: 'issued' | 'beginning' | 'begun' | 'ended' = 'issued';
  #jobId: string | undefined;
  #hasBeenConnected = false;

  constructor(id: string, terms: SessionTerms, nowMs: number) {
    this.id = id;
    this.terms = terms;
    this.#expiresAtMs = nowMs + terms.ttlMs;
  }

  get expiresAtMs(): number {
    return this.#expiresAtMs;
  }

  /** The conversation that goes on, begun and not over. */
  get runningJobId(): string | undefined {
    return this.#stage === 'begun' ? this.#jobId : undefined;
  }

  /** The platform's id of the conversation, once it is begun. */
  get jobId(): string | undefined {
    return this.#jobId;
  }

  /** Whether its conversation had a connection before. */
  get hasBeenConnected(): boolean {
    return this.#hasBeenConnected;
  }

  /** Takes the right to begin. @throws GatewayError `ERR_WRONG_STATE` - it is taken. */
  begin(): void {
    if (this.#stage !== 'issued') {
      throw new GatewayError('ERR_WRONG_STATE', {
        found: 'the conversation of this session token has begun',
        cure: 'ask for a new token',
      });
    }
    this.#stage = 'beginning';
  }

  /** Nothing came of it: it may be tried again. */
  beginFailed(): void {
    this.#stage = 'issued';
  }

  begun(jobId: string, nowMs: number): void {
    this.#stage = 'begun';
    this.#jobId = jobId;
    this.#expiresAtMs = nowMs + WITHOUT_CONNECTION_MS;
  }

  /** Whether the conversation `jobId` may be connected. */
  mayConnect(jobId: string): boolean {
    return this.runningJobId === jobId;
  }

  /** Valid as long as the conversation may last. */
  connected(nowMs: number, maxConversationMs: number): void {
    this.#hasBeenConnected = true;
    this.#expiresAtMs = nowMs + maxConversationMs;
  }

  /** `isOver`: one side said goodbye. Otherwise the link broke, and may be made again. */
  disconnected(nowMs: number, isOver: boolean): void {
    if (isOver) this.#stage = 'ended';
    this.#expiresAtMs = nowMs + WITHOUT_CONNECTION_MS;
  }

  /** Nothing is allowed any more. */
  revoke(): void {
    this.#stage = 'ended';
  }
}
