import { randomUUID } from 'node:crypto';

/** Of all files together; the oldest gives way. */
const MAX_BYTES = 64 * 1_048_576;

/** Files that the platform made, for whoever has their URL: it holds a random name, as those of a storage service do. */
export class MediaShelf {
  readonly #files = new Map<string, Uint8Array>();
  #bytes = 0;
  /** `http://HOST:PORT`, once it is known. */
  baseUrl = '';

  /** @returns the URL of `wav`. */
  add(wav: Uint8Array): string {
    const name = `${randomUUID()}.wav`;
    this.#files.set(name, wav);
    this.#bytes += wav.length;
    for (const [oldest, { length }] of this.#files) {
      if (this.#bytes <= MAX_BYTES || oldest === name) break;
      this.#files.delete(oldest);
      this.#bytes -= length;
    }
    return `${this.baseUrl}/media/${name}`;
  }

  find(name: string): Uint8Array | undefined {
    return this.#files.get(name);
  }

  /** Where the recording of a conversation is, which is made when somebody asks for it. */
  recordingUrl(conversationId: string): string {
    return `${this.baseUrl}/media/recordings/${conversationId}.wav`;
  }
}
