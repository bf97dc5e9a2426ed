import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ERRORS, type GatewayError } from '../core/errors.ts';
import { redact } from '../core/secrets.ts';

/** Answers an upgrade as an HTTP error. */
export function refuseUpgrade(socket: Duplex, { code, message }: GatewayError): void {
  const status = ERRORS[code].httpStatus ?? 500;
  const body = JSON.stringify({ error: { code, message: redact(message) } });
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
