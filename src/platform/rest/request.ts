import { platformError, type ValidationError } from '../platform-errors.ts';
import type { Endpoint } from './endpoint.ts';

export type QueryValue = string | number | boolean | readonly (string | number | boolean)[] | null | undefined;

/** What an endpoint is called with. */
export interface Input {
  readonly id?: string;
  readonly query?: Readonly<Record<string, QueryValue>>;
  /** Sent as JSON; what is undefined in it is left out. */
  readonly body?: object;
}

export interface Request {
  readonly method: Endpoint['method'];
  /** With the query. */
  readonly path: string;
  readonly body: string | undefined;
}

const MAX_BODY_CHARACTERS = 32 * 1_048_576;
const MAX_ID_CHARACTERS = 512;

/**
 * One call of `endpoint` as a request. The body of a POST or PATCH is never empty: many servers refuse that.
 *
 * @throws ValidationError - the id can not be part of a path, or a limit of the platform is not kept.
 */
export function buildRequest(endpoint: Endpoint, input: Input): Request {
  const { method, path, id } = endpoint;
  const body: Record<string, unknown> = { ...input.body };
  const query: Record<string, QueryValue> = { ...input.query };
  if (id !== undefined && (input.id !== undefined || id.in !== 'body')) {
    const value = checkId(endpoint, input.id);
    if (id.in === 'query') for (const name of id.names) query[name] = value;
    if (id.in === 'body') for (const name of id.names) body[name] ??= value;
  }
  endpoint.check?.(body);
  const hasBody = method === 'POST' || method === 'PATCH';
  return {
    method,
    path: path.replace('{id}', () => encodeURIComponent(input.id ?? '')) + encodeQuery(query),
    body: hasBody ? encodeBody(body) : undefined,
  };
}

function checkId({ group, verb }: Endpoint, id: unknown): string {
  const isUsable = typeof id === 'string' && id !== '' && id !== '.' && id !== '..' && id.length <= MAX_ID_CHARACTERS;
  // Half of a surrogate pair has no UTF-8.
  if (isUsable && !/\p{Surrogate}/u.test(id)) return id;
  throw invalid(`${group}.${verb} needs an id of 1 to ${MAX_ID_CHARACTERS} characters other than '.' and '..'`);
}

function encodeQuery(query: Readonly<Record<string, QueryValue>>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const item of [value].flat()) if (item !== undefined && item !== null) parameters.append(name, String(item));
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

function encodeBody(body: object): string {
  const text = JSON.stringify(body);
  if (text.length > MAX_BODY_CHARACTERS) throw invalid(`the request has more than ${MAX_BODY_CHARACTERS} characters`);
  return text;
}

function invalid(found: string): ValidationError {
  return platformError('ERR_PLATFORM_REQUEST', found);
}
