import { z } from 'zod';
import { ApiError } from '../api-error.ts';

/** What requests are made of. Unknown fields are accepted everywhere and kept. */
export type Fields = Readonly<Record<string, unknown>>;

export const name: z.ZodString = z.string().trim().min(1).max(256);
export const text: z.ZodString = z.string().max(100_000);
export const idField: z.ZodString = z.string().min(1).max(512);
export const number: z.ZodString = z.string().trim().min(1).max(128);
export const params: z.ZodRecord<z.ZodString, z.ZodUnknown> = z.record(z.string(), z.unknown());
export const webAddress: z.ZodString = z.string().max(8192);

const page = z.coerce.number().int().min(1).max(1_000_000).optional();
const limit = z.coerce.number().int().min(1).max(100).optional();

export interface PageQuery {
  readonly page?: number | undefined;
  readonly limit?: number | undefined;
  readonly [filter: string]: unknown;
}

export const pageQuery: z.ZodType<PageQuery> = z.looseObject({ page, limit });

export interface Page<T> {
  readonly items: readonly T[];
  readonly total: number;
  readonly page: number;
  readonly limit: number;
}

const DEFAULT_LIMIT = 20;

/** The wanted page of `records`, of those whose fields in `filters` are what the query asks for, if it asks. */
export function pageOf<T extends object>(
  records: readonly T[],
  query: PageQuery,
  filters: readonly (keyof T & string)[] = [],
): Page<T> {
  const wanted = filters.filter((field) => query[field] !== undefined && query[field] !== null && query[field] !== '');
  const matching = records.filter((record) => wanted.every((field) => isSame(record[field], query[field])));
  const { page = 1, limit = DEFAULT_LIMIT } = query;
  const from = (page - 1) * limit;
  return { items: matching.slice(from, from + limit), total: matching.length, page, limit };
}

/** A query has text only, and nobody remembers in which case a status is written. */
function isSame(value: unknown, wanted: unknown): boolean {
  const either = Array.isArray(wanted) ? wanted : [wanted];
  return either.some((one) => String(value).toLowerCase() === String(one).toLowerCase());
}

/** The first of `fields` that is there: several names are in use. */
export function findText(body: Fields, ...fields: readonly string[]): string | undefined {
  for (const field of fields) {
    const value = body[field];
    if (typeof value === 'string' && value.trim() !== '') return value;
  }
  return undefined;
}

/** As {@link findText}. @throws ApiError 400 - none is there. */
export function requireText(body: Fields, ...fields: readonly string[]): string {
  const found = findText(body, ...fields);
  if (found === undefined) throw invalid(fields[0]!, 'is required');
  return found;
}

/** Whether a time (ISO 8601) is between `startDate` and `endDate` of a query, as far as it has them. */
export function periodOf(query: Fields): (time: string) => boolean {
  const [fromMs, toMs] = ['startDate', 'endDate'].map((field) => Date.parse(findText(query, field) ?? ''));
  return (time) => {
    const atMs = Date.parse(time);
    return !(atMs < fromMs!) && !(atMs > toMs!);
  };
}

export function invalid(path: string, message: string): ApiError {
  return new ApiError(400, 'Request validation failed', { issues: [{ path, message }] });
}
