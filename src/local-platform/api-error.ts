import type { z } from 'zod';

/** A refusal as the platform words it. Over HTTP `status` is the answer's; over the socket only `message` is seen. */
export class ApiError extends Error {
  readonly status: number;
  readonly details: object;

  constructor(status: number, message: string, details: object = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.details = details;
  }
}

/** `10` is the part of the platform; an unknown key is `10403` although its status is 401. */
export function failureBody({ status, message, details }: ApiError): object {
  const code = `10${status === 401 ? 403 : status}`;
  return { success: false, error: { code, message, details } };
}

export function successBody(data: unknown): object {
  return { success: true, data };
}

/** The fields that a schema refused and why, without the values that were sent. */
export function issuesOf(error: z.ZodError): { path: string; message: string }[] {
  return error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
}
