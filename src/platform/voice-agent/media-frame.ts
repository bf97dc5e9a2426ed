import { type Base64Writer, base64Writer } from '../../audio/native-base64.ts';
import { loadAddon } from '../../core/addon.ts';

/** What the vendor's SDK sends at a time: one block of a browser's audio graph. */
export const FRAME_SAMPLES = 128;

const HEAD = '{"event":"media","streamSid":"WEBSDK","media":{"payload":"';
const TAIL = '"}}';
const PAYLOAD_CHARACTERS = Math.ceil((FRAME_SAMPLES * Float32Array.BYTES_PER_ELEMENT) / 3) * 4;

/** Cuts a caller's voice into `media` messages of 128 samples, base64 of Float32LE. Allocates nothing. */
export class MediaFrameWriter {
  readonly #send: (frame: Buffer) => void;
  /** The whole message; only its payload changes. */
  readonly #frame = Buffer.from(`${HEAD}${' '.repeat(PAYLOAD_CHARACTERS)}${TAIL}`, 'latin1');
  readonly #floats = new Float32Array(FRAME_SAMPLES);
  readonly #bytes = new Uint8Array(this.#floats.buffer);
  readonly #writeBase64: Base64Writer;
  #filled = 0;

  /** `send` gets each message as soon as it is full; it may change or keep nothing of it. */
  constructor(send: (frame: Buffer) => void, writeBase64: Base64Writer = base64Writer(loadAddon().addon)) {
    this.#send = send;
    this.#writeBase64 = writeBase64;
  }

  /** Samples that do not fill a message wait for the next call. */
  write(pcm: Int16Array): void {
    const floats = this.#floats;
    let filled = this.#filled;
    for (let i = 0; i < pcm.length; i++) {
      floats[filled++] = pcm[i]! / 32768;
      if (filled < FRAME_SAMPLES) continue;
      filled = 0;
      this.#writeBase64(this.#bytes, this.#frame, HEAD.length);
      this.#send(this.#frame);
    }
    this.#filled = filled;
  }
}
