/** Answers that are remembered, and how many it takes to know what is usual. */
const REMEMBERED = 256;
const ENOUGH = 50;
const LATE_PART = 0.99;

/** How long answers took of late, to tell which one is late. */
export class AnswerTimes {
  readonly #ms: number[] = [];

  add(ms: number): void {
    this.#ms.push(ms);
    if (this.#ms.length > REMEMBERED) this.#ms.shift();
  }

  /** 99 of 100 answers came within this; undefined until enough have come. */
  get p99Ms(): number | undefined {
    if (this.#ms.length < ENOUGH) return undefined;
    const sorted = this.#ms.toSorted((a, b) => a - b);
    return sorted[Math.ceil(sorted.length * LATE_PART) - 1];
  }
}
