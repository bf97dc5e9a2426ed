import { G711, type Law } from '../audio/g711.ts';

/**
 * Encoded audio of one playback, one byte a sample, addressed by sample from its start. It is kept until it is
 * released, so that what was handed on and then dropped can be read again.
 */
export class EncodedAudio {
  readonly #chunks: Uint8Array[] = [];
  /** Position of the first chunk. */
  #startSample = 0;
  #endSample = 0;

  /** How many samples were ever appended. */
  get endSample(): number {
    return this.#endSample;
  }

  append(law: Law, pcm: Int16Array): void {
    const codes = new Uint8Array(pcm.length);
    G711.encode(law, pcm, codes);
    this.#chunks.push(codes);
    this.#endSample += codes.length;
  }

  /**
   * Copies samples from `startSample` on into `out`, as many as fit and are there. @returns how many.
   *
   * @throws RangeError - if `startSample` was released.
   */
  read(startSample: number, out: Uint8Array): number {
    if (startSample < this.#startSample) {
      throw new RangeError(`Expected a position of ${this.#startSample} or more but received ${startSample}`);
    }
    let copied = 0;
    let chunkStart = this.#startSample;
    for (const chunk of this.#chunks) {
      if (copied === out.length) break;
      const from = startSample + copied - chunkStart;
      chunkStart += chunk.length;
      if (from >= chunk.length) continue;
      const piece = chunk.subarray(from, from + out.length - copied);
      out.set(piece, copied);
      copied += piece.length;
    }
    return copied;
  }

  /** Lets go of whole chunks before `beforeSample`. */
  release(beforeSample: number): void {
    for (let first = this.#chunks[0]; first; first = this.#chunks[0]) {
      if (this.#startSample + first.length > beforeSample) return;
      this.#startSample += first.length;
      this.#chunks.shift();
    }
  }

  /** Changes what is kept to another law. */
  recode(from: Law, to: Law): void {
    for (const codes of this.#chunks) {
      const pcm = new Int16Array(codes.length);
      G711.decode(from, codes, pcm);
      G711.encode(to, pcm, codes);
    }
  }
}
