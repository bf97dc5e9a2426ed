import { type FileHandle, open } from 'node:fs/promises';
import { type WavHeaderOptions, wavHeader } from './wav.ts';

export type WavWriterOptions = Pick<WavHeaderOptions, 'format' | 'sampleRate' | 'channels'>;

/** Beyond this a WAV can not tell its length; the header then keeps saying that it is not known. */
const MAX_DATA_BYTES = 0x7ffe0000;

/**
 * Writes a WAV file as the samples come. Its header says "length unknown" until `close()` patches it, so that a file
 * cut short by a crash can still be read.
 */
export class WavWriter {
  readonly #file: FileHandle;
  readonly #options: WavWriterOptions;
  #positionBytes: number;
  #dataBytes = 0;

  private constructor(file: FileHandle, options: WavWriterOptions, headerBytes: number) {
    this.#file = file;
    this.#options = options;
    this.#positionBytes = headerBytes;
  }

  /** Creates or empties the file. Rejects with the error of the file system. */
  static async create(path: string, options: WavWriterOptions): Promise<WavWriter> {
    const file = await open(path, 'w');
    const header = wavHeader({ ...options, dataBytes: 0, streaming: true });
    const writer = new WavWriter(file, options, header.length);
    await writer.#writeAt(header, 0);
    return writer;
  }

  get dataBytes(): number {
    return this.#dataBytes;
  }

  /**
   * Appends samples in the file's format: `Int16Array` (interleaved) for linear16, codes for mulaw. They must stay as
   * they are until the promise resolves; calls need not wait for each other.
   */
  async write(samples: Int16Array | Uint8Array): Promise<void> {
    const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    const position = this.#positionBytes;
    this.#positionBytes += bytes.length;
    this.#dataBytes += bytes.length;
    await this.#writeAt(bytes, position);
  }

  /** Call once, after every `write` has resolved. */
  async close(): Promise<void> {
    try {
      const dataBytes = this.#dataBytes;
      if (dataBytes % 2 === 1) await this.#writeAt(Uint8Array.of(0), this.#positionBytes);
      await this.#writeAt(wavHeader({ ...this.#options, dataBytes, streaming: dataBytes > MAX_DATA_BYTES }), 0);
    } finally {
      await this.#file.close();
    }
  }

  async #writeAt(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }
}
