import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { OutboundClient } from '../core/outbound-client.ts';
import { invalid } from './api/fields.ts';
import type { Params, WebTool } from './state/records.ts';

export type CallableTool = Pick<WebTool, 'name' | 'url' | 'method' | 'headers' | 'parameters'>;

export interface ToolResult {
  /** Whether the tool answered with a status of 200 to 299. */
  readonly ok: boolean;
  readonly status: number | null;
  /** Parsed if it is JSON, else text. */
  readonly body: unknown;
  readonly error: string | null;
  readonly durationMs: number;
}

export const TOOL_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

const MAX_ANSWER_BYTES = 262_144;
const TIMEOUT_MS = 10_000;
/** Set by HTTP itself. */
const OWN_HEADERS = ['host', 'connection', 'content-length', 'transfer-encoding', 'upgrade', 'expect'];

/** `{name}`, also as `{{name}}`. */
const PLACEHOLDER = /\{\{?\s*([\w-]+)\s*\}?\}/g;

interface Parameter {
  readonly name: string;
  readonly isRequired: boolean;
  readonly preset: unknown;
}

/**
 * Calls a tool as its description says: `{name}` in the URL is filled in, and what is left of the parameters goes into the
 * query of a GET or DELETE and into a body of JSON otherwise.
 *
 * @throws ApiError 400 - it can not be called: its URL leads to a private address, a header can not be sent, or a
 *   required parameter is missing.
 */
export async function callWebTool(
  outbound: OutboundClient,
  clock: Clock,
  tool: CallableTool,
  given: Params,
  signal: AbortSignal,
): Promise<ToolResult> {
  const startMs = clock.nowMs();
  const request = { ...requestOf(tool, given), timeoutMs: TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES, signal };
  const durationMs = (): number => Math.round(clock.nowMs() - startMs);
  try {
    const { status, body } = await outbound.request(request);
    return {
      ok: status >= 200 && status < 300,
      status,
      body: parse(Buffer.from(body).toString()),
      error: null,
      durationMs: durationMs(),
    };
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown;
    if (thrown.code === 'ERR_URL_REFUSED') throw invalid('url', thrown.found);
    return { ok: false, status: null, body: null, error: thrown.found, durationMs: durationMs() };
  }
}

/** Those of `params` that the tool has a use for. */
export function paramsFor({ url, parameters }: CallableTool, params: Params): Params {
  const inUrl = Array.from(url.matchAll(PLACEHOLDER), ([, name]) => name);
  const names = [...inUrl, ...parametersOf(parameters).map(({ name }) => name)];
  return Object.fromEntries(Object.entries(params).filter(([name]) => names.includes(name)));
}

function requestOf(
  { url, method, headers, parameters }: CallableTool,
  given: Params,
): { url: string; method: string; headers: Record<string, string>; body?: string } {
  const values: Record<string, unknown> = { ...given };
  for (const { name, isRequired, preset } of parametersOf(parameters)) {
    values[name] ??= preset;
    if (values[name] === undefined && isRequired) throw invalid(`params.${name}`, 'is required by the tool');
  }
  const filled = url.replace(PLACEHOLDER, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw invalid(`params.${name}`, 'is needed for the URL of the tool');
    delete values[name];
    return encodeURIComponent(asText(value));
  });
  const own = headersOf(headers);
  if (method !== 'GET' && method !== 'DELETE') {
    return {
      url: filled,
      method,
      headers: { 'content-type': 'application/json', ...own },
      body: JSON.stringify(values),
    };
  }
  const left = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  if (left.length === 0 || !URL.canParse(filled)) return { url: filled, method, headers: own };
  const withQuery = new URL(filled);
  for (const [name, value] of left) withQuery.searchParams.append(name, asText(value));
  return { url: withQuery.href, method, headers: own };
}

/** A list of `{name, required?, default?}`, or a JSON Schema of an object; anything else describes nothing. */
function parametersOf(parameters: unknown): Parameter[] {
  if (Array.isArray(parameters)) {
    return parameters.filter(isRecord).flatMap(({ name, required, value, ...rest }) => {
      return typeof name === 'string'
        ? [{ name, isRequired: required === true, preset: value ?? rest['default'] }]
        : [];
    });
  }
  if (!isRecord(parameters) || !isRecord(parameters['properties'])) return [];
  const required: unknown = parameters['required'];
  return Object.entries(parameters['properties']).map(([name, property]) => ({
    name,
    isRequired: Array.isArray(required) && required.includes(name),
    preset: isRecord(property) ? property['default'] : undefined,
  }));
}

function headersOf(headers: WebTool['headers']): Record<string, string> {
  const own: Record<string, string> = {};
  for (const { name, value } of headers) {
    const isSendable = /^[!#$%&'*+.^_`|~\w-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
    if (!isSendable || OWN_HEADERS.includes(name.toLowerCase())) throw invalid('headers', 'one can not be sent');
    own[name.toLowerCase()] = value;
  }
  return own;
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
