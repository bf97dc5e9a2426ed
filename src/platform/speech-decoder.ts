import { G711 } from '../audio/g711.ts';
import { type WavFormat, type WavHeader, WavHeaderSniffer } from '../audio/wav.ts';
import { GatewayError } from '../core/errors.ts';
import { errorFromAnswer, PlatformError } from './platform-errors.ts';

export interface SpeechDecoderOptions {
  /** What was asked for, and therefore what audio without a header is. */
  readonly sampleRate: number;
  /** Whether µ-law at 8 kHz was asked for. */
  readonly mulaw?: boolean;
}

/**
 * Audio of no more than this is none: a reply that the platform cuts silently has exactly 20 ms. Nothing is released
 * before there is more, so that such a reply can still be asked for again.
 */
const CUT_AUDIO_MS = 20;
const MAX_TEXT_BYTES = 65_536;
const NONE = new Int16Array(0);

/**
 * Makes PCM of a `tts-stream` body. It is labelled `audio/wav` and is usually bare samples, sometimes led by a RIFF
 * header, whose format then wins, and sometimes a JSON error. Chunks may end in the middle of anything.
 */
export class SpeechDecoder {
  #format: WavFormat;
  #sampleRate: number;
  readonly #sniffer = new WavHeaderSniffer();
  #isSniffing = true;
  /** First half of a sample whose second half is in the next chunk. */
  #oddByte: number | undefined;
  /** What a header promised, and what came. */
  #promisedBytes: number | undefined;
  #dataBytes = 0;
  /** Audio that may turn out to be all there is; undefined once it was released. */
  #withheld: Int16Array | undefined = NONE;

  constructor(options: SpeechDecoderOptions) {
    this.#format = options.mulaw ? 'mulaw' : 'linear16';
    this.#sampleRate = options.mulaw ? 8000 : options.sampleRate;
  }

  /** Of the audio that {@link push} returned. */
  get sampleRate(): number {
    return this.#sampleRate;
  }

  /** Whether any audio has come, released or not. */
  get hasAudio(): boolean {
    return this.#dataBytes > 0;
  }

  /**
   * Takes the next chunk of the body, which is not kept. @returns the samples that are ready, which may be none; the
   * caller owns them.
   *
   * @throws GatewayError `ERR_WAV_INVALID` - a header is there and names a format that is no speech of the platform.
   */
  push(chunk: Uint8Array): Int16Array {
    if (!this.#isSniffing) return this.#release(this.#decode(chunk));
    const header = this.#sniffer.push(chunk);
    const { bytes } = this.#sniffer;
    if (header === 'needMore' || (header === 'notWav' && mayBeJson(bytes))) return NONE;
    this.#isSniffing = false;
    if (header === 'notWav') return this.#release(this.#decode(bytes));
    this.#adopt(header);
    return this.#release(this.#decode(bytes.subarray(header.dataOffset)));
  }

  /**
   * The body ended in good order.
   *
   * @throws GatewayError `ERR_TTS_TORN` - a header promised more; `ERR_TTS_EMPTY` - there was no audio;
   *   `ERR_PLATFORM_*` - the body was an error.
   */
  end(): void {
    const { bytes } = this.#sniffer;
    if (this.#isSniffing && mayBeJson(bytes)) {
      throw errorFromAnswer({ status: 200, headers: {}, body: Buffer.from(bytes).toString() }, 0);
    }
    if (this.#promisedBytes !== undefined && this.#dataBytes < this.#promisedBytes) {
      throw new GatewayError('ERR_TTS_TORN', `the audio has ${this.#dataBytes} of ${this.#promisedBytes} bytes`);
    }
    if (this.#withheld !== undefined) throw new GatewayError('ERR_TTS_EMPTY', 'the platform answered with no audio');
  }

  #adopt(header: WavHeader): void {
    if (header.channels !== 1) {
      throw new PlatformError('ERR_PLATFORM_PROTOCOL', `the platform answered audio of ${header.channels} channels`);
    }
    this.#format = header.format;
    this.#sampleRate = header.sampleRate;
    this.#promisedBytes = header.dataBytes;
  }

  #decode(received: Uint8Array): Int16Array {
    // Other chunks of the RIFF file may follow its samples.
    const left = this.#promisedBytes === undefined ? received.length : this.#promisedBytes - this.#dataBytes;
    const bytes = received.subarray(0, left);
    this.#dataBytes += bytes.length;
    if (this.#format === 'linear16') return this.#align(bytes);
    const pcm = new Int16Array(bytes.length);
    G711.decode(this.#format === 'mulaw' ? 'ulaw' : 'alaw', bytes, pcm);
    return pcm;
  }

  /** Little-endian samples, as they lie in memory on every machine that Node runs on. */
  #align(bytes: Uint8Array): Int16Array {
    const carried = this.#oddByte === undefined ? 0 : 1;
    const length = carried + bytes.length;
    const pcm = new Int16Array(length >> 1);
    const out = new Uint8Array(pcm.buffer);
    const odd = length & 1;
    if (pcm.length > 0) {
      if (this.#oddByte !== undefined) out[0] = this.#oddByte;
      out.set(bytes.subarray(0, bytes.length - odd), carried);
      this.#oddByte = undefined;
    }
    if (odd) this.#oddByte = bytes.at(-1) ?? this.#oddByte;
    return pcm;
  }

  #release(pcm: Int16Array): Int16Array {
    if (this.#withheld === undefined) return pcm;
    const all = new Int16Array(this.#withheld.length + pcm.length);
    all.set(this.#withheld);
    all.set(pcm, this.#withheld.length);
    const enough = all.length > (this.#sampleRate * CUT_AUDIO_MS) / 1000;
    this.#withheld = enough ? undefined : all;
    return enough ? all : NONE;
  }
}

/** Samples soon have a byte that no text has. */
function mayBeJson(bytes: Uint8Array): boolean {
  const isText = (byte: number): boolean => byte >= 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
  return bytes[0] === 0x7b && bytes.length <= MAX_TEXT_BYTES && bytes.every(isText);
}
