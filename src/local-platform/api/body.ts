import { ApiError } from '../api-error.ts';

/** Deeper ones could not be written again: that takes a frame of the stack for each level. */
const MAX_DEPTH = 64;

/** A body as it is meant; an empty one is `{}`. @throws SyntaxError; ApiError 400 - it is nested too deeply. */
export function parseBody(text: string): unknown {
  const body: unknown = text === '' ? {} : JSON.parse(text);
  let level: unknown[] = [body];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new ApiError(400, `The body is nested deeper than ${MAX_DEPTH} levels`);
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
  }
  return body;
}
