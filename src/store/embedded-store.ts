import { ClassicLevel } from 'classic-level';
import type { Clock } from '../core/clock.ts';
import { GatewayError, toError } from '../core/errors.ts';
import { checkEntry, type Store } from './store.ts';

export interface EmbeddedStoreOptions {
  /** Its wall time is what texts expire by, so that their time runs on while the process is down. */
  readonly clock: Clock;
  /** Default 100,000. */
  readonly maxEntries?: number;
  /** Default 1 Mi. */
  readonly maxValueCharacters?: number;
}

const MAX_WAITING_WRITES = 10_000;
/** Expired entries that one write clears away at most. Each adds one, so they never pile up. */
const CLEARED_PER_WRITE = 16;
/** Milliseconds since 1970 in as many digits sort by time until the year 33658. */
const TIME_DIGITS = 15;

const valueKey = (key: string): string => `v:${key}`;
const timeKey = (expiresAtMs: number, key: string): string => `t:${padded(expiresAtMs)}:${key}`;
const padded = (timeMs: number): string => String(Math.ceil(timeMs)).padStart(TIME_DIGITS, '0');

/**
 * A store in a folder, for one process at a time, by LevelDB. It survives a crash of the process; what was written in
 * the last moments before a crash of the machine may be lost.
 *
 * `v:KEY` holds the time of expiry and the text; `t:TIME:KEY` is empty and finds what expires first. What expires first
 * gives way past the bound.
 *
 * Methods throw GatewayError `ERR_STORE` when the folder can not be read or written.
 */
export class EmbeddedStore implements Store {
  readonly #db: ClassicLevel;
  readonly #clock: Clock;
  readonly #maxEntries: number;
  readonly #maxValueCharacters: number;
  #entries = 0;
  /** Writes run one after another: each reads what it replaces. */
  #lastWrite: Promise<unknown> = Promise.resolve();
  #waitingWrites = 0;
  /** Entries that gave way before their time. */
  evicted = 0;

  private constructor(db: ClassicLevel, options: EmbeddedStoreOptions) {
    this.#db = db;
    this.#clock = options.clock;
    this.#maxEntries = options.maxEntries ?? 100_000;
    this.#maxValueCharacters = options.maxValueCharacters ?? 1_048_576;
  }

  /**
   * Opens the store in `folder`, which is created where it is missing.
   *
   * @throws GatewayError `ERR_STORE` - another process has it open, it is damaged, or it can not be written.
   */
  static async open(folder: string, options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
    const db = new ClassicLevel(folder, { keyEncoding: 'utf8', valueEncoding: 'utf8' });
    try {
      await db.open();
      const store = new EmbeddedStore(db, options);
      for await (const _ of db.keys({ gte: 't:', lt: 't;' })) store.#entries++;
      return store;
    } catch (thrown) {
      await db.close();
      const cause = toError(toError(thrown).cause ?? thrown);
      const isLocked = (cause as NodeJS.ErrnoException).code === 'LEVEL_LOCKED';
      throw new GatewayError('ERR_STORE', {
        found: `the store in '${folder}' can not be opened: ${isLocked ? 'another process has it open' : cause.message}`,
        cure: isLocked ? 'stop the other process or use another folder' : 'mend or delete the folder',
        cause,
      });
    }
  }

  get size(): number {
    return this.#entries;
  }

  async get(key: string): Promise<string | undefined> {
    const entry = await this.#guarded(() => this.#read(key));
    return entry !== undefined && entry.expiresAtMs > this.#clock.wallMs() ? entry.value : undefined;
  }

  /** The keys of all texts, sorted; one whose time is over may be among them. */
  keys(): Promise<string[]> {
    return this.#guarded(async () => (await this.#db.keys({ gte: 'v:', lt: 'v;' }).all()).map((key) => key.slice(2)));
  }

  async put(key: string, value: string, ttlMs: number): Promise<void> {
    checkEntry(key, value, ttlMs, this.#maxValueCharacters);
    const expiresAtMs = Math.ceil(this.#clock.wallMs() + ttlMs);
    await this.#write(async () => {
      const old = await this.#read(key);
      const batch = this.#db.batch();
      if (old) batch.del(timeKey(old.expiresAtMs, key));
      batch.put(valueKey(key), `${padded(expiresAtMs)}${value}`).put(timeKey(expiresAtMs, key), '');
      await batch.write();
      if (!old) this.#entries++;
      await this.#clearAway();
    });
  }

  async delete(key: string): Promise<void> {
    await this.#write(async () => {
      const old = await this.#read(key);
      if (old) await this.#remove([[old.expiresAtMs, key]]);
    });
  }

  async close(): Promise<void> {
    await this.#lastWrite;
    await this.#guarded(() => this.#db.close());
  }

  async #read(key: string): Promise<{ expiresAtMs: number; value: string } | undefined> {
    const stored = await this.#db.get(valueKey(key));
    if (stored === undefined) return undefined;
    return { expiresAtMs: Number(stored.slice(0, TIME_DIGITS)), value: stored.slice(TIME_DIGITS) };
  }

  /** Removes what is expired, and what expires first where there are too many. */
  async #clearAway(): Promise<void> {
    const nowMs = this.#clock.wallMs();
    const excess = Math.max(0, this.#entries - this.#maxEntries);
    const limit = Math.max(excess, CLEARED_PER_WRITE);
    const leaving: [number, string][] = [];
    for (const found of await this.#db.keys({ gte: 't:', lt: 't;', limit }).all()) {
      const expiresAtMs = Number(found.slice(2, 2 + TIME_DIGITS));
      if (expiresAtMs > nowMs && leaving.length >= excess) break;
      if (expiresAtMs > nowMs) this.evicted++;
      leaving.push([expiresAtMs, found.slice(3 + TIME_DIGITS)]);
    }
    if (leaving.length > 0) await this.#remove(leaving);
  }

  async #remove(entries: readonly (readonly [number, string])[]): Promise<void> {
    const batch = this.#db.batch();
    for (const [expiresAtMs, key] of entries) batch.del(valueKey(key)).del(timeKey(expiresAtMs, key));
    await batch.write();
    this.#entries -= entries.length;
  }

  async #write(run: () => Promise<void>): Promise<void> {
    if (this.#waitingWrites >= MAX_WAITING_WRITES) {
      throw new GatewayError('ERR_STORE', `${MAX_WAITING_WRITES} writes wait for the store already`);
    }
    this.#waitingWrites++;
    const result = this.#lastWrite.then(() => this.#guarded(run));
    this.#lastWrite = result.catch(() => {}).finally(() => this.#waitingWrites--);
    await result;
  }

  async #guarded<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (thrown) {
      const cause = toError(thrown);
      throw new GatewayError('ERR_STORE', { found: `the store in '${this.#db.location}': ${cause.message}`, cause });
    }
  }
}
