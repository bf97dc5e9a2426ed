import type { Clock } from '../core/clock.ts';
import { EmbeddedStore } from '../store/embedded-store.ts';

/** An utterance on disk, without its audio. */
export interface StoredUtterance {
  readonly id: string;
  readonly callId: string;
  /** What it takes of the bound. */
  readonly bytes: number;
  /** Where it is in the store. */
  readonly key: string;
}

/** What was said, and when; as much as its transcript will need. */
export interface UtteranceRecord {
  readonly id: string;
  readonly callId: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Wall time of its last voiced sample. */
  readonly voicedWallMs: number;
  readonly sampleRate: number;
  readonly pcm: Int16Array;
}

export interface StoredUtterancesOptions {
  readonly clock: Clock;
  /** Of audio and what belongs to it. The oldest give way beyond. Default 1 GiB, nine hours of speech at 16 kHz. */
  readonly maxBytes?: number;
}

/** They go when they are answered or give way, never by themselves: as good as forever. */
const KEPT_MS = 10 * 365 * 86_400_000;
/** Above the longest utterance at 16 kHz in base64. */
const MAX_VALUE_CHARACTERS = 4 * 1_048_576;
const MAX_ENTRIES = 1_000_000;
const ORDER_DIGITS = 15;

/** Utterances on disk, oldest first, until somebody asks for their transcripts. They survive the process. */
export class StoredUtterances {
  readonly #store: EmbeddedStore;
  readonly #clock: Clock;
  readonly #maxBytes: number;
  /** Oldest first. */
  readonly #entries = new Map<string, StoredUtterance>();
  #lastOrder = 0;
  #bytes = 0;

  private constructor(store: EmbeddedStore, { clock, maxBytes = 2 ** 30 }: StoredUtterancesOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#maxBytes = maxBytes;
  }

  /**
   * Opens those that are in `folder`, which is created where it is missing.
   *
   * @throws GatewayError `ERR_STORE` - another process has it open, it is damaged, or it can not be written.
   */
  static async open(folder: string, options: StoredUtterancesOptions): Promise<StoredUtterances> {
    const { clock } = options;
    const limits = { maxEntries: MAX_ENTRIES, maxValueCharacters: MAX_VALUE_CHARACTERS };
    const store = await EmbeddedStore.open(folder, { clock, ...limits });
    const stored = new StoredUtterances(store, options);
    for (const key of await store.keys()) stored.#note(readKey(key));
    return stored;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Oldest first. */
  get all(): Iterable<StoredUtterance> {
    return this.#entries.values();
  }

  /**
   * Writes `record`. @returns those that gave way to it, oldest first; it can be one of them.
   *
   * @throws GatewayError `ERR_STORE` - it can not be written.
   */
  async add(record: UtteranceRecord): Promise<StoredUtterance[]> {
    const { pcm, ...facts } = record;
    const audio = Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength).toString('base64');
    const value = `${JSON.stringify(facts)}\n${audio}`;
    this.#lastOrder = Math.max(this.#lastOrder + 1, Math.floor(this.#clock.wallMs()));
    const { id, callId } = record;
    const stored = { id, callId, bytes: value.length, key: makeKey(this.#lastOrder, value.length, callId, id) };
    await this.#store.put(stored.key, value, KEPT_MS);
    this.#note(stored);
    return this.#makeRoom();
  }

  /** Its audio and facts; undefined when it can not be read. */
  async read({ key }: StoredUtterance): Promise<UtteranceRecord | undefined> {
    const value = await this.#store.get(key);
    const factsEnd = value?.indexOf('\n') ?? -1;
    if (value === undefined || factsEnd < 0) return undefined;
    try {
      const facts = JSON.parse(value.slice(0, factsEnd)) as Omit<UtteranceRecord, 'pcm'>;
      const audio = Uint8Array.from(Buffer.from(value.slice(factsEnd + 1), 'base64'));
      return { ...facts, pcm: new Int16Array(audio.buffer, 0, audio.length >> 1) };
    } catch {
      return undefined;
    }
  }

  async remove(stored: StoredUtterance): Promise<void> {
    this.#forget(stored);
    await this.#store.delete(stored.key);
  }

  /** Waits for what is being written. */
  close(): Promise<void> {
    return this.#store.close();
  }

  async #makeRoom(): Promise<StoredUtterance[]> {
    const leaving: StoredUtterance[] = [];
    for (const oldest of this.#entries.values()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#forget(oldest);
      leaving.push(oldest);
    }
    for (const { key } of leaving) await this.#store.delete(key);
    return leaving;
  }

  #note(stored: StoredUtterance): void {
    this.#lastOrder = Math.max(this.#lastOrder, Number(stored.key.slice(0, ORDER_DIGITS)));
    this.#entries.set(stored.key, stored);
    this.#bytes += stored.bytes;
  }

  #forget({ key, bytes }: StoredUtterance): void {
    if (this.#entries.delete(key)) this.#bytes -= bytes;
  }
}

/** Sorts by age, and says what is in it without its audio being read. */
function makeKey(order: number, bytes: number, callId: string, id: string): string {
  return [String(order).padStart(ORDER_DIGITS, '0'), bytes, callId, id].join('|');
}

function readKey(key: string): StoredUtterance {
  const [, bytes = '', callId = '', id = ''] = key.split('|');
  return { id, callId, bytes: Number(bytes), key };
}
