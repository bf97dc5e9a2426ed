import { GatewayError } from '../core/errors.ts';
import { G711 } from './g711.ts';

/**
 * WAV as telephony and speech services use it: 16 bit linear (format tag 1), A-law (6) and µ-law (7), plain or in
 * WAVE_FORMAT_EXTENSIBLE, from a file or from a stream whose sizes nobody knew when its header was written.
 *
 * Samples are little-endian, as on every machine that Node runs on.
 *
 * @see RFC 2361; Multimedia Programming Interface and Data Specifications 1.0 (RIFF)
 */

export type WavFormat = 'linear16' | 'mulaw' | 'alaw';

export interface WavHeader {
  readonly format: WavFormat;
  /** Of the samples themselves: WAVE_FORMAT_EXTENSIBLE is resolved. */
  readonly formatTag: 1 | 6 | 7;
  readonly channels: number;
  readonly sampleRate: number;
  readonly bitsPerSample: number;
  /** Where the samples begin, counted from the first byte of the file or stream. */
  readonly dataOffset: number;
  /** What the header promises; undefined if it was written before the length was known. */
  readonly dataBytes: number | undefined;
}

export interface Wav extends Omit<WavHeader, 'dataOffset' | 'dataBytes'> {
  /** View of the samples in the bytes that were parsed; whole frames only. */
  readonly data: Uint8Array;
}

export interface WavHeaderOptions {
  readonly format: 'linear16' | 'mulaw';
  readonly sampleRate: number;
  /** Length of the samples that follow. If it is odd, a pad byte must follow them. */
  readonly dataBytes: number;
  /** Whether the length is not known yet: sizes become 0xFFFFFFFF and `dataBytes` is not looked at. */
  readonly streaming?: boolean;
  /** Interleaved channels. Default 1. */
  readonly channels?: number;
}

const FORMATS = {
  1: { format: 'linear16', bitsPerSample: 16 },
  6: { format: 'alaw', bitsPerSample: 8 },
  7: { format: 'mulaw', bitsPerSample: 8 },
} as const;

const TAG_EXTENSIBLE = 0xfffe;
/** What follows the format tag in the GUID of an extensible format. */
const SUBFORMAT_TAIL = Uint8Array.of(0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71);

const RIFF_HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
const FORMAT_BYTES = 16;
const EXTENSIBLE_BYTES = 40;
const SIZE_UNKNOWN = 0xffffffff;
/** Programs that write to a pipe put all ones, or something just below 2^31 or 2^32, for a size they do not know. */
const SIZE_UNKNOWN_MIN = 0x7fff0000;
/** No header with its comments is longer; a stream is not kept beyond this in search of its samples. */
const MAX_HEADER_BYTES = 65_536;

/** @throws GatewayError `ERR_WAV_INVALID` - if it is no WAV, its header is truncated or its format is another one. */
export function parseWav(bytes: Uint8Array): Wav {
  const header = scanHeader(bytes);
  if (header === 'notWav') throw invalid('the bytes do not begin with a RIFF header', 'RIFF, a size, WAVE');
  if (header === 'needMore') {
    throw invalid(`the header is cut off or has no samples after ${bytes.length} bytes`, 'a fmt and a data chunk');
  }
  const { dataOffset, dataBytes, ...format } = header;
  const heldBytes = bytes.length - dataOffset;
  const promisedBytes = dataBytes ?? (isEmptyFile(bytes, dataOffset) ? 0 : heldBytes);
  const frameBytes = (format.channels * format.bitsPerSample) / 8;
  const length = Math.floor(Math.min(heldBytes, promisedBytes) / frameBytes) * frameBytes;
  return { ...format, data: bytes.subarray(dataOffset, dataOffset + length) };
}

/** A data chunk of 0 bytes holds nothing, rather than everything to the end, if the RIFF size accounts for all bytes. */
function isEmptyFile(bytes: Uint8Array, dataOffset: number): boolean {
  const view = viewOf(bytes);
  return view.getUint32(dataOffset - 4, true) === 0 && view.getUint32(4, true) === bytes.length - CHUNK_HEADER_BYTES;
}

