import type { IncomingMessage } from 'node:http';
import { GuideError, badRequest } from './answers.ts';
import { parseMultipart } from './multipart.ts';
import type { JsonObject, RecordedRequest, UploadedFile } from './types.ts';
import { isObject } from './validate.ts';

/** The guide gives no size limit for a body; this one only protects the process. */
const MAX_BODY_BYTES = 32 * 1_024 * 1_024;
const MAX_RECORDED = 1_000;

/** A body that was read; a faulty one carries the error to answer, so that it can be recorded. */
export interface ReadBody {
  readonly body: JsonObject | undefined;
  readonly files: readonly UploadedFile[];
  readonly isMultipart: boolean;
  readonly recorded: unknown;
  readonly fault: GuideError | undefined;
}

/** Splits the path from the query; of a repeated parameter the last value counts. */
export function splitUrl(request: IncomingMessage): {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
} {
  const [path = '/', ...rest] = (request.url ?? '/').split('?');
  return { path, query: Object.fromEntries(new URLSearchParams(rest.join('?'))) };
}

/** Gives the headers with one string each. */
export function plainHeaders(request: IncomingMessage): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(request.headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value] as const],
    ),
  );
}

/** Remembers the last 1,000 requests. */
export class RequestLog {
  public readonly requests: RecordedRequest[] = [];

  public add(request: RecordedRequest): void {
    this.requests.push(request);
    if (this.requests.length > MAX_RECORDED) this.requests.shift();
  }
}

async function readBytes(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return size > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks);
}

function faulty(recorded: unknown, message: string): ReadBody {
  const fault = badRequest(message);
  return { body: undefined, files: [], isMultipart: false, recorded, fault };
}

function readMultipart(contentType: string, bytes: Buffer): ReadBody {
  try {
    const { fields, files } = parseMultipart(contentType, bytes);
    const summary = files.map((file) => ({
      field: file.field,
      fileName: file.fileName,
      contentType: file.contentType,
      size: file.bytes.length,
    }));
    const recorded = { fields, files: summary };
    return { body: fields, files, isMultipart: true, recorded, fault: undefined };
  } catch (error) {
    if (error instanceof GuideError) return faulty(undefined, error.message);
    throw error;
  }
}

/**
 * Reads a body. Section "Request Format" asks every request for `Content-Type: application/json`;
 * the server insists on it where there is a body, and lets requests without a body go without it.
 */
export async function readBody(request: IncomingMessage): Promise<ReadBody> {
  const bytes = await readBytes(request);
  if (bytes === undefined) return faulty(undefined, 'The request body is too large.');
  if (bytes.length === 0) {
    return { body: undefined, files: [], isMultipart: false, recorded: undefined, fault: undefined };
  }
  const contentType = request.headers['content-type'] ?? '';
  const mediaType = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  if (mediaType === 'multipart/form-data') return readMultipart(contentType, bytes);
  const text = bytes.toString('utf8');
  if (mediaType !== 'application/json') {
    return faulty(text, 'The Content-Type must be application/json.');
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text) as unknown;
  } catch {
    return faulty(text, 'The request body is not valid JSON.');
  }
  if (!isObject(parsed)) return faulty(parsed, 'The request body must be a JSON object.');
  return { body: parsed, files: [], isMultipart: false, recorded: parsed, fault: undefined };
}
