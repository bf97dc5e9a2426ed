import { randomFillSync } from 'node:crypto';
import type { Writable } from 'node:stream';
import bufferUtil from 'bufferutil';

/** With the longest form of the length, and the masking key behind it. */
const MAX_HEADER_BYTES = 14;
const KEY_BYTES = 4;
const FINAL_TEXT = 0x81;
const IS_MASKED = 0x80;

/** A minute of 16 kHz in base64 is larger than that, but rare. */
const MAX_SPARE_BYTES = 1_048_576;
const MIN_BYTES = 262_144;
/** More requests than that are hardly ever on their way into the network at once. */
const MAX_SPARES = 4;

/** Not on their way at the moment. */
const spares: Buffer[] = [];

/**
 * Sends `text`, UTF-8, as one text message of a WebSocket client (RFC 6455 section 5) into the socket below it, past
 * `ws`. That masks into a new buffer each time: of half a megabyte the pages are new to the process as well, and to get
 * them takes longer than all the rest. `text` is not changed, and may be when this returns.
 */
export function sendMaskedText(socket: Writable, text: Buffer): void {
  const buffer = takeBuffer(MAX_HEADER_BYTES + text.length);
  const headerBytes = writeHeader(buffer, text.length);
  const key = buffer.subarray(headerBytes - KEY_BYTES, headerBytes);
  bufferUtil.mask(text, key, buffer, headerBytes, text.length);
  // Told also when the socket fails: the network has no more to do with it.
  socket.write(buffer.subarray(0, headerBytes + text.length), () => giveBack(buffer));
}

/** @returns its length. */
function writeHeader(out: Buffer, payloadBytes: number): number {
  out[0] = FINAL_TEXT;
  let length = 2;
  if (payloadBytes <= 125) {
    out[1] = IS_MASKED | payloadBytes;
  } else if (payloadBytes <= 0xffff) {
    out[1] = IS_MASKED | 126;
    length = out.writeUInt16BE(payloadBytes, 2);
  } else {
    out[1] = IS_MASKED | 127;
    out.writeUInt32BE(0, 2);
    length = out.writeUInt32BE(payloadBytes, 6);
  }
  randomFillSync(out, length, KEY_BYTES);
  return length + KEY_BYTES;
}

function takeBuffer(bytes: number): Buffer {
  const index = spares.findIndex((spare) => spare.length >= bytes);
  if (index >= 0) return spares.splice(index, 1)[0]!;
  let size = MIN_BYTES;
  while (size < bytes) size *= 2;
  return Buffer.allocUnsafeSlow(size);
}

function giveBack(buffer: Buffer): void {
  if (buffer.length > MAX_SPARE_BYTES) return;
  if (spares.length === MAX_SPARES) spares.shift();
  spares.push(buffer);
}
