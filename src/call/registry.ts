import type { Call, CallDescription, CallSummary } from './call.ts';

/** How many ended calls can still be looked at. */
const MAX_ENDED = 200;

/** The calls that are up, and the newest of those that ended. */
export class CallRegistry {
  readonly #active = new Map<string, Call>();
  readonly #ended = new Map<string, CallDescription>();
  #totalCalls = 0;

  get activeCalls(): number {
    return this.#active.size;
  }

  get totalCalls(): number {
    return this.#totalCalls;
  }

  get active(): readonly Call[] {
    return [...this.#active.values()];
  }

  /** A call that is not over. */
  find(id: string): Call | undefined {
    return this.#active.get(id);
  }

  add(call: Call): void {
    this.#totalCalls++;
    this.#active.set(call.id, call);
  }

  /** Moves `call` to the ended ones, once every utterance of it has its answer. */
  retire(call: Call): void {
    if (!this.#active.delete(call.id)) return;
    this.#ended.set(call.id, call.describe());
    if (this.#ended.size > MAX_ENDED) {
      for (const oldest of this.#ended.keys()) {
        this.#ended.delete(oldest);
        break;
      }
    }
  }

  /** Newest last; ended calls first. */
  list(): readonly CallSummary[] {
    const ended = [...this.#ended.values()].map(({ turns: _turns, statistics: _statistics, ...summary }) => summary);
    return [...ended, ...[...this.#active.values()].map((call) => call.summarize())];
  }

  describe(id: string): CallDescription | undefined {
    return this.#active.get(id)?.describe() ?? this.#ended.get(id);
  }
}
