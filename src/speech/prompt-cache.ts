import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { encodeWav, parseWav, wavToPcm } from '../audio/wav.ts';
import { GatewayError, toError } from '../core/errors.ts';
import type { SpeechRequest, SpeechStream } from '../platform/speech-stream.ts';
import { FileCache } from '../store/file-cache.ts';

export interface PromptCacheOptions {
  /** Who speaks: everything that changes the sound and is no part of a request, such as the platform's URL. */
  readonly speaker: string;
  /** Where prompts survive the process. Default: they do not. */
  readonly folder?: string;
  /** Default 16 MiB, eight minutes at 16 kHz. */
  readonly maxMemoryBytes?: number;
  /** Default 256 MiB, more than two hours. */
  readonly maxDiskBytes?: number;
  /** The folder can not be read or written; prompts are kept in memory all the same. */
  readonly onError?: (error: Error) => void;
}

export interface PromptCacheStatistics {
  readonly hits: number;
  readonly misses: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

interface Prompt {
  readonly pcm: Int16Array;
  readonly sampleRate: number;
}

/** Texts whose first request is remembered: whoever asks for one again gets it kept. */
const MAX_ASKED = 10_000;
const MAX_PINNED = 256;
/** A longer prompt would push too many others out. Two minutes at 16 kHz. */
const MAX_PROMPT_BYTES = 4 * 1_048_576;
/** The first piece of a prompt from the cache, and each later one: each is resampled and encoded in one go. */
const FIRST_PIECE_MS = 200;
const LATER_PIECE_MS = 1_000;

/**
 * Speech that was asked for before, in memory and on disk. A request that is found here costs no quota, no money and no
 * time, and is heard while the platform is away.
 *
 * What is kept is what was asked for twice: replies that are made up for one caller are said once, and would only push
 * prompts out. Names of files are hashes, so that nobody reads in them what was said.
 */
export class PromptCache {
  readonly #options: PromptCacheOptions;
  readonly #maxMemoryBytes: number;
  readonly #files: FileCache | undefined;
  /** Least recently used first. */
  readonly #memory = new Map<string, Prompt>();
  #memoryBytes = 0;
  /** Keys that were asked for, oldest first. */
  readonly #asked = new Set<string>();
  readonly #pinned = new Set<string>();
  #hits = 0;
  #misses = 0;

  constructor(options: PromptCacheOptions) {
    const { folder, maxMemoryBytes = 16 * 1_048_576, maxDiskBytes = 256 * 1_048_576 } = options;
    this.#options = options;
    this.#maxMemoryBytes = maxMemoryBytes;
    this.#files = folder === undefined ? undefined : new FileCache(folder, { maxBytes: maxDiskBytes });
  }

