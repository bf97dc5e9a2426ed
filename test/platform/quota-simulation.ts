import type { QuotaGrant, QuotaSlot } from '../../src/platform/quota-governor.ts';
import type { Limiter, Verdict } from '../support/limiters.ts';

export interface SimulationOptions {
  readonly limiter: Limiter;
  readonly request: (nowMs: number) => QuotaGrant;
  readonly random: () => number;
  readonly durationMs: number;
  /** Where the limiter's clock stands when that of the governor starts. */
  readonly phaseMs: number;
  /** Time between one wish and the next at `nowMs`; 0: there is always one that waits. */
  readonly gapMs?: (nowMs: number) => number;
  /** Whether answers carry `X-RateLimit-*`. */
  readonly headers?: boolean;
  /** Whether refusals carry `Retry-After`. */
  readonly retryAfter?: boolean;
}

export interface SimulationResult {
  /** Requests that the limiter allowed. */
  readonly allowed: number;
  readonly refused: number;
  /** When each request was sent. */
  readonly sentMs: readonly number[];
  /** From wish to sending, in the order of sending; 0 for saturating load. */
  readonly waitsMs: readonly number[];
}

const MIN_DELAY_MS = 20;
const MEAN_DELAY_MS = 200;

/** A way through the network: 20 ms and an exponential part with a mean of 200 ms. */
function delayMs(random: () => number): number {
  return MIN_DELAY_MS - MEAN_DELAY_MS * Math.log(1 - random());
}

interface Step {
  readonly atMs: number;
  readonly run: (nowMs: number) => void;
}

/** One account on a clock of its own: wishes → governor → network → limiter → network → governor. */
export function simulate(options: SimulationOptions): SimulationResult {
  const {
    limiter,
    request,
    random,
    durationMs,
    phaseMs,
    gapMs = () => 0,
    headers = false,
    retryAfter = true,
  } = options;
  const steps: Step[] = [];
  const schedule = (atMs: number, run: (nowMs: number) => void): void => {
    const later = steps.findIndex((step) => step.atMs > atMs);
    steps.splice(later < 0 ? steps.length : later, 0, { atMs, run });
  };
  let allowed = 0;
  let refused = 0;
  const sentMs: number[] = [];
  const waitsMs: number[] = [];
  const wishes: number[] = [];
  let retryAtMs = Number.POSITIVE_INFINITY;

  const answer = (slot: QuotaSlot, verdict: Verdict, arrivedMs: number, nowMs: number): void => {
    const resetAfterMs = Math.max(0, verdict.resetAtMs - phaseMs - nowMs);
    const info = headers ? { limit: limiter.limit, remaining: verdict.remaining, resetAfterMs } : {};
    if (verdict.allowed) slot.answered(nowMs, info);
    else
      slot.refused(nowMs, { info, ...(retryAfter ? { retryAfterMs: verdict.resetAtMs - phaseMs - arrivedMs } : {}) });
    pump(nowMs);
  };
  const send = (slot: QuotaSlot, nowMs: number): void => {
    slot.sent(nowMs);
    sentMs.push(nowMs);
    schedule(nowMs + delayMs(random), (arrivedMs) => {
      const verdict = limiter.take(arrivedMs + phaseMs);
      if (verdict.allowed) allowed++;
      else refused++;
      schedule(arrivedMs + delayMs(random), (atMs) => answer(slot, verdict, arrivedMs, atMs));
    });
  };
  const pump = (nowMs: number): void => {
    while (nowMs < durationMs && wishes.length > 0) {
      const grant = request(nowMs);
      if ('retryAtMs' in grant) {
        if (grant.retryAtMs < retryAtMs || retryAtMs <= nowMs) {
          const dueMs = grant.retryAtMs;
          retryAtMs = dueMs;
          schedule(dueMs, (atMs) => {
            if (retryAtMs === dueMs) retryAtMs = Number.POSITIVE_INFINITY;
            pump(atMs);
          });
        }
        return;
      }
      waitsMs.push(nowMs - wishes.shift()!);
      if (gapMs(nowMs) === 0) wishes.push(nowMs);
      send(grant.slot, nowMs);
    }
  };
  const wish = (nowMs: number): void => {
    wishes.push(nowMs);
    const gap = gapMs(nowMs);
    if (gap > 0 && nowMs + gap < durationMs) schedule(nowMs + gap, wish);
    pump(nowMs);
  };
  schedule(0, wish);
  for (let step = steps.shift(); step; step = steps.shift()) step.run(step.atMs);
  return { allowed, refused, sentMs, waitsMs };
}
