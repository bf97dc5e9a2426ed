/** A place for bytes that come and go: its buffer grows to the largest content it has held and is kept. */
export class ByteSlot {
  readonly #headroomBytes: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: Uint8Array = this.#bytes;

  /** @param headroomBytes - Room in front of the content, left to the owner. */
  constructor(headroomBytes = 0) {
    this.#headroomBytes = headroomBytes;
  }

  /** The headroom and the content stored last; overwritten by the next `store()`. */
  get view(): Uint8Array {
    return this.#view;
  }

  /** Copies `content` in. */
  store(content: Uint8Array): void {
    const bytes = this.#headroomBytes + content.length;
    if (bytes > this.#bytes.length) this.#bytes = new Uint8Array(bytes);
    this.#bytes.set(content, this.#headroomBytes);
    if (this.#view.buffer !== this.#bytes.buffer || this.#view.length !== bytes) {
      this.#view = this.#bytes.subarray(0, bytes);
    }
  }
}
