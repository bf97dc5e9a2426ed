import { badRequest, notFound } from './answers.ts';
import type { JsonObject, RequestContext } from './types.ts';

const PHONE_NUMBER = /^\+?[0-9][0-9 ().-]{4,19}$/;
const MAX_DEPTH = 8;

/** Tells whether a value is a JSON object and not an array or null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Tells whether a text looks like a phone number. */
export function looksLikePhoneNumber(text: string): boolean {
  return PHONE_NUMBER.test(text.trim());
}

/**
 * Requires a body with at least one field. The guide names no field for most rows (all but agents,
 * realtime TTS and realtime STT), so that an empty body is the one thing such a row can refuse.
 */
export function requireBody(context: RequestContext): JsonObject {
  const { body } = context;
  if (body === undefined || (Object.keys(body).length === 0 && context.files.length === 0)) {
    throw badRequest('The request body must be a JSON object with at least one field.');
  }
  return body;
}

/** Requires a string field that is not blank. */
export function requireText(body: JsonObject, field: string): string {
  const value = body[field];
  if (typeof value !== 'string' || value.trim() === '') {
    throw badRequest(`The field "${field}" must be a non-empty string.`);
  }
  return value;
}

/** Lets a field be absent, and refuses any value that is not a string. */
export function optionalText(body: JsonObject, field: string): void {
  const value = body[field];
  if (value !== undefined && typeof value !== 'string') {
    throw badRequest(`The field "${field}" must be a string.`);
  }
}

/** Lets a field be absent, and refuses any value that is not a number above zero. */
export function optionalPositive(body: JsonObject, field: string): number | undefined {
  const value = body[field];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    throw badRequest(`The field "${field}" must be a number above 0.`);
  }
  return value;
}

/** Collects every string inside a JSON value, down to a fixed depth. */
export function stringsIn(value: unknown, depth = 0): readonly string[] {
  if (typeof value === 'string') return [value];
  if (depth >= MAX_DEPTH || typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap((inner: unknown) => stringsIn(inner, depth + 1));
}

/** Finds the stored thing that some string of the query or the body refers to, if any does. */
export function findReferred<T>(context: RequestContext, lookUp: (text: string) => T | undefined): T | undefined {
  for (const text of [...stringsIn(context.query), ...stringsIn(context.body)]) {
    const found = lookUp(text);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Requires that the query or the body refers to a stored thing. Rows such as
 * `DELETE /v1/voice-agents/phone-number` have no id in the path, and the guide names neither the
 * place nor the field; the reference is therefore found by its value, under any name. A request
 * without any string is answered 400, one whose strings are all unknown is answered 404.
 */
export function requireReferred<T>(context: RequestContext, lookUp: (text: string) => T | undefined, what: string): T {
  const found = findReferred(context, lookUp);
  if (found !== undefined) return found;
  const strings = [...stringsIn(context.query), ...stringsIn(context.body)];
  if (strings.length === 0) throw badRequest(`The request names no ${what.toLowerCase()}.`);
  throw notFound(what);
}
