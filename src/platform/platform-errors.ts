import { type ErrorCode, GatewayError, toError } from '../core/errors.ts';
import { redact } from '../core/secrets.ts';

export type PlatformErrorCode = Extract<ErrorCode, `ERR_PLATFORM_${string}`>;

/** How much of the platform's own words an error keeps. */
const MAX_QUOTE_CHARACTERS = 200;
/** Longest wait that a header of the platform can ask for. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/** A refusal or failure of the platform, classified. Its message never holds a key. */
export class PlatformError extends GatewayError {
  /** HTTP status or WebSocket close code, where there was one. */
  readonly status: number | undefined;
  /** How long the platform asked to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: PlatformErrorCode,
    found: string,
    details: { readonly status?: number; readonly retryAfterMs?: number | undefined } = {},
  ) {
    const cure = CURES[code];
    super(code, { found: redact(found), ...(cure === undefined ? {} : { cure }) });
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}

const CURES: Partial<Record<PlatformErrorCode, string>> = {
  ERR_PLATFORM_AUTH: 'set HAMSA_API_KEY to a valid key',
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
  [/invalid (?:payload|message)|only wav/i, 'ERR_PLATFORM_REQUEST'],
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
  return new PlatformError(classifyProse(prose) ?? 'ERR_PLATFORM_PROTOCOL', `the platform answered ${quote(prose)}`);
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
  return new PlatformError(code, `the platform closed the socket with ${closeCode}${words}`, { status: closeCode });
}

/** The error of a connection that could not be made or broke. `what` says what was tried, without a URL. */
export function errorFromNetwork(what: string, cause: unknown): PlatformError {
  const error = toError(cause);
  const systemCode = (error as NodeJS.ErrnoException).code;
  const timedOut = systemCode === 'ETIMEDOUT' || systemCode === 'UND_ERR_CONNECT_TIMEOUT';
  // The cause itself is not kept: other libraries put whole URLs into their errors.
  const reason = error.message || systemCode || error.name;
  return new PlatformError(timedOut ? 'ERR_PLATFORM_TIMEOUT' : 'ERR_PLATFORM_UNAVAILABLE', `${what} failed: ${reason}`);
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
  const { message, code: bodyCode } = readFailure(answer.body);
  const status = answer.status < 300 && bodyCode !== undefined ? bodyCode % 1000 : answer.status;
  const words = message === '' ? '' : `: ${quote(message)}`;
  return new PlatformError(classifyAnswer(status, message), `the platform answered ${status}${words}`, {
    status,
    retryAfterMs: readRetryAfterMs(answer.headers, nowWallMs),
  });
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
  return keyMayBeMeant && ABOUT_THE_KEY.test(message) ? 'ERR_PLATFORM_AUTH' : 'ERR_PLATFORM_REQUEST';
}

interface Failure {
  readonly message: string;
  readonly code: number | undefined;
}

function readFailure(body: string): Failure {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    // A page of a proxy says nothing that is worth a line of a log.
    return { message: body.trimStart().startsWith('<') ? '' : body, code: undefined };
  }
  if (!isRecord(parsed)) return { message: typeof parsed === 'string' ? parsed : '', code: undefined };
  const inner = isRecord(parsed['error']) ? parsed['error'] : parsed;
  const message = [inner['message'], parsed['message'], parsed['error'], parsed['detail']].find(isMessage);
  const code = Number(inner['code'] ?? parsed['code']);
  const holdsStatus = Number.isInteger(code) && code % 1000 >= 400 && code % 1000 < 600;
  return { message: message === undefined ? '' : String(message), code: holdsStatus ? code : undefined };
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
