import type { Clock } from '../../src/core/clock.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import type { RequestSlot } from '../../src/platform/request-slot.ts';
import type { QuotaScheduler } from '../../src/speech/quota-scheduler.ts';
import type { SharedLog, SharedLogEntry, SharedLogReply } from '../../src/store/shared-log.ts';

/** The shared log on a clock of the test's choice; `isUp` takes it away. Every exchange takes 1 ms. */
export class FakeSharedLog implements SharedLog {
  readonly #clock: Clock;
  #entries: SharedLogEntry[] = [];
  /** Where each id stands in the log. */
  readonly #positions = new Map<string, number>();
  #epoch = 0;
  isUp = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Loses everything, as a Redis without a disk does when it starts again. */
  forget(): void {
    this.#entries = [];
    this.#positions.clear();
    this.#epoch++;
  }

  async exchange(seenId: string, texts: readonly string[], onlyIfSeen: boolean): Promise<SharedLogReply> {
    if (!this.isUp) throw new Error('the log is away');
    const nowMs = this.#clock.wallMs();
    const epoch = String(this.#epoch);
    const unseen = this.#entries.slice((this.#positions.get(seenId) ?? -1) + 1);
    const appended = !onlyIfSeen || unseen.length === 0;
    if (appended) {
      for (const text of texts) {
        const last = this.#entries.at(-1);
        const atMs = Math.floor(nowMs);
        const number = last?.atMs === atMs ? Number(last.id.split('-')[1]) + 1 : 0;
        const entry = { id: `${atMs}-${number}`, atMs, text };
        this.#positions.set(entry.id, this.#entries.push(entry) - 1);
        unseen.push(entry);
      }
    }
    await new Promise<void>((resolve) => this.#clock.after(1, resolve));
    return { nowMs, appended, epoch, unseen };
  }
}

export interface Traffic {
  allowed: number;
  refused: number;
}

export interface SaturateOptions {
  readonly scheduler: QuotaScheduler;
  readonly clock: Clock;
  /** Whether the server allows a request that arrives now. */
  readonly judge: () => boolean | Promise<boolean>;
  /** One way through the network. */
  readonly delayMs: () => number;
  readonly traffic: Traffic;
}

/** Keeps one request waiting at `scheduler` at all times. @returns a function that ends it. */
export function saturate({ scheduler, clock, judge, delayMs, traffic }: SaturateOptions): () => void {
  let cancel = (): void => {};
  let isOver = false;
  const arrive = async (slot: RequestSlot): Promise<void> => {
    const allowed = await judge();
    if (allowed) traffic.allowed++;
    else traffic.refused++;
    clock.after(delayMs(), () =>
      allowed ? slot.answered() : slot.failed(new PlatformError('ERR_PLATFORM_RATE', 'Rate limit exceeded')),
    );
  };
  const ask = (): void => {
    const rank = { priority: 'batch', sinceMs: clock.nowMs() } as const;
    cancel = scheduler.ask({
      kind: 'stt',
      rank: () => rank,
      granted: (slot) => {
        if (!isOver) ask();
        slot.sent();
        clock.after(delayMs(), () => void arrive(slot));
      },
    });
  };
  ask();
  return () => {
    isOver = true;
    cancel();
  };
}
