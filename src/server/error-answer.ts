import { ERRORS, type ErrorCode, GatewayError, toError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { redact } from '../core/secrets.ts';

export interface ErrorAnswer {
  readonly status: number;
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

/** How an error is told to a client. What is a defect of the gateway only the log is told. */
export function errorAnswer(thrown: unknown, logger: Logger): ErrorAnswer {
  const error = toError(thrown);
  if (error instanceof GatewayError) {
    const status = ERRORS[error.code].httpStatus ?? 500;
    return { status, error: { code: error.code, message: redact(error.message) } };
  }
  const isOurs = ((error as { statusCode?: number }).statusCode ?? 500) >= 500;
  if (isOurs) logger.error({ error }, 'an HTTP request failed');
  const message = isOurs ? 'internal error' : redact(error.message);
  return { status: isOurs ? 500 : 400, error: { code: 'ERR_BAD_REQUEST', message } };
}
