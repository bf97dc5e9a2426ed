import { G711, type Law } from '../audio/g711.ts';

/** More than the send ring holds, with those that left and were not told yet. */
const CAPACITY = 128;

interface SentFrame {
  tag: number;
  law: Law;
  length: number;
  codes: Uint8Array;
}

/**
 * The frames that wait in the send ring, as they were made, so that the tap's tags lead back to what was really played.
 * Frames are told in the order they were written; one that was dropped on the way is passed over, since a playback gets
 * another tag then.
 */
export class SentFrames {
  readonly #frames: SentFrame[] = [];
  #written = 0;
  #told = 0;
  #pcm = new Int16Array(0);

  add(tag: number, law: Law, codes: Uint8Array): void {
    const index = this.#written++ % CAPACITY;
    let frame = this.#frames[index];
    if (!frame || frame.codes.length < codes.length) {
      frame = { tag, law, length: 0, codes: new Uint8Array(codes.length) };
      this.#frames[index] = frame;
    }
    frame.codes.set(codes);
    frame.tag = tag;
    frame.law = law;
    frame.length = codes.length;
    this.#told = Math.max(this.#told, this.#written - CAPACITY);
  }

  /** The audio of the frame with `tag` that left now, valid until the next call; undefined if it is not known. */
  take(tag: number): Int16Array | undefined {
    for (let at = this.#told; at < this.#written; at++) {
      const frame = this.#frames[at % CAPACITY]!;
      if (frame.tag !== tag) continue;
      this.#told = at + 1;
      if (this.#pcm.length !== frame.length) this.#pcm = new Int16Array(frame.length);
      G711.decodeAt(frame.law, frame.codes, 0, frame.length, this.#pcm);
      return this.#pcm;
    }
    return undefined;
  }
}
