import { Redis } from 'ioredis';
import { registerSecret } from '../core/secrets.ts';

/** A Redis that does not answer for this long is taken for gone: a caller waits for what is asked of it. */
const COMMAND_TIMEOUT_MS = 500;
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_RECONNECT_MS = 2_000;

/** A Lua script that runs in Redis as one step. */
export interface RedisScript {
  readonly name: string;
  readonly lua: string;
}

export interface RedisOptions {
  /** `redis[s]://[USER:PASSWORD@]HOST:PORT[/DATABASE]` */
  readonly url: string;
  /** Told each time the connection is there. */
  readonly onUp?: () => void;
}

/**
 * One connection to Redis 6.2 or newer, which is opened again whenever it is lost. What is asked while it is away fails
 * at once instead of waiting for it: everyone who uses it has a way to go on alone.
 */
export class RedisConnection {
  readonly #redis: Redis;

  constructor({ url, onUp }: RedisOptions) {
    const { password } = new URL(url);
    if (password !== '') registerSecret(decodeURIComponent(password));
    this.#redis = new Redis(url, {
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (attempts) => Math.min(MAX_RECONNECT_MS, 50 * 2 ** Math.min(attempts, 10)),
    });
    // Each command that fails tells its caller; an error without a listener would end the process.
    this.#redis.on('error', () => {});
    if (onUp) this.#redis.on('ready', onUp);
  }

  get isUp(): boolean {
    return this.#redis.status === 'ready';
  }

  /** Runs `script` on `keys`. @throws Error - Redis is away, too slow, or refuses. */
  run(script: RedisScript, keys: readonly string[], parameters: readonly (string | number)[]): Promise<unknown> {
    const { name, lua } = script;
    if (!(name in this.#redis)) this.#redis.defineCommand(name, { numberOfKeys: keys.length, lua });
    const commands = this.#redis as unknown as Record<string, (...values: (string | number)[]) => Promise<unknown>>;
    return commands[name]!(...keys, ...parameters);
  }

  /** The text under `key`, or undefined. @throws as {@link run} does. */
  async get(key: string): Promise<string | undefined> {
    return (await this.#redis.get(key)) ?? undefined;
  }

  /** Keeps `value` for `ttlMs`. @throws as {@link run} does. */
  async set(key: string, value: string, ttlMs: number): Promise<void> {
    await this.#redis.set(key, value, 'PX', ttlMs);
  }

  /** @throws as {@link run} does. */
  async delete(key: string): Promise<void> {
    await this.#redis.del(key);
  }

  /** Resolves once the connection is there. @throws Error - it is not within 5 s. */
  whenUp(): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#redis.off('ready', onReady).off('error', onError);
      };
      const onReady = (): void => {
        end();
        resolve();
      };
      let reason = 'it does not answer';
      const onError = ({ message }: Error): void => {
        reason = message;
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(reason));
      }, CONNECT_TIMEOUT_MS);
      this.#redis.on('ready', onReady).on('error', onError);
      if (this.isUp) onReady();
    });
  }

  close(): void {
    this.#redis.disconnect();
  }
}
