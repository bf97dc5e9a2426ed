/**
 * G.711 companding, bit exact with the reference code of ITU-T G.191.
 *
 * Both laws look at the upper 14 bits of a sample at most, so that an encoding table has 16,384 entries and stays in
 * the first-level cache. Every table is computed when the module loads.
 *
 * @see ITU-T G.711 tables 1a-2b; ITU-T G.191 annex A, module G711
 */

export type Law = 'ulaw' | 'alaw';

/** µ-law works on 14 bit magnitudes with this bias, which makes each segment start at a power of two. */
const ULAW_BIAS = 33;
const ULAW_CLIP = 0x1fff;
/** A-law inverts the even bits so that silence has many transitions on the line. */
const ALAW_TOGGLE = 0x55;

const ENCODE_INDEX_MASK = 0x3fff;

/** G.191 takes the ones' complement of a negative sample, so that −1 and 0 have the same magnitude. */
function magnitudeOf(sample: number): number {
  return sample < 0 ? ~sample : sample;
}

function encodeUlawSample(sample: number): number {
  const biased = Math.min((magnitudeOf(sample) >> 2) + ULAW_BIAS, ULAW_CLIP);
  const segment = 26 - Math.clz32(biased);
  const step = (biased >> (segment + 1)) & 0x0f;
  const signBit = sample < 0 ? 0 : 0x80;
  // The seven magnitude bits go out inverted.
  return signBit | (0x7f - ((segment << 4) | step));
}

function decodeUlawCode(code: number): number {
  const inverted = ~code & 0x7f;
  const segment = inverted >> 4;
  const step = inverted & 0x0f;
  // The middle of the step, less the bias, both in 16 bit units.
  const magnitude = ((2 * step + 1 + 32) << (segment + 2)) - 4 * ULAW_BIAS;
  return code < 0x80 ? -magnitude : magnitude;
}

function encodeAlawSample(sample: number): number {
  const magnitude = magnitudeOf(sample) >> 4;
  // The first two segments have the same step size.
  const segment = Math.max(0, 28 - Math.clz32(magnitude));
  const step = (magnitude >> Math.max(0, segment - 1)) & 0x0f;
  const signBit = sample < 0 ? 0 : 0x80;
  return (signBit | (segment << 4) | step) ^ ALAW_TOGGLE;
}

function decodeAlawCode(code: number): number {
  const bits = code ^ ALAW_TOGGLE;
  const segment = (bits >> 4) & 0x07;
  const step = bits & 0x0f;
  const middle = (step << 4) + 8;
  const magnitude = segment === 0 ? middle : (middle + 0x100) << (segment - 1);
  return bits < 0x80 ? -magnitude : magnitude;
}

interface Tables {
  readonly encode: Uint8Array;
  readonly decode: Int16Array;
}

function makeTables(encodeSample: (sample: number) => number, decodeCode: (code: number) => number): Tables {
  const encode = new Uint8Array(ENCODE_INDEX_MASK + 1);
  for (let sample = -32768; sample < 32768; sample += 4) {
    encode[(sample >> 2) & ENCODE_INDEX_MASK] = encodeSample(sample);
  }
  return { encode, decode: Int16Array.from({ length: 256 }, (_, code) => decodeCode(code)) };
}

const TABLES: Readonly<Record<Law, Tables>> = {
  ulaw: makeTables(encodeUlawSample, decodeUlawCode),
  alaw: makeTables(encodeAlawSample, decodeAlawCode),
};

function checkRoom(needed: number, available: number): void {
  if (available < needed) {
    throw new RangeError(`Expected an output of at least ${needed} elements but received ${available}`);
  }
}

/*
 * Both loops are written out eight times: that halves their cost, because the engine then checks bounds and counts
 * once for eight samples.
 */

