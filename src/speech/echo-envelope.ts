import { LONGEST_LAG } from './echo-search.ts';
import { type EchoSignal, FRAME_SAMPLES } from './echo-signal.ts';

const LAGS = Math.ceil(LONGEST_LAG / FRAME_SAMPLES);
/** Until more is known: 7 dB of return loss, the least that lines have. */
const UNKNOWN_RETURN = 0.2;
/** Played power from which on a frame tells how much of it comes back. */
const LOUD_POWER = 1000;
/** How fast it is learned that a lag returns less, or more. One frame without an echo says more than one with sound. */
const FALL = 0.3;
const RISE = 0.03;

/**
 * How loud an echo can be by now: for each lag of 20 ms, how much of what was played so long ago has come back at the
 * most. Needs no correlation, so it holds for an echo that is bent or smeared too, and excludes a lag with the first
 * frames that did not come back after it.
 */
export class EchoEnvelope {
  /** By lag in frames. */
  readonly #returns = new Float64Array(LAGS).fill(UNKNOWN_RETURN);

  /** The power that an echo in the frame at `start` can have. */
  most(played: EchoSignal, start: number): number {
    let most = 0;
    let later = played.framePower(start);
    for (let lag = 0; lag < LAGS; lag++) {
      const earlier = played.framePower(start - (lag + 1) * FRAME_SAMPLES);
      most = Math.max(most, this.#returns[lag]! * Math.max(earlier, later));
      later = earlier;
    }
    return most;
  }

  /** Learns from the frame at `start`, of which `power` was heard; `isEcho` says that it is known to be nothing else. */
  learn(played: EchoSignal, start: number, power: number, isEcho: boolean): void {
    let later = played.framePower(start);
    for (let lag = 0; lag < LAGS; lag++) {
      const earlier = played.framePower(start - (lag + 1) * FRAME_SAMPLES);
      const least = Math.min(earlier, later);
      later = earlier;
      if (least < LOUD_POWER) continue;
      const change = Math.min(1, power / least) - this.#returns[lag]!;
      if (change < 0) this.#returns[lag]! += FALL * change;
      else if (isEcho) this.#returns[lag]! += RISE * change;
    }
  }
}
