import { readFileSync, statSync } from 'node:fs';
import { GatewayError, toError } from '../core/errors.ts';
import { isRecord } from '../platform/platform-errors.ts';
import type { Endpoint, FieldKind } from '../platform/rest/endpoint.ts';
import { ALL_ENDPOINTS } from '../platform/rest/endpoints.ts';
import type { Input, QueryValue } from '../platform/rest/request.ts';
import type { Flags } from './command-line.ts';

const MAX_FILE_BYTES = 32 * 1_048_576;

/** `voiceAgents` → `voice-agents`. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

export function endpointsOf(resource: string): readonly Endpoint[] {
  return ALL_ENDPOINTS.filter(({ group }) => kebab(group) === resource);
}

/** Whether the shell can wait for what `endpoint` answers. */
export function isJob({ group, verb }: Endpoint): boolean {
  return group === 'jobs' && verb !== 'list';
}

/** The flags of one verb: its fields, and what all verbs have. */
export function flagsOf(endpoint: Endpoint): Flags {
  const fields = Object.keys(endpoint.fields).map((field) => [kebab(field), 'string' as const]);
  return {
    ...Object.fromEntries(fields),
    data: 'string',
    json: 'boolean',
    help: 'boolean',
    ...(endpoint.repetition === 'once' ? { once: 'string' as const } : {}),
    ...(isJob(endpoint) ? { wait: 'boolean' as const } : {}),
    ...(endpoint.maxAudioBytes === undefined ? {} : { out: 'string' as const }),
  };
}

/**
 * What a verb is called with: the id, `--data`, and the flags, which win.
 *
 * @throws GatewayError `ERR_BAD_REQUEST` - saying what was needed.
 */
export function readInput(
  endpoint: Endpoint,
  words: readonly string[],
  flags: Readonly<Record<string, string | boolean | undefined>>,
): Input {
  const [id, ...excess] = words;
  const needsId = endpoint.id !== undefined && endpoint.id.in !== 'body';
  if (needsId && id === undefined) throw usage('no ID', 'an ID after the verb');
  const unexpected = endpoint.id === undefined ? id : excess[0];
  if (unexpected !== undefined) throw usage(`'${unexpected}'`, 'flags: --name VALUE');

  const { data } = flags;
  const fields: Record<string, unknown> = typeof data === 'string' ? readData(data) : {};
  for (const [field, kind] of Object.entries(endpoint.fields)) {
    const given = flags[kebab(field)];
    if (typeof given === 'string') fields[field] = readField(`--${kebab(field)}`, kind, given);
  }
  const name = id === undefined ? {} : { id };
  return endpoint.method === 'GET' ? { ...name, query: toQuery(fields) } : { ...name, body: fields };
}

function readData(given: string): Record<string, unknown> {
  const text = given.startsWith('@') ? readFile(given.slice(1)).toString() : given;
  const parsed = parseJson('--data', text);
  if (isRecord(parsed)) return { ...parsed };
  throw usage('--data is no object', 'a JSON object, or @FILE with one');
}

function readField(flag: string, kind: FieldKind, given: string): unknown {
  switch (kind) {
    case 'text':
      return given;
    case 'number': {
      const number = given.trim() === '' ? Number.NaN : Number(given);
      if (Number.isFinite(number)) return number;
      throw usage(`${flag} is '${given}'`, 'a number');
    }
    case 'flag':
      if (given === 'true' || given === 'false') return given === 'true';
      throw usage(`${flag} is '${given}'`, 'true or false');
    case 'list':
      return given.startsWith('[') ? parseJson(flag, given) : given.split(',').map((item) => item.trim());
    case 'json':
      return parseJson(flag, given.startsWith('@') ? readFile(given.slice(1)).toString() : given);
    case 'base64':
      return readFile(given).toString('base64');
  }
}

function toQuery(fields: Readonly<Record<string, unknown>>): Record<string, QueryValue> {
  for (const [field, value] of Object.entries(fields)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      throw usage(`'${field}' is an object`, 'values that a query can have: text, numbers, true, false');
    }
  }
  return fields as Record<string, QueryValue>;
}

function parseJson(flag: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not quoted: it may hold the secret of a web tool.
    throw usage(`${flag} is no JSON`, 'JSON, or @FILE with it');
  }
}

function readFile(path: string): Buffer {
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE_BYTES) throw new Error(`more than ${MAX_FILE_BYTES} bytes`);
    return readFileSync(path);
  } catch (cause) {
    throw usage(`'${path}' can not be read: ${toError(cause).message}`, 'a file');
  }
}

export function usage(found: string, needed: string): GatewayError {
  return new GatewayError('ERR_BAD_REQUEST', { found, needed });
}
