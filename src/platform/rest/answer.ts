import type { Dispatcher } from 'undici';
import {
  errorFromAnswer,
  errorFromProse,
  isRecord,
  type PlatformError,
  platformError,
  readJoinedCode,
  readRequestId,
} from '../platform-errors.ts';

export type Answer = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'>;

/** What is read of a refusal; the rest tells nothing. */
const MAX_REFUSAL_BYTES = 65_536;

/**
 * The text of an answer that is not a refusal.
 *
 * @throws PlatformError - a status of 300 or more (redirects are never followed), or more than `maxBytes`.
 */
export async function readText(answer: Answer, maxBytes: number, nowWallMs: number): Promise<string> {
  refuseEncoded(answer);
  const { statusCode, headers, body } = answer;
  if (statusCode >= 200 && statusCode < 300) return decode(await readBytes(body, maxBytes));
  const refusal = decode(await readStart(body, MAX_REFUSAL_BYTES));
  throw errorFromAnswer({ status: statusCode, headers, body: refusal }, nowWallMs);
}

/**
 * What an answer is about: the `data` of `{success,data}`, a bare object, a list, or text that is not JSON. Undefined
 * for an empty body.
 *
 * @throws PlatformError - the text says that the request failed, or is a page, or is broken JSON.
 */
export function readData(text: string, answer: Answer, nowWallMs: number): unknown {
  if (text.trim() === '') return undefined;
  const refusal = (): PlatformError => errorFromAnswer({ status: 200, headers: answer.headers, body: text }, nowWallMs);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    const type = String(answer.headers['content-type'] ?? '');
    const isProse = !/json|html/i.test(type) && !/^\s*[<{[]/.test(text);
    if (isProse && errorFromProse(text).code === 'ERR_PLATFORM_PROTOCOL') return text;
    throw refusal();
  }
  if (!isRecord(parsed)) return parsed;
  if (isFailure(parsed)) throw refusal();
  const isEnvelope = parsed['success'] === true || (parsed['data'] !== undefined && parsed['id'] === undefined);
  return isEnvelope && ('data' in parsed || onlyEnvelope(parsed)) ? (parsed['data'] ?? undefined) : parsed;
}

/** `{success: true, message: "…"}` says nothing but that it was done. */
function onlyEnvelope(parsed: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(parsed).every((key) => ['success', 'message', 'messageKey', 'statusCode'].includes(key));
}

/** `{success: false}` whatever else; otherwise an error in the place of data, or `{code, message}` and nothing more. */
function isFailure(parsed: Readonly<Record<string, unknown>>): boolean {
  const { success, error, code, message } = parsed;
  if (success === false) return true;
  if (success === true || parsed['data'] !== undefined || parsed['id'] !== undefined) return false;
  if (isRecord(error) || (typeof error === 'string' && error !== '')) return true;
  const isCode = readJoinedCode(code) !== undefined || (typeof code === 'string' && Object.keys(parsed).length <= 3);
  return isCode && typeof message === 'string';
}

/** All of `body`, which breaks off past `maxBytes`. */
export async function readBytes(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw platformError('ERR_PLATFORM_OVERSIZE', `the platform answered more than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes);
}

/** The first `maxBytes` of `body`; the rest is not waited for. */
async function readStart(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxBytes);
}

/** Nothing compressed is asked for, so that a small answer can not become a large one. */
function refuseEncoded({ headers, statusCode, body }: Answer): void {
  const encoding = String(headers['content-encoding'] ?? 'identity');
  if (encoding === 'identity' || encoding === '') return;
  body.on('error', () => {}).destroy();
  throw platformError(
    'ERR_PLATFORM_PROTOCOL',
    `the platform answered ${statusCode}, encoded as '${encoding.slice(0, 40)}'`,
    {
      status: statusCode,
      requestId: readRequestId(headers),
    },
  );
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
