import type { Answer } from './types.ts';

/** The error body of section "Response Format". */
export interface ErrorBody {
  readonly success: false;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly details: Readonly<Record<string, never>>;
  };
}

/** The meanings that section "HTTP Status Codes" gives. */
const MEANINGS: ReadonlyMap<number, string> = new Map([
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [429, 'Rate Limited'],
  [500, 'Server Error'],
  [503, 'Service Unavailable'],
]);

/** A failure with the HTTP status it is to be answered with. */
export class GuideError extends Error {
  public readonly status: number;

  public constructor(status: number, message: string) {
    super(message);
    this.name = 'GuideError';
    this.status = status;
  }
}

/** Makes the 400 of section "HTTP Status Codes". */
export function badRequest(message: string): GuideError {
  return new GuideError(400, message);
}

/** Makes the 404 of section "HTTP Status Codes". */
export function notFound(what: string): GuideError {
  return new GuideError(404, `${what} doesn't exist.`);
}

/**
 * Builds the code of section "Common Error Codes": a part for the system and the status as the
 * last three digits. The table gives 10403 to an invalid or missing API key although section
 * "HTTP Status Codes" gives that case the status 401; the table wins for the code, the other
 * section for the status. The code is a string, because the example of the error body has one.
 */
export function errorCode(status: number): string {
  return status === 401 ? '10403' : `10${String(status)}`;
}

/** Builds the error body; `details` stays empty, as in the guide's only example. */
export function errorBody(status: number, message?: string): ErrorBody {
  const text = message ?? MEANINGS.get(status) ?? `Error ${String(status)}`;
  return { success: false, error: { code: errorCode(status), message: text, details: {} } };
}

/** Wraps data in the success body of section "Response Format" (done when it is sent). */
export function ok(data: unknown): Answer {
  return { kind: 'json', data };
}
