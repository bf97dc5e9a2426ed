import { type WavHeader, WavHeaderSniffer } from '../../audio/wav.ts';
import { AGENT_SAMPLE_RATE } from './agent-link.ts';

/** What is kept between messages; a larger message gets memory of its own. */
const SCRATCH_BYTES = 65_536;
const RIFF = 0x46464952;

/**
 * Makes samples of the `media` messages of one link: base64 of PCM16LE, mono, at 16 kHz. Messages may end in the middle
 * of a sample, be empty, or be led by a RIFF header.
 */
export class AgentAudioDecoder {
  readonly #scratch = Buffer.from(new ArrayBuffer(SCRATCH_BYTES));
  /** First half of a sample whose second half is in the next message. */
  #oddByte: number | undefined;

  /**
   * @returns the samples, valid until the next call.
   * @throws TypeError - it is no audio of this protocol; the message says why and quotes nothing.
   */
  decode(payload: string): Int16Array {
    const length = decodedBytes(payload);
    const carried = this.#oddByte === undefined ? 0 : 1;
    const end = carried + length;
    const buffer = end <= SCRATCH_BYTES ? this.#scratch : Buffer.from(new ArrayBuffer(end));
    if (buffer.write(payload, carried, 'base64') !== length) throw new TypeError('its payload is not base64');
    if (length >= 4 && buffer.readUInt32LE(carried) === RIFF) {
      const bare = bareSamples(buffer.subarray(carried, end));
      this.#oddByte = undefined;
      // To the front, since samples can be viewed at even addresses only.
      buffer.copyWithin(0, carried + bare.start, carried + bare.end);
      return this.#take(buffer, bare.end - bare.start);
    }
    if (this.#oddByte !== undefined) buffer[0] = this.#oddByte;
    this.#oddByte = undefined;
    return this.#take(buffer, end);
  }

  /** The first `length` bytes as samples, little-endian as on every machine that Node runs on. */
  #take(buffer: Buffer, length: number): Int16Array {
    if (length & 1) this.#oddByte = buffer[length - 1];
    return new Int16Array(buffer.buffer, buffer.byteOffset, length >> 1);
  }
}

/** How many bytes `payload` stands for, if all of it is base64. */
function decodedBytes(payload: string): number {
  let digits = payload.length;
  while (digits > 0 && digits > payload.length - 2 && payload[digits - 1] === '=') digits--;
  return Math.floor((digits * 3) / 4);
}

/** Where the samples of a WAV file are. */
function bareSamples(bytes: Uint8Array): { readonly start: number; readonly end: number } {
  let header: WavHeader | 'needMore' | 'notWav';
  try {
    header = new WavHeaderSniffer().push(bytes);
  } catch (thrown) {
    throw new TypeError(`its WAV header can not be used: ${(thrown as Error).message}`);
  }
  if (header === 'needMore' || header === 'notWav') throw new TypeError('its WAV header is cut short');
  const { format, channels, sampleRate, dataOffset, dataBytes = bytes.length } = header;
  if (format !== 'linear16' || channels !== 1 || sampleRate !== AGENT_SAMPLE_RATE) {
    throw new TypeError(`its WAV is ${format}, ${channels} channels, ${sampleRate} Hz`);
  }
  return { start: dataOffset, end: Math.min(bytes.length, dataOffset + dataBytes) };
}
