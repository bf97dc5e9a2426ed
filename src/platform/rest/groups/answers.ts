import { z } from 'zod';
import { isRecord } from '../../platform-errors.ts';

/**
 * What answers have in common. Fields that are known are checked; others pass through, since the platform adds some now
 * and then. A known field may be missing or null, but for ids.
 */

/** An answer whose fields nobody documents. `{}` where the platform said nothing but that it was done. */
export type Details = Readonly<Record<string, unknown>>;

/** Items of a list, and how many there are in all if the platform says so. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly total: number | undefined;
}

export type MaybeText = string | null | undefined;

/** An id is text; numbers become it. */
export const id: z.ZodType<string> = z.union([z.string().min(1), z.number().transform(String)]);
export const text: z.ZodType<MaybeText> = z.string().nullish();
export const flag: z.ZodType<boolean | null | undefined> = z.boolean().nullish();
export const number: z.ZodType<number | null | undefined> = z.number().nullish();

/**
 * An object some of whose fields come under other names, which the platform's guide does not settle: the first of
 * `names` that is there is taken for a field that is not. What came stays as it is besides.
 */
export function aliased<T>(names: Readonly<Record<string, readonly string[]>>, schema: z.ZodType<T>): z.ZodType<T> {
  return z.preprocess((data) => {
    if (!isRecord(data)) return data;
    const filled: Record<string, unknown> = { ...data };
    for (const [field, others] of Object.entries(names)) {
      const name = [field, ...others].find((one) => data[one] !== undefined && data[one] !== null);
      if (name !== undefined) filled[field] = data[name];
    }
    return filled;
  }, schema);
}

export const details: z.ZodType<Details> = z.preprocess(
  (data) => {
    if (isRecord(data)) return data;
    return data === undefined ? {} : { value: data };
  },
  z.record(z.string(), z.unknown()),
);

export function pageOf<T>(item: z.ZodType<T>): z.ZodType<Page<T>> {
  return z.preprocess(readPage, z.object({ items: z.array(item), total: z.number().optional() })) as z.ZodType<Page<T>>;
}

/** Keys under which lists were seen. Others have the name of what they list: `voiceAgents`. */
const LIST_KEYS = ['items', 'data', 'results', 'list'];
const TOTAL_KEYS = ['total', 'totalCount', 'count', 'filtered'];

/** `data` of a list as a page, if it is one: a list, or an object that holds one. */
export function readPage(data: unknown): unknown {
  if (data === undefined) return { items: [] };
  if (Array.isArray(data)) return { items: data };
  if (!isRecord(data)) return data;
  const key = [...LIST_KEYS, ...Object.keys(data)].find((name) => Array.isArray(data[name]));
  if (key === undefined) return data;
  const total = TOTAL_KEYS.map((name) => data[name]).find((value) => typeof value === 'number');
  return { items: data[key], total };
}
