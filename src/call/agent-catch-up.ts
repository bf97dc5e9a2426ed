import { AGENT_SAMPLE_RATE } from '../platform/voice-agent/agent-link.ts';

const SAMPLES_PER_MS = AGENT_SAMPLE_RATE / 1000;
/** −54 dBov at its peak: what a pause is made of, and not a quiet sound. */
const SILENCE_PEAK = 64;
/** A pause stays at least so long. */
const MIN_PAUSE_MS = 200;
/** How far the audio may be from the clock for the stream to count as one without a break. */
const STEADY_MS = 250;
/** Late by less than this is as it should be: the buffer against the next stall. */
const KEPT_MS = 200;
/** How fast the clock follows the agent's own, in ms per ms. */
const CREEP = 0.001;

/**
 * Brings an agent that sends without a break, silence included, back to the present after a stall of the network: it
 * shortens silence. Nothing is left out because it came early, and no voice is left out or changed: an agent that sends
 * sentences as fast as it can is ahead of the clock, one that pauses between them falls behind it, and both are let be.
 */
export class CatchUp {
  #firstMs: number | undefined;
  #arrivedMs = 0;
  #silentMs = 0;

  /**
   * Takes what came next, at 16 kHz. @returns whether it is to be left out.
   *
   * @param waitingMs - tells how much audio waits to be heard; asked only where it matters.
   */
  skips(pcm: Int16Array, nowMs: number, waitingMs: () => number): boolean {
    const ms = pcm.length / SAMPLES_PER_MS;
    this.#firstMs ??= nowMs;
    this.#arrivedMs += ms;
    const aheadMs = this.#arrivedMs - (nowMs - this.#firstMs);
    const isSteady = Math.abs(aheadMs) <= STEADY_MS;
    if (isSteady) this.#firstMs -= aheadMs * CREEP;
    if (!isSilent(pcm)) {
      this.#silentMs = 0;
      return false;
    }
    this.#silentMs += ms;
    if (!isSteady || this.#silentMs - ms < MIN_PAUSE_MS) return false;
    return waitingMs() - Math.max(0, aheadMs) > KEPT_MS;
  }
}

function isSilent(pcm: Int16Array): boolean {
  for (let i = 0; i < pcm.length; i++) if (Math.abs(pcm[i]!) > SILENCE_PEAK) return false;
  return true;
}
