import { createHash, randomBytes } from 'node:crypto';
import { GatewayError } from '../../core/errors.ts';
import { AgentSession, type SessionTerms } from './agent-session.ts';

/** By which a token is known wherever it appears, and removed from logs: see `core/secrets.ts`. */
const TOKEN_PREFIX = 'hgs_';
const TOKEN_BYTES = 32;
const MAX_SESSIONS = 1000;
/** Each session may begin a conversation, of which the platform allows a hundred a minute for everyone together. */
const MAX_ISSUED_A_MINUTE = 100;
const MINUTE_MS = 60_000;

/** Sessions by the hashes of their tokens, which are themselves not kept. Times are those of a monotonic clock. */
export class SessionStore {
  readonly #sessions = new Map<string, AgentSession>();
  #issuedAtMs: number[] = [];
  issued = 0;
  refused = 0;

  /** Sessions that have not expired, as of the last look. */
  get size(): number {
    return this.#sessions.size;
  }

  /** @throws GatewayError `ERR_TOO_MANY_SESSIONS`. */
  issue(terms: SessionTerms, nowMs: number): { readonly token: string; readonly session: AgentSession } {
    this.#forgetExpired(nowMs);
    this.#issuedAtMs = this.#issuedAtMs.filter((atMs) => nowMs - atMs < MINUTE_MS);
    const isTooFast = this.#issuedAtMs.length >= MAX_ISSUED_A_MINUTE;
    if (isTooFast || this.#sessions.size >= MAX_SESSIONS) {
      this.refused++;
      const found = isTooFast ? `${MAX_ISSUED_A_MINUTE} were issued within a minute` : `${MAX_SESSIONS} are valid`;
      throw new GatewayError('ERR_TOO_MANY_SESSIONS', found);
    }
    const token = TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
    const session = new AgentSession(hash(token), terms, nowMs);
    this.#sessions.set(session.id, session);
    this.#issuedAtMs.push(nowMs);
    this.issued++;
    return { token, session };
  }

  /** The session of a token that is valid. */
  find(token: string, nowMs: number): AgentSession | undefined {
    const session = this.#sessions.get(hash(token));
    if (!session || nowMs < session.expiresAtMs) return session;
    this.#sessions.delete(session.id);
    return undefined;
  }

  /** Ends a session, by its id or its token. @returns what ended. */
  revoke(idOrToken: string): AgentSession | undefined {
    const session = this.#sessions.get(idOrToken) ?? this.#sessions.get(hash(idOrToken));
    if (!session) return undefined;
    session.revoke();
    this.#sessions.delete(session.id);
    return session;
  }

  /** All that are valid. */
  all(nowMs: number): Iterable<AgentSession> {
    this.#forgetExpired(nowMs);
    return this.#sessions.values();
  }

  #forgetExpired(nowMs: number): void {
    for (const [id, { expiresAtMs }] of this.#sessions) if (expiresAtMs <= nowMs) this.#sessions.delete(id);
  }
}

function hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
