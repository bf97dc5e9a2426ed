import { Readable } from 'node:stream';

/** What a reader may leave unread before audio is dropped: ten seconds. */
const MAX_UNREAD_BYTES = 320_000;

/** Audio as a stream of PCM16LE at 16 kHz. A reader that falls behind loses audio, not memory. */
export class PcmStream {
  readonly readable: Readable = new Readable({ read() {} });

  write(pcm: Int16Array): void {
    if (this.readable.destroyed || this.readable.readableLength > MAX_UNREAD_BYTES) return;
    this.readable.push(Buffer.from(Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength)));
  }

  end(): void {
    this.readable.push(null);
  }
}
