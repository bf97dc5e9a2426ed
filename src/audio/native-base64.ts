import type { NativeAddon } from '../core/addon.ts';

/**
 * Writes the base64 of `bytes`, padded (RFC 4648 section 4), as ASCII into `out` from `offset` on.
 *
 * @returns how many characters were written. @throws RangeError - if they do not fit.
 */
export type Base64Writer = (bytes: Uint8Array, out: Uint8Array, offset: number) => number;

export function base64Writer(addon: NativeAddon | undefined): Base64Writer {
  return addon ? (bytes, out, offset) => addon.base64Encode(bytes, out, offset) : writeThroughStrings;
}

/** A multiple of 3. Strings of this size stay in the young generation. */
const BLOCK_BYTES = 12_288;

function writeThroughStrings(bytes: Uint8Array, out: Uint8Array, offset: number): number {
  const encoded = Math.ceil(bytes.length / 3) * 4;
  if (!(offset >= 0 && offset + encoded <= out.length)) throw new RangeError(`Expected room for ${encoded} characters`);
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const target = Buffer.from(out.buffer, out.byteOffset, out.byteLength);
  let position = offset;
  for (let start = 0; start < source.length; start += BLOCK_BYTES) {
    position += target.write(source.toString('base64', start, start + BLOCK_BYTES), position, 'latin1');
  }
  return encoded;
}