/** The samples as 16 bit linear, all channels averaged into one. The caller owns the result. */
export function wavToPcm(wav: Wav): Int16Array {
  const interleaved = decodeSamples(wav);
  const { channels } = wav;
  if (channels === 1) return interleaved;
  const mono = new Int16Array(interleaved.length / channels);
  for (let frame = 0; frame < mono.length; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += interleaved[frame * channels + channel]!;
    mono[frame] = Math.round(sum / channels);
  }
  return mono;
}

function decodeSamples({ format, data }: Wav): Int16Array {
  if (format === 'linear16') {
    const pcm = new Int16Array(data.length / 2);
    new Uint8Array(pcm.buffer).set(data);
    return pcm;
  }
  const pcm = new Int16Array(data.length);
  G711.decode(format === 'mulaw' ? 'ulaw' : 'alaw', data, pcm);
  return pcm;
}

/**
 * The bytes before the samples: 44 for linear16; 58 for mulaw, whose `fmt ` has an extension size and which needs a
 * `fact` chunk.
 *
 * @throws RangeError - if the length does not fit a WAV file.
 */
export function wavHeader(options: WavHeaderOptions): Uint8Array {
  const { format, sampleRate, dataBytes, streaming = false, channels = 1 } = options;
  const isLinear = format === 'linear16';
  const frameBytes = channels * (isLinear ? 2 : 1);
  const formatBytes = isLinear ? FORMAT_BYTES : FORMAT_BYTES + 2;
  const headerBytes =
    RIFF_HEADER_BYTES + CHUNK_HEADER_BYTES + formatBytes + (isLinear ? 0 : CHUNK_HEADER_BYTES + 4) + CHUNK_HEADER_BYTES;
  const riffBytes = headerBytes - CHUNK_HEADER_BYTES + dataBytes + (dataBytes & 1);
  if (!streaming && !(Number.isInteger(dataBytes) && dataBytes >= 0 && riffBytes < SIZE_UNKNOWN_MIN)) {
    throw new RangeError(`Expected less than 2 GiB of samples for dataBytes but received ${dataBytes}`);
  }

  const bytes = new Uint8Array(headerBytes);
  const view = viewOf(bytes);
  let offset = 0;
  const id = (text: string): void => {
    for (let i = 0; i < 4; i++) bytes[offset++] = text.charCodeAt(i);
  };
  const chunk = (name: string, size: number): void => {
    id(name);
    view.setUint32(offset, size, true);
    offset += 4;
  };

  chunk('RIFF', streaming ? SIZE_UNKNOWN : riffBytes);
  id('WAVE');
  chunk('fmt ', formatBytes);
  view.setUint16(offset, isLinear ? 1 : 7, true);
  view.setUint16(offset + 2, channels, true);
  view.setUint32(offset + 4, sampleRate, true);
  view.setUint32(offset + 8, sampleRate * frameBytes, true);
  view.setUint16(offset + 12, frameBytes, true);
  view.setUint16(offset + 14, isLinear ? 16 : 8, true);
  offset += formatBytes;
  if (!isLinear) {
    chunk('fact', 4);
    view.setUint32(offset, streaming ? SIZE_UNKNOWN : dataBytes / frameBytes, true);
    offset += 4;
  }
  chunk('data', streaming ? SIZE_UNKNOWN : dataBytes);
  return bytes;
}

/** A whole mono linear16 WAV file. */
export function encodeWav(pcm: Int16Array, sampleRate: number): Uint8Array {
  const header = wavHeader({ format: 'linear16', sampleRate, dataBytes: pcm.byteLength });
  const bytes = new Uint8Array(header.length + pcm.byteLength);
  bytes.set(header);
  bytes.set(new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength), header.length);
  return bytes;
}

/**
 * Tells a WAV stream from bare samples, and finds where its samples begin, however the stream is cut into chunks.
 *
 * Keeps what it was fed until it knows, at most {@link MAX_HEADER_BYTES} and one chunk.
 */
export class WavHeaderSniffer {
  #bytes = new Uint8Array(0);

