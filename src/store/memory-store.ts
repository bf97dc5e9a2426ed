import type { Clock } from '../core/clock.ts';
import { checkEntry, type Store } from './store.ts';

export interface MemoryStoreOptions {
  readonly clock: Clock;
  /** Default 10,000. */
  readonly maxEntries?: number;
  /** Of all keys and values together. Default 16 Mi. */
  readonly maxCharacters?: number;
}

interface Entry {
  readonly value: string;
  readonly expiresAtMs: number;
}

/** A store that ends with the process. What was used longest ago gives way first. */
export class MemoryStore implements Store {
  readonly #clock: Clock;
  readonly #maxEntries: number;
  readonly #maxCharacters: number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  #characters = 0;
  /** Entries that gave way before their time. */
  evicted = 0;

  constructor({ clock, maxEntries = 10_000, maxCharacters = 16 * 1_048_576 }: MemoryStoreOptions) {
    this.#clock = clock;
    this.#maxEntries = maxEntries;
    this.#maxCharacters = maxCharacters;
  }

  get size(): number {
    return this.#entries.size;
  }

  async get(key: string): Promise<string | undefined> {
    const entry = this.#take(key);
    if (entry === undefined || entry.expiresAtMs <= this.#clock.nowMs()) return undefined;
    this.#add(key, entry);
    return entry.value;
  }

  async put(key: string, value: string, ttlMs: number): Promise<void> {
    checkEntry(key, value, ttlMs, this.#maxCharacters - key.length);
    const nowMs = this.#clock.nowMs();
    this.#take(key);
    this.#add(key, { value, expiresAtMs: nowMs + ttlMs });
    for (const [oldest, { expiresAtMs }] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries && this.#characters <= this.#maxCharacters) break;
      this.#take(oldest);
      if (expiresAtMs > nowMs) this.evicted++;
    }
  }

  async delete(key: string): Promise<void> {
    this.#take(key);
  }

  async close(): Promise<void> {
    this.#entries.clear();
    this.#characters = 0;
  }

  #add(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#characters += key.length + entry.value.length;
  }

  #take(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#characters -= key.length + entry.value.length;
    return entry;
  }
}
