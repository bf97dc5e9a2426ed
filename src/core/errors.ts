/**
 * Every error the gateway can raise, in one table. The README's list is generated from it.
 *
 * `code` is stable and is what a program matches on; the message is for people. SIP status, HTTP status and
 * WebSocket close code are separate facts of the same error and are never derived from one another.
 */
export interface ErrorEntry {
  /** One sentence for the reference table. */
  readonly meaning: string;
  /** Whether the same request may succeed when it is made again unchanged. */
  readonly retryable: boolean;
  /** Answer of the gateway's own HTTP API when the error reaches it. */
  readonly httpStatus?: number;
  /** Answer of the gateway's SIP server when the error reaches it. */
  readonly sipStatus?: number;
}

const table = {
  ERR_SETTINGS_INVALID: { meaning: 'A setting has a value that can not be used.', retryable: false },
  ERR_SETTINGS_FILE: { meaning: 'The settings file can not be read or is not a JSON object.', retryable: false },
  ERR_KEY_MISSING: {
    meaning: 'No API key is set and the command does not fall back to the local platform.',
    retryable: false,
  },
  ERR_LISTEN: { meaning: 'An address the gateway must listen on can not be bound.', retryable: false },
  ERR_NOT_BUILT: {
    meaning: 'The command or route is part of the contract and does not exist yet.',
    retryable: false,
    httpStatus: 501,
  },
  ERR_BAD_REQUEST: {
    meaning: 'The request is malformed or has a field that can not be used.',
    retryable: false,
    httpStatus: 400,
  },
  ERR_UNAUTHORIZED: {
    meaning: 'The token is missing, wrong or not valid any more.',
    retryable: false,
    httpStatus: 401,
  },
  ERR_FORBIDDEN_ORIGIN: { meaning: 'The Host or Origin header names another site.', retryable: false, httpStatus: 401 },
  ERR_NOT_FOUND: {
    meaning: 'No such route, no such call or no such agent session.',
    retryable: false,
    httpStatus: 404,
  },
  ERR_WRONG_STATE: {
    meaning: 'The call or the agent session is not in a state in which this can be done.',
    retryable: false,
    httpStatus: 409,
  },
  ERR_SHUTTING_DOWN: {
    meaning: 'The gateway is stopping and takes no new work.',
    retryable: true,
    httpStatus: 503,
    sipStatus: 503,
  },
  ERR_TOO_MANY_CALLS: {
    meaning: 'GATEWAY_MAX_CALLS calls are up already.',
    retryable: true,
    httpStatus: 429,
    sipStatus: 503,
  },
  ERR_NOT_ADMITTED: {
    meaning: 'The quota could not serve one call more; only with GATEWAY_ADMISSION.',
    retryable: true,
    httpStatus: 429,
    sipStatus: 503,
  },
  ERR_TOO_MANY_READERS: { meaning: 'Too many event sockets are open already.', retryable: true, httpStatus: 429 },
  ERR_TOO_MANY_SESSIONS: {
    meaning: 'Too many agent sessions were issued within a minute, are valid or are connected.',
    retryable: true,
    httpStatus: 429,
  },
  ERR_SESSION_SCOPE: {
    meaning: 'The session token is for another agent or another conversation.',
    retryable: false,
    httpStatus: 403,
  },
  ERR_RTP_PORTS: {
    meaning: 'Every port of GATEWAY_RTP_PORTS is in use.',
    retryable: true,
    httpStatus: 429,
    sipStatus: 503,
  },
  ERR_SDP_NO_CODEC: {
    meaning: 'The offer has no audio codec that the gateway speaks.',
    retryable: false,
    sipStatus: 488,
  },
  ERR_WAV_INVALID: { meaning: 'The bytes are not a WAV file that can be read.', retryable: false },
  ERR_SIP_TIMEOUT: { meaning: 'The SIP peer did not answer within 64*T1.', retryable: true },
  ERR_SIP_REFUSED: { meaning: 'The SIP peer refused the call.', retryable: false },
  ERR_SDP_INVALID: { meaning: 'A session description can not be read.', retryable: false, sipStatus: 400 },
  ERR_PLATFORM_AUTH: { meaning: 'The platform refuses the API key.', retryable: false, httpStatus: 502 },
  ERR_PLATFORM_WALLET: {
    meaning: 'The account has no funds or its usage limit is reached.',
    retryable: false,
    httpStatus: 502,
  },
  ERR_PLATFORM_RATE: { meaning: 'The platform refuses the request for its rate.', retryable: true, httpStatus: 429 },
  ERR_PLATFORM_REQUEST: { meaning: 'The platform refuses the request itself.', retryable: false, httpStatus: 400 },
  ERR_PLATFORM_PERMISSION: { meaning: 'The API key lacks the permission for this.', retryable: false, httpStatus: 502 },
  ERR_PLATFORM_NOT_FOUND: { meaning: 'The platform has nothing of that id.', retryable: false, httpStatus: 404 },
  ERR_PLATFORM_OVERSIZE: {
    meaning: 'The platform answered more than is read of an answer.',
    retryable: false,
    httpStatus: 502,
  },
  ERR_PLATFORM_CIRCUIT: {
    meaning: 'The platform keeps failing and is left alone for a while.',
    retryable: true,
    httpStatus: 503,
  },
  ERR_PLATFORM_BACKLOG: {
    meaning: 'Too many requests wait for the platform already.',
    retryable: true,
    httpStatus: 503,
  },
  ERR_PLATFORM_JOB: { meaning: 'A job of the platform ended without a result.', retryable: false },
  ERR_PLATFORM_UNAVAILABLE: {
    meaning: 'The platform can not be reached, closed the connection or answered 5xx.',
    retryable: true,
    httpStatus: 502,
  },
  ERR_PLATFORM_TIMEOUT: { meaning: 'The platform did not answer in time.', retryable: true, httpStatus: 504 },
  ERR_PLATFORM_PROTOCOL: {
    meaning: 'The platform answered with something that can not be understood.',
    retryable: true,
    httpStatus: 502,
  },
  ERR_QUOTA_WAIT: { meaning: 'The quota had no room for the request in time.', retryable: true, httpStatus: 429 },
  ERR_STT_FAILED: { meaning: 'An utterance could not be transcribed.', retryable: true },
  ERR_STT_BACKLOG: {
    meaning: 'Too many utterances wait for the platform; the oldest of the call was given up.',
    retryable: true,
  },
  ERR_STT_DEFERRED: {
    meaning: 'The utterance was stored instead, and its transcript comes later; never told in an event.',
    retryable: false,
  },
  ERR_STT_STORE_FULL: {
    meaning: 'A stored utterance had to give way to newer ones before the platform was back.',
    retryable: false,
  },
  ERR_TTS_TORN: { meaning: 'The audio of a reply ended before its end.', retryable: true },
  ERR_TTS_EMPTY: { meaning: 'The platform answered a text with no audio.', retryable: true },
  ERR_TTS_SHORT: { meaning: 'The audio of a reply is far too short for its text.', retryable: true },
  ERR_TTS_BACKLOG: { meaning: 'Too many replies wait to be spoken on the call.', retryable: true, httpStatus: 429 },
  ERR_URL_REFUSED: {
    meaning: 'A URL that was to be called is not of the web, or leads to a private address.',
    retryable: false,
    httpStatus: 400,
  },
  ERR_URL_FAILED: {
    meaning: 'A URL that was to be called gave no answer, too late a one or too large a one.',
    retryable: true,
    httpStatus: 502,
  },
  ERR_STORE: { meaning: 'A store, in a folder or in Redis, can not be opened, read or written.', retryable: false },
  ERR_OUTPUT: { meaning: 'A file can not be written, or sound can not be played.', retryable: false },
  ERR_DEMO: { meaning: 'The demo call did not go as it should.', retryable: false },
  ERR_ABORTED: { meaning: 'The work was given up because nobody waits for it any more.', retryable: false },
} as const;

export type ErrorCode = keyof typeof table;

export const ERRORS: Readonly<Record<ErrorCode, ErrorEntry>> = table;

export interface ErrorDetails {
  /** What was met, as a sentence fragment: `"GATEWAY_HTTP is 'localhost'"`. */
  readonly found: string;
  /** What would have been right: `"HOST:PORT"`. */
  readonly needed?: string;
  /** What the reader can do about it. */
  readonly cure?: string;
  readonly cause?: unknown;
}

/** An error with a stable {@link ErrorCode}; its message reads found / needed / cure. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly found: string;
  readonly needed: string | undefined;
  readonly cure: string | undefined;

  constructor(code: ErrorCode, details: ErrorDetails | string) {
    const { found, needed, cure, cause }: ErrorDetails = typeof details === 'string' ? { found: details } : details;
    const parts = [found];
    if (needed !== undefined) parts.push(`needed: ${needed}`);
    if (cure !== undefined) parts.push(`cure: ${cure}`);
    super(parts.join('; '), cause === undefined ? undefined : { cause });
    this.name = 'GatewayError';
    this.code = code;
    this.found = found;
    this.needed = needed;
    this.cure = cure;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** Any thrown value as an Error, for logs and `cause` chains. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
