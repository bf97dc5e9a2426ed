import { SILENCE_DBOV } from './level.ts';
import type { SpeechLevels } from './speech-power.ts';

/** Levels are averaged over this long, so that a single frame neither lowers nor raises the floor. */
const BLOCK_MS = 100;
/** The floor is the quietest block of the last 5 s, which even fluent speech interrupts with a pause. */
const WINDOW_BLOCKS = 50;

/** This many blocks within this range are a steady sound. No speech stays as even for a second. */
const STEADY = { blocks: 10, spreadDb: 4 } as const;
/** A stream mostly starts with background; as long as no floor is known, less time and less range must do. */
const STEADY_AT_START = { blocks: 3, spreadDb: 2 } as const;

/** Assumed until the first block is complete: louder than the background of most lines. */
const FIRST_FLOOR_DBOV = -40;
/** The most that is assumed from then on until the background was heard: what begins may be speech. */
const UNKNOWN_FLOOR_DBOV = -50;

/**
 * Estimates the level of the background behind speech.
 *
 * It follows a drop at once. A rise counts as background when it turns out steady, or when nothing quieter was heard
 * for the length of the window.
 */
export class NoiseFloor {
  readonly #band: keyof SpeechLevels;
  /** Ring of the levels of complete blocks in dBov. */
  readonly #levels = new Float64Array(WINDOW_BLOCKS);
  #blocks = 0;
  #energy = 0;
  #durationMs = 0;
  #isKnown = false;
  #dbov: number = FIRST_FLOOR_DBOV;
  /** Of the blocks that were looked at last. */
  #lowest = 0;
  #highest = 0;
  #mean = 0;

  constructor(band: keyof SpeechLevels) {
    this.#band = band;
  }

  get dbov(): number {
    return this.#dbov;
  }

  /**
   * Takes the levels of the next frame; whole, since a number of its own would be an object for each frame. @returns
   * whether the estimate was made anew.
   */
  add(levels: Readonly<SpeechLevels>, durationMs: number): boolean {
    this.#energy += (this.#band === 'power' ? levels.power : levels.treblePower) * durationMs;
    this.#durationMs += durationMs;
    if (this.#durationMs < BLOCK_MS) return false;
    const levelDbov = Math.max(SILENCE_DBOV, 10 * Math.log10(this.#energy / this.#durationMs));
    this.#levels[this.#blocks++ % WINDOW_BLOCKS] = levelDbov;
    this.#energy = 0;
    this.#durationMs = 0;
    this.#estimate();
    return true;
  }

  reset(): void {
    this.#blocks = 0;
    this.#energy = 0;
    this.#durationMs = 0;
    this.#isKnown = false;
    this.#dbov = FIRST_FLOOR_DBOV;
  }

  #estimate(): void {
    const { blocks, spreadDb } = this.#isKnown ? STEADY : STEADY_AT_START;
    if (this.#blocks >= blocks) {
      this.#lookAt(blocks);
      if (this.#highest - this.#lowest <= spreadDb) {
        this.#isKnown = true;
        this.#dbov = this.#mean;
        return;
      }
    }
    if (this.#blocks >= WINDOW_BLOCKS) this.#isKnown = true;
    this.#lookAt(Math.min(this.#blocks, WINDOW_BLOCKS));
    this.#dbov = this.#isKnown ? this.#lowest : Math.min(this.#lowest, UNKNOWN_FLOOR_DBOV);
  }

  #lookAt(latestBlocks: number): void {
    let lowest = Number.POSITIVE_INFINITY;
    let highest = Number.NEGATIVE_INFINITY;
    let sum = 0;
    for (let block = this.#blocks - latestBlocks; block < this.#blocks; block++) {
      const level = this.#levels[block % WINDOW_BLOCKS]!;
      lowest = Math.min(lowest, level);
      highest = Math.max(highest, level);
      sum += level;
    }
    this.#lowest = lowest;
    this.#highest = highest;
    this.#mean = sum / latestBlocks;
  }
}