function encodeWith(table: Uint8Array, pcm: Int16Array, out: Uint8Array): void {
  const length = pcm.length;
  checkRoom(length, out.length);
  const mask = ENCODE_INDEX_MASK;
  let i = 0;
  for (const end = length & ~7; i < end; i += 8) {
    out[i] = table[(pcm[i]! >> 2) & mask]!;
    out[i + 1] = table[(pcm[i + 1]! >> 2) & mask]!;
    out[i + 2] = table[(pcm[i + 2]! >> 2) & mask]!;
    out[i + 3] = table[(pcm[i + 3]! >> 2) & mask]!;
    out[i + 4] = table[(pcm[i + 4]! >> 2) & mask]!;
    out[i + 5] = table[(pcm[i + 5]! >> 2) & mask]!;
    out[i + 6] = table[(pcm[i + 6]! >> 2) & mask]!;
    out[i + 7] = table[(pcm[i + 7]! >> 2) & mask]!;
  }
  for (; i < length; i++) out[i] = table[(pcm[i]! >> 2) & mask]!;
}

function decodeWith(
  table: Int16Array,
  codes: Uint8Array,
  offset: number,
  length: number,
  out: Int16Array,
  start: number,
): void {
  checkRoom(start + length, out.length);
  let i = start;
  let from = offset;
  for (const end = start + (length & ~7); i < end; i += 8, from += 8) {
    out[i] = table[codes[from]!]!;
    out[i + 1] = table[codes[from + 1]!]!;
    out[i + 2] = table[codes[from + 2]!]!;
    out[i + 3] = table[codes[from + 3]!]!;
    out[i + 4] = table[codes[from + 4]!]!;
    out[i + 5] = table[codes[from + 5]!]!;
    out[i + 6] = table[codes[from + 6]!]!;
    out[i + 7] = table[codes[from + 7]!]!;
  }
  for (const end = start + length; i < end; i++, from++) out[i] = table[codes[from]!]!;
}

/** Codes `pcm` into the first `pcm.length` bytes of `out`. @throws RangeError - if `out` is shorter. */
type Encode = (pcm: Int16Array, out: Uint8Array) => void;
/** Expands `codes` into the first `codes.length` samples of `out`. @throws RangeError - if `out` is shorter. */
type Decode = (codes: Uint8Array, out: Int16Array) => void;

export interface G711Codec {
  /** `encodeUlaw` or `encodeAlaw`. */
  readonly encode: (law: Law, pcm: Int16Array, out: Uint8Array) => void;
  /** `decodeUlaw` or `decodeAlaw`. */
  readonly decode: (law: Law, codes: Uint8Array, out: Int16Array) => void;
  /**
   * Expands `codes[offset, offset + length)`, which lie within `codes`, into `out` from index `start` (0) on: a packet
   * in the middle of a datagram, without a view that is garbage afterwards. @throws RangeError - if `out` is shorter.
   */
  readonly decodeAt: (
    law: Law,
    codes: Uint8Array,
    offset: number,
    length: number,
    out: Int16Array,
    start?: number,
  ) => void;
  readonly encodeUlaw: Encode;
  readonly decodeUlaw: Decode;
  readonly encodeAlaw: Encode;
  readonly decodeAlaw: Decode;
  /** The code of sample 0: what a µ-law silence frame is filled with. */
  readonly ULAW_SILENCE: 0xff;
  /** The code of sample 0: what an A-law silence frame is filled with. */
  readonly ALAW_SILENCE: 0xd5;
}

export const G711: G711Codec = {
  encode: (law, pcm, out) => encodeWith(TABLES[law].encode, pcm, out),
  decode: (law, codes, out) => decodeWith(TABLES[law].decode, codes, 0, codes.length, out, 0),
  decodeAt: (law, codes, offset, length, out, start = 0) =>
    decodeWith(TABLES[law].decode, codes, offset, length, out, start),
  encodeUlaw: (pcm, out) => encodeWith(TABLES.ulaw.encode, pcm, out),
  decodeUlaw: (codes, out) => decodeWith(TABLES.ulaw.decode, codes, 0, codes.length, out, 0),
  encodeAlaw: (pcm, out) => encodeWith(TABLES.alaw.encode, pcm, out),
  decodeAlaw: (codes, out) => decodeWith(TABLES.alaw.decode, codes, 0, codes.length, out, 0),
  ULAW_SILENCE: 0xff,
  ALAW_SILENCE: 0xd5,
};
