import type { QuotaDecision } from './fixed-window.ts';

/** The headers of every realtime answer. Times are seconds: an epoch in `-Reset`, a wait in `Retry-After`. */
export function rateLimitHeaders(decision: QuotaDecision, nowMs: number): Record<string, string> {
  const headers: Record<string, string> = {
    'X-RateLimit-Limit': String(decision.limit),
    'X-RateLimit-Remaining': String(decision.remaining),
    'X-RateLimit-Reset': String(Math.ceil(decision.resetAtMs / 1000)),
  };
  if (!decision.allowed) headers['Retry-After'] = String(Math.max(1, Math.ceil((decision.resetAtMs - nowMs) / 1000)));
  return headers;
}
