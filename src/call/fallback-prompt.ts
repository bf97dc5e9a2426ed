import type { Clock, Timer } from '../core/clock.ts';
import { toError } from '../core/errors.ts';
import type { EventBus } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import type { Synthesizer } from '../speech/synthesizer.ts';
import type { Call } from './call.ts';
import type { CallRegistry } from './registry.ts';

export interface FallbackPromptOptions {
  readonly text: string;
  readonly synthesizer: Synthesizer;
  readonly calls: CallRegistry;
  readonly events: EventBus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly isAway: () => boolean;
}

/** Between attempts to fetch the prompt while the platform can not be asked. */
const RETRY_MS = 30_000;

/**
 * What callers hear, once each, while the platform is away. It is fetched when the gateway starts and kept on disk: when
 * it is needed there is nobody who could speak it.
 */
export class FallbackPrompt {
  readonly #options: FallbackPromptOptions;
  readonly #told = new WeakSet<Call>();
  readonly #unsubscribe: () => void;
  #isReady = false;
  #retry: Timer | undefined;

  constructor(options: FallbackPromptOptions) {
    this.#options = options;
    const { calls, events, isAway } = options;
    this.#unsubscribe = events.subscribe(({ type, callId }) => {
      if (type !== 'call.answered' || callId === null || !isAway()) return;
      // The call speaks once it has told that it is answered.
      queueMicrotask(() => this.#tell(calls.find(callId)));
    });
  }

  /** Fetches the prompt, as often as it takes. */
  async load(): Promise<void> {
    const { text, synthesizer, clock, logger } = this.#options;
    try {
      await synthesizer.preload(text);
      this.#isReady = true;
    } catch (thrown) {
      logger.warn({ error: toError(thrown) }, 'the fallback prompt could not be fetched yet');
      this.#retry = clock.after(RETRY_MS, () => void this.load());
    }
  }

  /** The platform went away: calls that are up hear it now. */
  onAway(): void {
    for (const call of this.#options.calls.active) this.#tell(call);
  }

  close(): void {
    this.#unsubscribe();
    this.#retry?.cancel();
  }

  #tell(call: Call | undefined): void {
    if (!call?.canSpeak || !this.#isReady || this.#told.has(call)) return;
    this.#told.add(call);
    try {
      // Whoever is speaking is not answered now, and needs to hear why.
      call.speak(this.#options.text, { interruptible: false });
    } catch (thrown) {
      this.#options.logger.warn({ callId: call.id, error: toError(thrown) }, 'the fallback prompt was not spoken');
    }
  }
}
