import { type ErrorCode, GatewayError, toError } from '../core/errors.ts';
import { redact } from '../core/secrets.ts';

export type PlatformErrorCode = Extract<ErrorCode, `ERR_PLATFORM_${string}`>;

/** How much of the platform's own words an error keeps. */
const MAX_QUOTE_CHARACTERS = 200;
/** Longest wait that a header of the platform can ask for. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/** What is known of a refusal besides its code. */
export interface PlatformErrorFacts {
  /** HTTP status or WebSocket close code, where there was one. */
  readonly status?: number | undefined;
  /** How long the platform asked to wait. */
  readonly retryAfterMs?: number | undefined;
  /** The platform's own code: a part of the platform and a status in one number, `10403`. */
  readonly joinedCode?: number | undefined;
  /** The platform's own code where it is a word, `VALIDATION_ERROR`. */
  readonly reason?: string | undefined;
  /** `x-request-id` of the answer, which the platform's support asks for. */
  readonly requestId?: string | undefined;
  /** What the answer said under `details`, without secrets. */
  readonly details?: unknown;
  /** Whether the failure proves that the platform did nothing, so that any request may be sent again. */
  readonly nothingDone?: boolean | undefined;
}

/**
 * A refusal or failure of the platform, classified. Its message never holds a key. Each family of codes has a class of
 * its own below; {@link platformError} chooses it.
 */
export class PlatformError extends GatewayError {
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly joinedCode: number | undefined;
  /** The part of the platform that refused: 10 of the joined code 10403. */
  readonly part: number | undefined;
  readonly reason: string | undefined;
  readonly requestId: string | undefined;
  readonly details: unknown;
  readonly nothingDone: boolean;

  constructor(code: PlatformErrorCode, found: string, facts: PlatformErrorFacts = {}) {
    const cure = CURES[code];
    super(code, { found: redact(found), ...(cure === undefined ? {} : { cure }) });
    this.name = new.target.name;
    this.status = facts.status;
    this.retryAfterMs = facts.retryAfterMs;
    this.joinedCode = facts.joinedCode;
    this.part = Math.floor((facts.joinedCode ?? 0) / 1000) || undefined;
    this.reason = facts.reason;
    this.requestId = facts.requestId;
    this.details = facts.details;
    this.nothingDone = facts.nothingDone ?? false;
  }
}

/** The API key is missing, wrong or inactive. */
export class AuthenticationError extends PlatformError {}
/** The key is good and may not do this. */
export class PermissionError extends PlatformError {}
/** There is nothing of that id. */
export class NotFoundError extends PlatformError {}
/** The request itself is wrong; found by the platform, or before anything was sent. */
export class ValidationError extends PlatformError {}
/** Too many requests, now. */
export class RateLimitError extends PlatformError {}
/** The account has no funds or its usage limit is reached. */
export class WalletError extends PlatformError {}
/** The platform failed: 5xx, a job that failed, or so many failures that it is left alone. */
export class ServerError extends PlatformError {}
/** The platform can not be reached, or the connection broke. */
export class NetworkError extends PlatformError {}
/** The platform did not answer in time. */
export class TimeoutError extends PlatformError {}
/** The answer is not one: not JSON, of another shape, a redirect, too large. */
export class ProtocolError extends PlatformError {}
/** More requests wait here than may. */
export class BacklogError extends PlatformError {}

/** The caller gave up. */
export class AbortedError extends GatewayError {
  constructor(what: string) {
    super('ERR_ABORTED', `${what} was given up`);
    this.name = 'AbortedError';
  }
}

const FAMILIES: Readonly<Record<PlatformErrorCode, typeof PlatformError>> = {
  ERR_PLATFORM_AUTH: AuthenticationError,
  ERR_PLATFORM_PERMISSION: PermissionError,
  ERR_PLATFORM_NOT_FOUND: NotFoundError,
  ERR_PLATFORM_REQUEST: ValidationError,
  ERR_PLATFORM_RATE: RateLimitError,
  ERR_PLATFORM_WALLET: WalletError,
  ERR_PLATFORM_UNAVAILABLE: ServerError,
  ERR_PLATFORM_CIRCUIT: ServerError,
  ERR_PLATFORM_JOB: ServerError,
  ERR_PLATFORM_TIMEOUT: TimeoutError,
  ERR_PLATFORM_PROTOCOL: ProtocolError,
  ERR_PLATFORM_OVERSIZE: ProtocolError,
  ERR_PLATFORM_BACKLOG: BacklogError,
};

/** The error of `code` as its family. Unavailable without an HTTP status is the network's fault. */
export function platformError(code: PlatformErrorCode, found: string, facts: PlatformErrorFacts = {}): PlatformError {
  const isHttpStatus = facts.status !== undefined && facts.status < 600;
  const isNetwork = code === 'ERR_PLATFORM_UNAVAILABLE' && !isHttpStatus;
  const Family = isNetwork ? NetworkError : FAMILIES[code];
  return new Family(code, found, facts);
}

