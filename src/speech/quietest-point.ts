/** Frames over which loudness is averaged, so that the point lies in a pause and not between two waves of a vowel. */
const SMOOTHING_FRAMES = 5;

/** Remembers how loud the newest frames were, to say where among them the quietest moment was. */
export class QuietestPoint {
  /** Mean square of each frame, as a ring. */
  readonly #energies: Float64Array;
  #frames = 0;

  constructor(windowFrames: number) {
    this.#energies = new Float64Array(windowFrames);
  }

  push(frame: Int16Array): void {
    let sum = 0;
    for (let i = 0; i < frame.length; i++) sum += frame[i]! * frame[i]!;
    this.#energies[this.#frames++ % this.#energies.length] = sum / frame.length;
  }

  clear(): void {
    this.#frames = 0;
  }

  /** How many frames lie after the quietest moment; of equally quiet ones the newest counts. */
  get framesAgo(): number {
    const held = Math.min(this.#frames, this.#energies.length);
    let quietest = Number.POSITIVE_INFINITY;
    let framesAgo = 0;
    for (let oldest = held - 1; oldest >= SMOOTHING_FRAMES - 1; oldest--) {
      let sum = 0;
      for (let i = 0; i < SMOOTHING_FRAMES; i++) sum += this.#at(oldest - i);
      if (sum > quietest) continue;
      quietest = sum;
      framesAgo = oldest - (SMOOTHING_FRAMES >> 1);
    }
    return framesAgo;
  }

  #at(framesAgo: number): number {
    return this.#energies[(this.#frames - 1 - framesAgo) % this.#energies.length]!;
  }
}
