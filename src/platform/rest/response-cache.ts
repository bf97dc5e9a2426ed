import type { Clock } from '../../core/clock.ts';
import { MemoryStore } from '../../store/memory-store.ts';

export interface ResponseCacheOptions {
  /** How long an answer is given again. */
  readonly ttlMs: number;
  /** Default 500. */
  readonly maxEntries?: number;
  /** Of all answers together. Default 16 Mi. */
  readonly maxCharacters?: number;
}

/**
 * Keeps the text of answers to reads. Any write through the same client empties it, whatever the write was about: what
 * a read tells may depend on all of them.
 */
export class ResponseCache {
  readonly #ttlMs: number;
  readonly #store: MemoryStore;
  /** Larger ones would push out all others. */
  readonly #maxAnswerCharacters: number;
  /** Part of every key: what was kept before the last write is not found, and neither is what was asked before it. */
  #generation = 0;
  hits = 0;

  constructor({ ttlMs, maxEntries = 500, maxCharacters = 16 * 1_048_576 }: ResponseCacheOptions, clock: Clock) {
    this.#ttlMs = ttlMs;
    this.#maxAnswerCharacters = maxCharacters / 4;
    this.#store = new MemoryStore({ clock, maxEntries, maxCharacters });
  }

  /** A key for `request`, to be taken before it is sent. */
  keyOf(request: string): string | undefined {
    const key = `${this.#generation}:${request}`;
    return key.length <= 1024 ? key : undefined;
  }

  async get(key: string): Promise<string | undefined> {
    const text = await this.#store.get(key);
    if (text !== undefined) this.hits++;
    return text;
  }

  async put(key: string, text: string): Promise<void> {
    if (text.length <= this.#maxAnswerCharacters) await this.#store.put(key, text, this.#ttlMs);
  }

  /** Something was written. */
  clear(): void {
    this.#generation++;
  }
}