  /** All bytes fed so far. With the header known, samples start at `dataOffset` of these; without one, at 0. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /**
   * Copies the next chunk in. Call it until the answer is not `'needMore'`; a stream that ends before is no WAV with
   * samples.
   *
   * @throws GatewayError `ERR_WAV_INVALID` - if it is a WAV of another format, or its samples do not begin in time.
   */
  push(chunk: Uint8Array): WavHeader | 'needMore' | 'notWav' {
    const bytes = new Uint8Array(this.#bytes.length + chunk.length);
    bytes.set(this.#bytes);
    bytes.set(chunk, this.#bytes.length);
    this.#bytes = bytes;
    const header = scanHeader(bytes);
    if (header === 'needMore' && bytes.length > MAX_HEADER_BYTES) {
      throw invalid(
        `no samples begin in the first ${bytes.length} bytes`,
        `a header of ${MAX_HEADER_BYTES} bytes at most`,
      );
    }
    return header;
  }
}

/** Reads the chunks up to the one with the samples. Pad bytes follow chunks of odd size. */
function scanHeader(bytes: Uint8Array): WavHeader | 'needMore' | 'notWav' {
  if (!mayHaveId(bytes, 0, 'RIFF') || !mayHaveId(bytes, 8, 'WAVE')) return 'notWav';
  const view = viewOf(bytes);
  let format: Omit<WavHeader, 'dataOffset' | 'dataBytes'> | undefined;
  let offset = RIFF_HEADER_BYTES;
  while (offset + CHUNK_HEADER_BYTES <= bytes.length) {
    const size = view.getUint32(offset + 4, true);
    const body = offset + CHUNK_HEADER_BYTES;
    if (mayHaveId(bytes, offset, 'data')) {
      if (!format) throw invalid('the samples come before their format', 'a fmt chunk before the data chunk');
      return { ...format, dataOffset: body, dataBytes: size === 0 || size >= SIZE_UNKNOWN_MIN ? undefined : size };
    }
    if (mayHaveId(bytes, offset, 'fmt ')) {
      if (size < FORMAT_BYTES) throw invalid(`a fmt chunk of ${size} bytes`, `at least ${FORMAT_BYTES}`);
      if (body + size > bytes.length) return 'needMore';
      format = readFormat(new DataView(bytes.buffer, bytes.byteOffset + body, size));
    }
    offset = body + size + (size & 1);
  }
  return 'needMore';
}

function readFormat(chunk: DataView): Omit<WavHeader, 'dataOffset' | 'dataBytes'> {
  let formatTag = chunk.getUint16(0, true);
  if (formatTag === TAG_EXTENSIBLE && chunk.byteLength >= EXTENSIBLE_BYTES) {
    const isWaveGuid = SUBFORMAT_TAIL.every((byte, index) => chunk.getUint8(26 + index) === byte);
    if (isWaveGuid) formatTag = chunk.getUint16(24, true);
  }
  const channels = chunk.getUint16(2, true);
  const sampleRate = chunk.getUint32(4, true);
  const bitsPerSample = chunk.getUint16(14, true);
  if (formatTag !== 1 && formatTag !== 6 && formatTag !== 7) {
    throw invalid(`a WAV with format tag ${formatTag}`, 'tag 1 (linear), 6 (A-law) or 7 (µ-law)');
  }
  const expected = FORMATS[formatTag];
  if (bitsPerSample !== expected.bitsPerSample) {
    throw invalid(`a ${expected.format} WAV with ${bitsPerSample} bits per sample`, `${expected.bitsPerSample} bits`);
  }
  if (channels === 0 || sampleRate === 0) {
    throw invalid(`a WAV with ${channels} channels at ${sampleRate} Hz`, 'at least one channel and a sample rate');
  }
  return { format: expected.format, formatTag, channels, sampleRate, bitsPerSample };
}

/** Whether the four characters at `offset` are `id` as far as there are bytes. */
function mayHaveId(bytes: Uint8Array, offset: number, id: string): boolean {
  for (let i = 0; i < 4 && offset + i < bytes.length; i++) {
    if (bytes[offset + i] !== id.charCodeAt(i)) return false;
  }
  return true;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function invalid(found: string, needed: string): GatewayError {
  return new GatewayError('ERR_WAV_INVALID', { found, needed });
}
