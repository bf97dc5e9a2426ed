/**
 * Text under keys, each for a limited time. Every store is bounded: past its bound the text that would expire first, or
 * was used longest ago, gives way and is counted.
 */
export interface Store {
  /** The text, or undefined when there is none or its time is over. */
  get(key: string): Promise<string | undefined>;
  /**
   * Keeps `value` for `ttlMs`, in the place of what was there.
   *
   * @throws RangeError - the key or the value is longer than the store takes, or `ttlMs` is not positive.
   */
  put(key: string, value: string, ttlMs: number): Promise<void>;
  delete(key: string): Promise<void>;
  /** Waits for writes under way. Afterwards nothing else may be called. */
  close(): Promise<void>;
}

export const MAX_KEY_CHARACTERS = 1024;

/** @throws RangeError - `put` can not take these. */
export function checkEntry(key: string, value: string, ttlMs: number, maxValueCharacters: number): void {
  if (key.length === 0 || key.length > MAX_KEY_CHARACTERS) {
    throw new RangeError(`Expected 1 to ${MAX_KEY_CHARACTERS} characters for a key but received ${key.length}`);
  }
  if (value.length > maxValueCharacters) {
    throw new RangeError(`Expected at most ${maxValueCharacters} characters for a value but received ${value.length}`);
  }
  if (!(ttlMs > 0) || !Number.isFinite(ttlMs)) {
    throw new RangeError(`Expected a positive number of milliseconds for ttlMs but received ${ttlMs}`);
  }
}
