import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError, toError } from '../core/errors.ts';

export interface FileCacheOptions {
  /** Of all files together. */
  readonly maxBytes: number;
}

const NAME = /^[\w-][\w.-]{0,127}$/;
/** Of files that are being written. */
const PART = '.part';
/** A part that old was left by a process that died. */
const LEFT_OVER_MS = 3_600_000;

let parts = 0;

/**
 * Whole files in one folder, which several processes may share. A file is there with all its bytes or not at all. Past
 * the bound what was used longest ago gives way, but for what is pinned. The folder is read once, when it is first used,
 * and created when something is kept.
 */
export class FileCache {
  readonly #folder: string;
  readonly #maxBytes: number;
  /** Bytes of each known file, least recently used first. */
  readonly #files = new Map<string, number>();
  readonly #pinned = new Set<string>();
  #bytes = 0;
  #scanned: Promise<void> | undefined;
  /** Writes run one after the other, so that each leaves the folder inside its bound. */
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(folder: string, { maxBytes }: FileCacheOptions) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /** Of the files that are known. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The file's bytes, or undefined when there is none. @throws GatewayError `ERR_STORE` - it can not be read. */
  async get(name: string): Promise<Uint8Array | undefined> {
    checkName(name);
    await this.#scan();
    if (!this.#files.has(name)) return undefined;
    try {
      const bytes = await readFile(this.#path(name));
      this.#note(name, bytes.length);
      // When it was used last is worth no failure.
      const now = new Date();
      await utimes(this.#path(name), now, now).catch(() => {});
      return bytes;
    } catch (thrown) {
      this.#forget(name);
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw this.#failure(thrown);
    }
  }

  /**
   * Keeps a file. Resolves when it will survive a crash of the machine. One that is larger than the bound is not kept.
   *
   * @throws GatewayError `ERR_STORE` - it can not be written.
   */
  async put(name: string, bytes: Uint8Array): Promise<void> {
    checkName(name);
    if (bytes.length > this.#maxBytes) return;
    const write = this.#lastWrite.then(() => this.#write(name, bytes));
    this.#lastWrite = write.catch(() => {});
    await write;
  }

  async delete(name: string): Promise<void> {
    checkName(name);
    this.#forget(name);
    await rm(this.#path(name), { force: true }).catch(() => {});
  }

  /** Keeps `name` from giving way, whether it is there already or not. */
  pin(name: string): void {
    this.#pinned.add(name);
  }

  unpin(name: string): void {
    this.#pinned.delete(name);
  }

  /** Waits for writes under way. */
  async close(): Promise<void> {
    await this.#lastWrite;
  }

  async #write(name: string, bytes: Uint8Array): Promise<void> {
    const part = this.#path(`${name}.${process.pid}-${parts++}${PART}`);
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await this.#scan();
      const file = await open(part, 'wx', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, this.#path(name));
    } catch (thrown) {
      await rm(part, { force: true }).catch(() => {});
      throw this.#failure(thrown);
    }
    this.#note(name, bytes.length);
    for (const [oldest] of this.#files) {
      if (this.#bytes <= this.#maxBytes) break;
      if (oldest !== name && !this.#pinned.has(oldest)) await this.delete(oldest);
    }
  }

  #scan(): Promise<void> {
    this.#scanned ??= this.#readFolder();
    return this.#scanned;
  }

  async #readFolder(): Promise<void> {
    const found: { name: string; bytes: number; usedMs: number }[] = [];
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names) {
      const facts = await stat(this.#path(name)).catch(() => undefined);
      if (!facts?.isFile() || !NAME.test(name)) continue;
      if (!name.endsWith(PART)) found.push({ name, bytes: facts.size, usedMs: facts.mtimeMs });
      else if (Date.now() - facts.mtimeMs > LEFT_OVER_MS) await rm(this.#path(name), { force: true }).catch(() => {});
    }
    found.sort((a, b) => a.usedMs - b.usedMs);
    for (const { name, bytes } of found) if (!this.#files.has(name)) this.#note(name, bytes);
  }

  #note(name: string, bytes: number): void {
    this.#forget(name);
    this.#files.set(name, bytes);
    this.#bytes += bytes;
  }

  #forget(name: string): void {
    this.#bytes -= this.#files.get(name) ?? 0;
    this.#files.delete(name);
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  #failure(cause: unknown): GatewayError {
    const found = `the folder '${this.#folder}': ${toError(cause).message}`;
    return new GatewayError('ERR_STORE', { found, cure: 'make it writable, or set GATEWAY_DATA', cause });
  }
}

function checkName(name: string): void {
  if (!NAME.test(name)) throw new TypeError(`Expected a file name but received '${name}'`);
}
