import type { Store } from '../../store/store.ts';

/** As long as the platform's guide keeps results. */
const KEEP_MS = 24 * 3_600_000;

/**
 * Operations that are done once, however often they are asked for: results are kept for 24 hours in `store`, and whoever
 * asks while an operation runs shares its run. A failure is not kept.
 *
 * Processes that share the store share results, not runs.
 */
export class IdempotentOperations {
  readonly #store: Store;
  readonly #running = new Map<string, Promise<unknown>>();
  /** Results that the store refused: these operations would be done again. */
  notKept = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * @param run - resolves with what can be written as JSON; that is what later callers get.
   * @throws what `run` throws, or GatewayError `ERR_STORE` before it is run: it is not known then if it was done.
   */
  operation<T>(id: string, run: () => Promise<T>): Promise<T> {
    let running = this.#running.get(id) as Promise<T> | undefined;
    if (running === undefined) {
      running = this.#once(`operation:${id}`, run).finally(() => this.#running.delete(id));
      this.#running.set(id, running);
    }
    return running;
  }

  async #once<T>(key: string, run: () => Promise<T>): Promise<T> {
    const kept = await this.#store.get(key);
    if (kept !== undefined) return (JSON.parse(kept) as { result: T }).result;
    const result = await run();
    try {
      await this.#store.put(key, JSON.stringify({ result }), KEEP_MS);
    } catch {
      // It is done. To fail now would have it done again.
      this.notKept++;
    }
    return result;
  }
}
