import { GatewayError, toError } from '../core/errors.ts';
import { RedisConnection } from './redis.ts';
import { checkEntry, type Store } from './store.ts';

export interface RedisStoreOptions {
  /** `redis[s]://[USER:PASSWORD@]HOST:PORT[/DATABASE]` */
  readonly url: string;
  /** Those who give the same name share what is kept. */
  readonly name: string;
  /** Default 1 Mi. */
  readonly maxValueCharacters?: number;
}

/**
 * A store that processes on several machines share. Redis itself ends the time of every text, and bounds all of them as
 * its `maxmemory` says.
 *
 * Methods throw GatewayError `ERR_STORE` when Redis is away, too slow, or refuses.
 */
export class RedisStore implements Store {
  readonly #redis: RedisConnection;
  readonly #name: string;
  readonly #maxValueCharacters: number;

  private constructor(redis: RedisConnection, { name, maxValueCharacters = 1_048_576 }: RedisStoreOptions) {
    this.#redis = redis;
    this.#name = name;
    this.#maxValueCharacters = maxValueCharacters;
  }

  /** @throws GatewayError `ERR_STORE` - Redis can not be reached within 5 s. */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    const redis = new RedisConnection({ url: options.url });
    try {
      await redis.whenUp();
    } catch (thrown) {
      redis.close();
      throw failure(thrown);
    }
    return new RedisStore(redis, options);
  }

  get(key: string): Promise<string | undefined> {
    return guarded(() => this.#redis.get(this.#keyOf(key)));
  }

  async put(key: string, value: string, ttlMs: number): Promise<void> {
    checkEntry(key, value, ttlMs, this.#maxValueCharacters);
    await guarded(() => this.#redis.set(this.#keyOf(key), value, Math.ceil(ttlMs)));
  }

  async delete(key: string): Promise<void> {
    await guarded(() => this.#redis.delete(this.#keyOf(key)));
  }

  async close(): Promise<void> {
    this.#redis.close();
  }

  #keyOf(key: string): string {
    return `${this.#name}:${key}`;
  }
}

async function guarded<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    throw failure(thrown);
  }
}

function failure(thrown: unknown): GatewayError {
  const cause = toError(thrown);
  return new GatewayError('ERR_STORE', { found: `the store in Redis: ${cause.message}`, cause });
}