const CURES: Partial<Record<PlatformErrorCode, string>> = {
  ERR_PLATFORM_AUTH: 'set HAMSA_API_KEY to a valid key',
  ERR_PLATFORM_PERMISSION: 'use a key that may do this',
  ERR_PLATFORM_WALLET: 'top up the account or raise its usage limit',
};

/**
 * What the platform's prose means, first match wins: over the socket there is nothing else to go by. A usage limit is
 * an empty wallet although it arrives as 429, and "Error generating …" is the platform's failure even where its engine
 * complains of a key or a payload.
 */
const PROSE: readonly (readonly [RegExp, PlatformErrorCode])[] = [
  [/usage limit|insufficient (?:funds|balance|credits?)|payment required/i, 'ERR_PLATFORM_WALLET'],
  [/rate.?limit|too many requests/i, 'ERR_PLATFORM_RATE'],
  [/^error generating|internal .*error/i, 'ERR_PLATFORM_UNAVAILABLE'],
  [/invalid (?:payload|message)|only wav|\bmust (?:be|have|not)\b|\bis required\b/i, 'ERR_PLATFORM_REQUEST'],
  [/api.?key|inactive|unauthori[sz]ed|authentication/i, 'ERR_PLATFORM_AUTH'],
];

/** Words of an HTTP answer that make a refusal one of the key; without them a 403 is a missing permission. */
const ABOUT_THE_KEY = /\bkey\b|api.?key|^inactive|account .*inactive/i;

function classifyProse(prose: string): PlatformErrorCode | undefined {
  return PROSE.find(([pattern]) => pattern.test(prose))?.[1];
}

/** The platform's words as one short line. */
function quote(prose: string): string {
  // Redacted before it is cut, so that no half of a key is left at the end.
  const line = redact(prose)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  return line.length > MAX_QUOTE_CHARACTERS ? `'${line.slice(0, MAX_QUOTE_CHARACTERS)}…'` : `'${line}'`;
}

/** The error of an `error` frame of the realtime socket. Prose that was never seen is `ERR_PLATFORM_PROTOCOL`. */
export function errorFromProse(prose: string): PlatformError {
  return platformError(classifyProse(prose) ?? 'ERR_PLATFORM_PROTOCOL', `the platform answered ${quote(prose)}`);
}

/** 4500 is an authentication service that failed, which says nothing about the key. */
const CLOSE_CODES: Readonly<Record<number, PlatformErrorCode>> = {
  1001: 'ERR_PLATFORM_UNAVAILABLE',
  4001: 'ERR_PLATFORM_AUTH',
  4003: 'ERR_PLATFORM_WALLET',
  4500: 'ERR_PLATFORM_UNAVAILABLE',
};

/** The error of a realtime socket that was closed: by its code, else by its reason, else it is unavailable. */
export function errorFromClose(closeCode: number, reason: string): PlatformError {
  const code = CLOSE_CODES[closeCode] ?? classifyProse(reason) ?? 'ERR_PLATFORM_UNAVAILABLE';
  const words = reason === '' ? '' : ` ${quote(reason)}`;
  return platformError(code, `the platform closed the socket with ${closeCode}${words}`, { status: closeCode });
}

/** Failures that come before the first byte of a request is sent. */
const BEFORE_SENDING = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);
const TIMED_OUT = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** The error of a connection that could not be made or broke. `what` says what was tried, without a URL. */
export function errorFromNetwork(what: string, cause: unknown): PlatformError {
  const error = toError(cause);
  const systemCode = (error as NodeJS.ErrnoException).code ?? '';
  // The cause itself is not kept: other libraries put whole URLs into their errors.
  const reason = error.message || systemCode || error.name;
  return platformError(classifyNetwork(systemCode), `${what} failed: ${reason}`, {
    nothingDone: isBeforeSending(error),
  });
}

function classifyNetwork(systemCode: string): PlatformErrorCode {
  if (TIMED_OUT.has(systemCode)) return 'ERR_PLATFORM_TIMEOUT';
  // What came is not HTTP, or its headers are too large.
  const isMalformed = systemCode.startsWith('HPE_') || systemCode === 'UND_ERR_HEADERS_OVERFLOW';
  return isMalformed ? 'ERR_PLATFORM_PROTOCOL' : 'ERR_PLATFORM_UNAVAILABLE';
}

/** A name with several addresses fails with one error for each. */
function isBeforeSending(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isBeforeSending);
  const { code = '', syscall } = error as NodeJS.ErrnoException;
  return BEFORE_SENDING.has(code) || syscall === 'connect';
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * The error of an HTTP answer that is not the wanted one: a status of 300 or more, or a body that says it failed.
 *
 * Reads `{success:false,error:{code,message}}`, bare `{code,message}`, `{error:"…"}`, lists of messages and plain text;
 * a code of five digits is a part of the platform and a status in one (`10429`).
 */
