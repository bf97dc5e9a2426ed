import type { Clock } from '../core/clock.ts';
import type { Fault } from './faults.ts';
import { wait } from './wait.ts';

/** How much faster than it is played the platform delivers speech, once the burst is out. */
const SPEECH_SPEED = 1.7;
const BURST_MS = 400;
/** The platform's chunks end in the middle of samples; these make every alignment occur. */
const CHUNK_BYTES: readonly number[] = [4095, 641, 2050, 1, 3200];

/** Ends a delivery in its middle. */
export class TornError extends Error {}

export interface Delivery {
  readonly body: Uint8Array;
  /** At which a listener plays the body; everything is delivered at once without it. */
  readonly bytesPerSecond?: number | undefined;
  /** How much faster than it is played it is delivered after the burst. Default 1.7. */
  readonly speed?: number;
  /** Of the chunks, in turn. Default: such that end in the middle of samples. */
  readonly chunkBytes?: readonly number[];
  readonly fault: Fault | undefined;
  readonly clock: Clock;
  /** Ends the delivery quietly. */
  readonly signal: AbortSignal;
}

/**
 * The chunks of a reply, each when it is due. They are views of `body`.
 *
 * @throws TornError - where the fault `torn` has it.
 */
export async function* deliver(delivery: Delivery): AsyncGenerator<Uint8Array, void> {
  const { body, bytesPerSecond, speed = SPEECH_SPEED, chunkBytes = CHUNK_BYTES, fault, clock, signal } = delivery;
  const sizes = fault?.fault === 'chunks' ? fault.sizes : chunkBytes;
  const end = fault?.fault === 'torn' ? Math.min(fault.bytes, body.length) : body.length;
  let startMs = clock.nowMs();
  let mayStall = true;
  for (let from = 0, index = 0; from < end; index++) {
    const to = Math.min(from + sizes[index % sizes.length]!, end);
    if (fault?.fault === 'stall' && mayStall && to > fault.bytes) {
      mayStall = false;
      startMs += fault.ms;
    }
    const waitMs = startMs + dueMs(from, bytesPerSecond, speed) - clock.nowMs();
    if (waitMs > 0) await wait(clock, waitMs, signal);
    if (signal.aborted) return;
    yield body.subarray(from, to);
    from = to;
  }
  if (fault?.fault === 'torn') throw new TornError(`torn after ${end} bytes`);
}

/** When the byte at `offset` may leave, in milliseconds from the start. */
export function dueMs(offset: number, bytesPerSecond?: number, speed: number = SPEECH_SPEED): number {
  return bytesPerSecond === undefined ? 0 : Math.max(0, (offset * 1000) / bytesPerSecond - BURST_MS) / speed;
}
