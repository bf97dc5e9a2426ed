import type { Clock, Timer } from '../../core/clock.ts';
import { ENGINE_SAMPLE_RATE } from '../engines/engine.ts';
import type { Speaker } from './records.ts';

const TICK_MS = 100;
/** What may be said ahead of its time, or of a listener who is slow to take it. */
const MAX_AHEAD_MS = 60_000;
const MAX_LISTENERS = 16;
const SAMPLES_PER_MS = ENGINE_SAMPLE_RATE / 1000;

interface Said {
  /** On the clock of `nowMs`. */
  readonly startMs: number;
  readonly pcm: Int16Array;
}

/**
 * What a call sounds like to somebody who listens in: both sides, mixed, in real time, with silence where nobody speaks.
 * A side may be ahead of its time, as replies that are made faster than they are spoken are; it is heard when it is due.
 */
export class LiveAudio {
  readonly #clock: Clock;
  readonly #sides: Record<Speaker, Said[]> = { Agent: [], User: [] };
  readonly #listeners = new Set<Listener>();
  #ticks: Timer | undefined;
  #mixedToMs = 0;
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /**
   * Lets `speaker` say `pcm` (mono at 16 kHz, kept until it was heard) after what it says already.
   *
   * @returns when it has been said, on the clock of `nowMs`.
   */
  say(speaker: Speaker, pcm: Int16Array): number {
    const nowMs = this.#clock.nowMs();
    const side = this.#sides[speaker].filter((said) => endOf(said) > nowMs - 2 * TICK_MS);
    this.#sides[speaker] = side;
    const last = side.at(-1);
    const said = { startMs: Math.max(nowMs, last === undefined ? 0 : endOf(last)), pcm };
    if (!this.#isOver && endOf(said) - nowMs <= MAX_AHEAD_MS) side.push(said);
    return endOf(said);
  }

  /** Takes back what `speaker` has not said yet. */
  interrupt(speaker: Speaker): void {
    const nowMs = this.#clock.nowMs();
    const begun = this.#sides[speaker].filter(({ startMs }) => startMs <= nowMs);
    this.#sides[speaker] = begun.map(({ startMs, pcm }) => ({
      startMs,
      pcm: pcm.subarray(0, Math.ceil((nowMs - startMs) * SAMPLES_PER_MS)),
    }));
  }

  /**
   * Everything from now on as 16 bit samples at 16 kHz, until the call is over or `signal` is aborted. Undefined when
   * too many listen already.
   */
  listen(signal: AbortSignal): AsyncIterable<Uint8Array> | undefined {
    if (this.#listeners.size >= MAX_LISTENERS) return undefined;
    const listener = new Listener();
    if (this.#isOver) {
      listener.end();
      return listener.take(() => {});
    }
    if (this.#listeners.size === 0) {
      this.#mixedToMs = this.#clock.nowMs();
      this.#ticks = this.#clock.every(TICK_MS, () => this.#tick());
    }
    this.#listeners.add(listener);
    const leave = (): void => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#ticks?.cancel();
    };
    signal.addEventListener('abort', () => listener.end(), { once: true });
    if (signal.aborted) listener.end();
    return listener.take(leave);
  }

  /** The call is over. */
  end(): void {
    if (this.#listeners.size > 0) this.#tick();
    this.#isOver = true;
    this.#ticks?.cancel();
    for (const listener of this.#listeners) listener.end();
    this.#sides.Agent = [];
    this.#sides.User = [];
  }

  #tick(): void {
    const fromMs = this.#mixedToMs;
    const toMs = Math.floor(this.#clock.nowMs() - fromMs) + fromMs;
    if (toMs <= fromMs) return;
    this.#mixedToMs = toMs;
    const mixed = new Int16Array(Math.round((toMs - fromMs) * SAMPLES_PER_MS));
    for (const side of Object.values(this.#sides)) for (const said of side) mixInto(mixed, fromMs, said);
    for (const listener of this.#listeners) listener.give(new Uint8Array(mixed.buffer));
  }
}

function endOf({ startMs, pcm }: Said): number {
  return startMs + pcm.length / SAMPLES_PER_MS;
}

/** Adds to `mixed`, which starts at `fromMs`, what of `said` falls into it. */
function mixInto(mixed: Int16Array, fromMs: number, { startMs, pcm }: Said): void {
  const offset = Math.round((startMs - fromMs) * SAMPLES_PER_MS);
  const end = Math.min(mixed.length, offset + pcm.length);
  for (let i = Math.max(0, offset); i < end; i++) {
    mixed[i] = Math.max(-32_768, Math.min(32_767, mixed[i]! + pcm[i - offset]!));
  }
}

/** Holds what one listener has not taken yet; beyond a minute the oldest is lost, as on a line that is too slow. */
class Listener {
  readonly #waiting: Uint8Array[] = [];
  #wake: (() => void) | undefined;
  #isOver = false;

  give(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#waiting.push(bytes);
    if (this.#waiting.length > MAX_AHEAD_MS / TICK_MS) this.#waiting.shift();
    this.#wake?.();
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  async *take(leave: () => void): AsyncGenerator<Uint8Array, void> {
    try {
      for (;;) {
        const next = this.#waiting.shift();
        if (next !== undefined) yield next;
        else if (this.#isOver) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#isOver = true;
      leave();
    }
  }
}