  get statistics(): PromptCacheStatistics {
    const diskBytes = this.#files?.bytes ?? 0;
    return { hits: this.#hits, misses: this.#misses, memoryBytes: this.#memoryBytes, diskBytes };
  }

  /**
   * The speech of `request` if it is kept, else what `open` opens, which is kept for the next time if it was asked for
   * before and comes whole.
   */
  async speech(
    request: SpeechRequest,
    signal: AbortSignal | undefined,
    open: () => Promise<SpeechStream>,
  ): Promise<SpeechStream> {
    const key = this.#keyOf(request);
    const prompt = await this.#load(key);
    if (prompt) {
      this.#hits++;
      return play(prompt, signal);
    }
    this.#misses++;
    const isRepeated = this.#noteAsked(key) || this.#pinned.has(key);
    const stream = await open();
    return isRepeated ? this.#record(key, stream) : stream;
  }

  /**
   * Keeps the speech of `request` from giving way to other prompts, and fetches it by `open` unless it is there.
   *
   * @throws GatewayError - what `open` and its stream throw. A folder that can not be written is no failure.
   */
  async pin(request: SpeechRequest, open: () => Promise<SpeechStream>): Promise<void> {
    const key = this.#keyOf(request);
    this.#pinned.add(key);
    this.#files?.pin(fileName(key));
    for (const oldest of this.#pinned) {
      if (this.#pinned.size <= MAX_PINNED) break;
      this.#pinned.delete(oldest);
      this.#files?.unpin(fileName(oldest));
    }
    if (await this.#load(key)) return;
    const stream = await open();
    const chunks: Int16Array[] = [];
    for await (const pcm of stream) chunks.push(pcm);
    await this.#keep(key, { pcm: joined(chunks), sampleRate: stream.sampleRate });
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#files?.close();
  }

  #keyOf({ text, voice, dialect, language, sampleRate, mulaw }: SpeechRequest): string {
    const parts = [this.#options.speaker, text, voice, dialect ?? null, language ?? null, sampleRate, mulaw ?? false];
    return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  }

  /** @returns whether it was asked for before. */
  #noteAsked(key: string): boolean {
    const wasAsked = this.#asked.delete(key);
    this.#asked.add(key);
    for (const oldest of this.#asked) {
      if (this.#asked.size <= MAX_ASKED) break;
      this.#asked.delete(oldest);
    }
    return wasAsked;
  }

  async #load(key: string): Promise<Prompt | undefined> {
    const kept = this.#memory.get(key);
    if (kept) {
      this.#memory.delete(key);
      this.#memory.set(key, kept);
      return kept;
    }
    const prompt = await this.#read(key);
    if (prompt) this.#remember(key, prompt);
    return prompt;
  }

  async #read(key: string): Promise<Prompt | undefined> {
    try {
      const bytes = await this.#files?.get(fileName(key));
      if (!bytes) return undefined;
      const prompt = readPrompt(bytes);
      if (!prompt) await this.#files?.delete(fileName(key));
      return prompt;
    } catch (error) {
      this.#options.onError?.(toError(error));
      return undefined;
    }
  }

  /** Passes `stream` on, and keeps it once it has come to its end. */
  #record(key: string, stream: SpeechStream): SpeechStream {
    const keep = (pcm: Int16Array): void => void this.#keep(key, { pcm, sampleRate: stream.sampleRate });
    async function* recorded(): AsyncGenerator<Int16Array, undefined> {
      let chunks: Int16Array[] | undefined = [];
      let bytes = 0;
      for await (const pcm of stream) {
        bytes += pcm.byteLength;
        // The listener owns what it is given and may change it.
        if (bytes > MAX_PROMPT_BYTES) chunks = undefined;
        else chunks?.push(pcm.slice());
        yield pcm;
      }
      if (chunks) keep(joined(chunks));
      return undefined;
    }
    return { sampleRate: stream.sampleRate, [Symbol.asyncIterator]: recorded };
  }

  async #keep(key: string, prompt: Prompt): Promise<void> {
    if (prompt.pcm.byteLength > MAX_PROMPT_BYTES) return;
    this.#remember(key, prompt);
    try {
      await this.#files?.put(fileName(key), encodeWav(prompt.pcm, prompt.sampleRate));
    } catch (error) {
      this.#options.onError?.(toError(error));
    }
  }

  #remember(key: string, prompt: Prompt): void {
    this.#forget(key);
    this.#memory.set(key, prompt);
    this.#memoryBytes += prompt.pcm.byteLength;
    for (const [oldest] of this.#memory) {
      if (this.#memoryBytes <= this.#maxMemoryBytes) break;
      if (!this.#pinned.has(oldest)) this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#memoryBytes -= this.#memory.get(key)?.pcm.byteLength ?? 0;
    this.#memory.delete(key);
  }
}

function fileName(key: string): string {
  return `${key}.wav`;
}

/** @returns undefined when the file is damaged: not what was written, in whole. */
function readPrompt(bytes: Uint8Array): Prompt | undefined {
  try {
    const wav = parseWav(bytes);
    const promisedBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true) + 8;
    if (bytes.length !== promisedBytes || wav.data.length === 0) return undefined;
    return { pcm: wavToPcm(wav), sampleRate: wav.sampleRate };
  } catch {
    return undefined;
  }
}

function joined(chunks: readonly Int16Array[]): Int16Array {
  const pcm = new Int16Array(chunks.reduce((samples, chunk) => samples + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    pcm.set(chunk, at);
    at += chunk.length;
  }
  return pcm;
}

/** The prompt in pieces, with a turn of the event loop between them. */
function play({ pcm, sampleRate }: Prompt, signal: AbortSignal | undefined): SpeechStream {
  async function* pieces(): AsyncGenerator<Int16Array, undefined> {
    let pieceMs = FIRST_PIECE_MS;
    for (let from = 0; from < pcm.length; ) {
      if (signal?.aborted) throw new GatewayError('ERR_ABORTED', 'the speech was given up');
      const to = from + Math.round((pieceMs * sampleRate) / 1000);
      yield pcm.slice(from, to);
      from = to;
      pieceMs = LATER_PIECE_MS;
      await setImmediate();
    }
    return undefined;
  }
  return { sampleRate, [Symbol.asyncIterator]: pieces };
}