export function errorFromAnswer(
  answer: { readonly status: number; readonly headers: Headers; readonly body: string },
  nowWallMs: number,
): PlatformError {
  const { headers } = answer;
  const { message, joinedCode, reason, details } = readFailure(answer.body);
  const status = answer.status < 300 && joinedCode !== undefined ? joinedCode % 1000 : answer.status;
  const words = message === '' ? '' : `: ${quote(message)}`;
  const code = classifyAnswer(status, message);
  return platformError(code, `the platform answered ${status}${words}`, {
    status,
    // The end of the quota's window is told with every answer; only a 429 makes it a reason to wait.
    retryAfterMs: status === 429 || headers['retry-after'] ? readRetryAfterMs(headers, nowWallMs) : undefined,
    joinedCode,
    reason,
    requestId: readRequestId(headers),
    details,
    nothingDone: code === 'ERR_PLATFORM_RATE' || (status === 503 && Boolean(headers['retry-after'])),
  });
}

/** `x-request-id`, if it is a plausible one. */
export function readRequestId(headers: Headers): string | undefined {
  const id = headers['x-request-id'];
  return typeof id === 'string' && /^[\x21-\x7e]{1,128}$/.test(id) ? redact(id) : undefined;
}

function classifyAnswer(status: number, message: string): PlatformErrorCode {
  if (status >= 500) return status === 504 ? 'ERR_PLATFORM_TIMEOUT' : 'ERR_PLATFORM_UNAVAILABLE';
  const prose = classifyProse(message);
  if (status === 429) return prose === 'ERR_PLATFORM_WALLET' ? prose : 'ERR_PLATFORM_RATE';
  if (status === 401) return 'ERR_PLATFORM_AUTH';
  if (status === 402) return 'ERR_PLATFORM_WALLET';
  if (status === 408) return 'ERR_PLATFORM_TIMEOUT';
  if (status < 400) return prose ?? 'ERR_PLATFORM_PROTOCOL';
  if (prose === 'ERR_PLATFORM_WALLET' || prose === 'ERR_PLATFORM_RATE') return prose;
  const keyMayBeMeant = prose === 'ERR_PLATFORM_AUTH' || status === 403;
  if (keyMayBeMeant && ABOUT_THE_KEY.test(message)) return 'ERR_PLATFORM_AUTH';
  if (status === 403) return 'ERR_PLATFORM_PERMISSION';
  return status === 404 ? 'ERR_PLATFORM_NOT_FOUND' : 'ERR_PLATFORM_REQUEST';
}

interface Failure {
  readonly message: string;
  readonly joinedCode?: number | undefined;
  readonly reason?: string | undefined;
  readonly details?: unknown;
}

function readFailure(body: string): Failure {
  // Before it is parsed: the details are kept as they come.
  const text = redact(body);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // A page of a proxy says nothing that is worth a line of a log.
    return { message: text.trimStart().startsWith('<') ? '' : text };
  }
  if (!isRecord(parsed)) return { message: typeof parsed === 'string' ? parsed : '' };
  const inner = isRecord(parsed['error']) ? parsed['error'] : parsed;
  const message = [inner['message'], parsed['message'], parsed['error'], parsed['detail']].find(isMessage);
  const code = inner['code'] ?? parsed['code'];
  const joinedCode = readJoinedCode(code);
  return {
    message: message === undefined ? '' : String(message),
    joinedCode,
    reason: joinedCode === undefined && typeof code === 'string' ? code.slice(0, MAX_QUOTE_CHARACTERS) : undefined,
    details: inner['details'],
  };
}

/** `code` as the number it is or spells, if its last three digits are the status of a failure. */
export function readJoinedCode(code: unknown): number | undefined {
  const number = typeof code === 'number' || (typeof code === 'string' && /^\d{3,9}$/.test(code)) ? Number(code) : 0;
  return Number.isSafeInteger(number) && number % 1000 >= 400 && number % 1000 < 600 ? number : undefined;
}

function isMessage(value: unknown): value is string | readonly string[] {
  return typeof value === 'string' || (Array.isArray(value) && value.every((item) => typeof item === 'string'));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * How long the headers ask to wait: `Retry-After` in seconds or as an HTTP date, else `X-RateLimit-Reset`, an epoch in
 * seconds or milliseconds. Between 0 and an hour; undefined when neither can be read.
 */
export function readRetryAfterMs(headers: Headers, nowWallMs: number): number | undefined {
  const retryAfter = headers['retry-after'];
  const reset = headers['x-ratelimit-reset'];
  let waitMs = Number.NaN;
  if (typeof retryAfter === 'string') {
    waitMs = /^\s*\d+(\.\d+)?\s*$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - nowWallMs;
  }
  if (Number.isNaN(waitMs) && typeof reset === 'string' && /^\d+$/.test(reset)) {
    // Seconds reach 10^11 in the year 5138, milliseconds passed it in 1973.
    const resetMs = Number(reset) < 1e11 ? Number(reset) * 1000 : Number(reset);
    waitMs = resetMs - nowWallMs;
  }
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS);
}
