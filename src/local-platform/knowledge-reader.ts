import { GatewayError, toError } from '../core/errors.ts';
import type { OutboundClient } from '../core/outbound-client.ts';
import { ApiError } from './api-error.ts';
import { WorkQueue } from './engines/work-queue.ts';
import { addressesOf, checkStorage, type Tier } from './knowledge-storage.ts';
import type { PlatformLog } from './platform-log.ts';
import type { KnowledgeItem } from './state/records.ts';
import type { PlatformState } from './state/state.ts';

export interface KnowledgeReaderOptions {
  readonly state: PlatformState;
  readonly tier: Tier;
  readonly outbound: OutboundClient;
  readonly log: PlatformLog;
  readonly stopping: AbortSignal;
}

const CONCURRENT_ITEMS = 2;
const MAX_WAITING_ITEMS = 1_000;
const MAX_PAGE_BYTES = 8 << 20;
const PAGE_WITHIN_MS = 20_000;

/**
 * Fetches what is behind the addresses of knowledge items, page after page, to see that it is there and how large it is.
 * An item is `PROCESSING` until then, and `READY` or `FAILED` afterwards, with why as its `error`.
 */
export class KnowledgeReader {
  readonly #options: KnowledgeReaderOptions;
  readonly #queue = new WorkQueue({ concurrent: CONCURRENT_ITEMS, maxWaiting: MAX_WAITING_ITEMS });

  constructor(options: KnowledgeReaderOptions) {
    this.#options = options;
  }

  /** Reads an item that is `PROCESSING`. One that is changed meanwhile is read anew by whoever changed it. */
  read(item: KnowledgeItem): void {
    const { log, stopping } = this.#options;
    void this.#queue
      .run(() => this.#read(item), stopping)
      .catch((thrown: unknown) => this.#finish(item, { error: this.#reasonOf(thrown) }))
      .catch((thrown: unknown) => log.error({ error: toError(thrown).message }, 'an item could not be stored'));
  }

  async #read(item: KnowledgeItem): Promise<void> {
    const { outbound, stopping } = this.#options;
    let pageBytes = 0;
    for (const [index, url] of addressesOf(item).entries()) {
      if (!this.#isCurrent(item)) return;
      const request = { url, timeoutMs: PAGE_WITHIN_MS, maxBytes: MAX_PAGE_BYTES, signal: stopping };
      const { status, body } = await outbound.request(request);
      if (status !== 200) throw new ApiError(400, `Page ${index + 1} answered ${status}`);
      pageBytes += body.length;
    }
    this.#finish(item, { pageBytes });
  }

  /** @throws ApiError 400 - the storage is full; 503 - there is no room at all. */
  #finish(item: KnowledgeItem, outcome: { readonly pageBytes: number } | { readonly error: string }): void {
    const { state, tier } = this.#options;
    if (!this.#isCurrent(item)) return;
    const current = state.knowledge.get(item.id);
    if ('error' in outcome) {
      state.knowledge.put(state.change(current, { status: 'FAILED', error: outcome.error }));
      return;
    }
    const { pageBytes } = outcome;
    const ready = { ...current, status: 'READY' as const, pageBytes, sizeBytes: current.sizeBytes + pageBytes };
    checkStorage(state.knowledge, tier, ready);
    state.knowledge.put(state.change(ready, {}));
  }

  /** Whether the item has the addresses still that are being read, and nobody has read them. */
  #isCurrent({ id, contentVersion }: KnowledgeItem): boolean {
    const current = this.#options.state.knowledge.find(id);
    return current?.status === 'PROCESSING' && current.contentVersion === contentVersion;
  }

  #reasonOf(thrown: unknown): string {
    if (thrown instanceof GatewayError) return thrown.found;
    if (thrown instanceof ApiError) return thrown.message;
    const { log, stopping } = this.#options;
    if (!stopping.aborted) log.error({ error: toError(thrown).message }, 'an item could not be read');
    return 'Internal server error';
  }
}
