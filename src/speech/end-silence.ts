import type { QuotaUsage } from '../platform/quota-governor.ts';

/** Up to this part in use the quota is plentiful, from the second on it is scarce. */
const PLENTIFUL_PART = 0.3;
const SCARCE_PART = 0.7;

/** How scarce the quota is: 0 (plentiful) to 1 (scarce, or somebody waits for it already). */
export function quotaPressure({ used, limit }: QuotaUsage, waiting: number): number {
  if (waiting > 0) return 1;
  return Math.min(1, Math.max(0, (used / limit - PLENTIFUL_PART) / (SCARCE_PART - PLENTIFUL_PART)));
}

/**
 * The silence that ends an utterance: short for a fast answer while the quota is plentiful, long while it is scarce, so
 * that a turn with pauses in it costs one request.
 *
 * @param pressure - 0 to 1, of {@link quotaPressure}.
 */
export function endSilenceMs(pressure: number, minMs: number, maxMs: number): number {
  return Math.round(minMs + (maxMs - minMs) * Math.min(1, Math.max(0, pressure)));
}
