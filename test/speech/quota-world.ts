import { setImmediate } from 'node:timers/promises';
import type { Timer } from '../../src/core/clock.ts';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import { QuotaGovernor } from '../../src/platform/quota-governor.ts';
import { QuotaScheduler } from '../../src/speech/quota-scheduler.ts';
import type { SttConnection } from '../../src/speech/socket-pool.ts';
import { Transcriber, type Transcript } from '../../src/speech/transcriber.ts';
import { FakeClock } from '../support/fake-clock.ts';
import type { Limiter } from '../support/limiters.ts';

export const SAMPLE_RATE = 8000;
const STEP_MS = 10;
const MIN_DELAY_MS = 20;
const MEAN_DELAY_MS = 200;

/** Every sample of utterance `number` has this value, so that what was sent can be traced to it. */
export function utterancePcm(number: number, durationMs: number): Int16Array {
  return new Int16Array((durationMs * SAMPLE_RATE) / 1000).fill(number);
}

export interface QuotaWorldOptions {
  readonly limiter: Limiter;
  readonly random: () => number;
  readonly maxSockets?: number;
}

/**
 * The transcriber, its scheduler and a governor of 100 a minute in front of a platform that counts as `limiter` does,
 * on a fake clock. A request or connection is on its way for 20 ms and an exponential time with a mean of 200 ms, its
 * answer as well; the platform takes no time. A transcript names the utterances that were sent, as `1 2 3`.
 */
export class QuotaWorld {
  readonly clock: FakeClock = new FakeClock();
  readonly scheduler: QuotaScheduler;
  readonly transcriber: Transcriber;
  readonly #limiter: Limiter;
  readonly #random: () => number;
  allowed = 0;
  refused = 0;

  constructor({ limiter, random, maxSockets = 8 }: QuotaWorldOptions) {
    this.#limiter = limiter;
    this.#random = random;
    const { clock } = this;
    this.scheduler = new QuotaScheduler({ clock, quota: new QuotaGovernor({ limit: 100 }) });
    this.transcriber = new Transcriber({
      clock,
      guard: new AccountGuard(),
      scheduler: this.scheduler,
      maxSockets,
      random,
      encode: (pcm) => Buffer.from([...new Set(pcm)].join(' ')),
      connect: () => this.#connect(),
    });
  }

  submit(number: number, callId: string, startMs: number, endMs: number): Promise<Transcript> {
    const pcm = utterancePcm(number, endMs - startMs);
    const decidedAtMs = this.clock.nowMs();
    return this.transcriber.submit({
      id: String(number),
      callId,
      pcm,
      sampleRate: SAMPLE_RATE,
      startMs,
      endMs,
      decidedAtMs,
    });
  }

  /** Lets `durationMs` pass, with everything that waits for promises in between. */
  async run(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += STEP_MS) {
      this.clock.advance(STEP_MS);
      await setImmediate();
    }
  }

  async #connect(): Promise<SttConnection> {
    await this.#exchange();
    let isBusy = false;
    return {
      get usable(): boolean {
        return !isBusy;
      },
      transcribe: async (frame) => {
        isBusy = true;
        try {
          await this.#exchange();
          return frame.toString();
        } finally {
          isBusy = false;
        }
      },
      close: () => {},
    };
  }

  /** One request to the platform and back. */
  async #exchange(): Promise<void> {
    await this.#pass();
    const verdict = this.#limiter.take(this.clock.nowMs());
    await this.#pass();
    if (verdict.allowed) {
      this.allowed++;
      return;
    }
    this.refused++;
    throw new PlatformError('ERR_PLATFORM_RATE', 'Rate limit exceeded');
  }

  #pass(): Promise<Timer> {
    const delayMs = MIN_DELAY_MS - MEAN_DELAY_MS * Math.log(1 - this.#random());
    return new Promise((resolve) => {
      const timer = this.clock.after(delayMs, () => resolve(timer));
    });
  }
}
