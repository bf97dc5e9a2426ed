import { ApiError } from '../api-error.ts';

export interface Stored {
  readonly id: string;
}

export interface CollectionOptions<T> {
  /** What one of them is called in a refusal: `voice agent`. */
  readonly what: string;
  /** Default 10,000. */
  readonly maxRecords?: number;
  /** Of all records together, as JSON. Default 32 Mi. */
  readonly maxCharacters?: number;
  /** Which records give way to new ones, the oldest first. By default none does: a new one is refused. */
  readonly mayGiveWay?: (record: T) => boolean;
}

/**
 * Records of one kind by their ids, in the order in which they came. A record is never changed in place; who holds one
 * holds it as it was.
 */
export class Collection<T extends Stored> {
  readonly #options: Required<CollectionOptions<T>>;
  readonly #records = new Map<string, { readonly record: T; readonly characters: number }>();
  #characters = 0;

  constructor(options: CollectionOptions<T>) {
    this.#options = { maxRecords: 10_000, maxCharacters: 32 * 1_048_576, mayGiveWay: () => false, ...options };
  }

  get size(): number {
    return this.#records.size;
  }

  /** Oldest first. */
  all(): T[] {
    return Array.from(this.#records.values(), ({ record }) => record);
  }

  find(id: string): T | undefined {
    return this.#records.get(id)?.record;
  }

  /** @throws ApiError 404. */
  get(id: string): T {
    const record = this.find(id);
    if (record === undefined) throw new ApiError(404, `There is no ${this.#options.what} of this id`);
    return record;
  }

  /** Adds `record`, or puts it in the place of the one of its id. @throws ApiError 503 - there is no room. */
  put(record: T): T {
    const { what, maxRecords, maxCharacters } = this.#options;
    const characters = JSON.stringify(record).length;
    const old = this.#records.get(record.id);
    const fits = (): boolean =>
      this.#records.size + (old ? 0 : 1) <= maxRecords &&
      this.#characters + characters - (old?.characters ?? 0) <= maxCharacters;
    while (!fits()) {
      if (!this.#letOneGo(record.id)) throw new ApiError(503, `The local platform has no room for another ${what}`);
    }
    this.#records.set(record.id, { record, characters });
    this.#characters += characters - (old?.characters ?? 0);
    return record;
  }

  /** @throws ApiError 404. */
  delete(id: string): T {
    const record = this.get(id);
    this.#remove(id);
    return record;
  }

  #letOneGo(exceptId: string): boolean {
    for (const [id, { record }] of this.#records) {
      if (id === exceptId || !this.#options.mayGiveWay(record)) continue;
      this.#remove(id);
      return true;
    }
    return false;
  }

  #remove(id: string): void {
    this.#characters -= this.#records.get(id)?.characters ?? 0;
    this.#records.delete(id);
  }
}
