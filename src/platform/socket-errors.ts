import type { IncomingMessage } from 'node:http';
import { errorFromAnswer, errorFromNetwork, type PlatformError, platformError } from './platform-errors.ts';

const MAX_REFUSAL_BYTES = 4096;

/** The error of a WebSocket upgrade that was answered with an ordinary HTTP response. */
export async function errorFromRefusedUpgrade(response: IncomingMessage, nowWallMs: number): Promise<PlatformError> {
  let body = '';
  try {
    for await (const chunk of response) {
      body += String(chunk);
      if (body.length > MAX_REFUSAL_BYTES) break;
    }
  } catch {
    // A refusal that is cut short is classified by its status.
  }
  return errorFromAnswer({ status: response.statusCode ?? 0, headers: response.headers, body }, nowWallMs);
}

/** The error of an `error` event of a WebSocket. `what` says what the connection is for. */
export function errorFromSocket(what: string, error: Error): PlatformError {
  return String((error as NodeJS.ErrnoException).code).startsWith('WS_ERR_')
    ? platformError('ERR_PLATFORM_PROTOCOL', `the platform broke the WebSocket protocol: ${error.message}`)
    : errorFromNetwork(what, error);
}
