import { isRecord } from './platform-errors.ts';

/** What a text message of the realtime socket is. */
export type RealtimeMessage =
  | { readonly kind: 'transcript'; readonly text: string }
  /** The platform thinks the utterance unfinished; no transcript will follow of itself. */
  | { readonly kind: 'marker' }
  | { readonly kind: 'error'; readonly prose: string }
  /** A frame of another type: `info`, `ack`, `end`, `response`, or one not known yet. */
  | { readonly kind: 'frame'; readonly type: string };

/** `[THINKING]` and its like: never what a caller said. */
const MARKER = /^\s*\[[A-Z][A-Z0-9 _-]*\]\s*$/;

/**
 * Tells transcripts from frames: only a JSON object with a string `type` is a frame. Every other text is what was
 * said, also where it happens to parse: `123`, `true`, `null`, `[]` and `"x"` are transcripts.
 */
export function readRealtimeMessage(text: string): RealtimeMessage {
  const frame = text.trimStart().startsWith('{') ? parseObject(text) : undefined;
  const type = frame?.['type'];
  if (frame === undefined || typeof type !== 'string') {
    return MARKER.test(text) ? { kind: 'marker' } : { kind: 'transcript', text };
  }
  if (type !== 'error') return { kind: 'frame', type };
  const payload = frame['payload'];
  const prose = isRecord(payload) ? payload['message'] : (payload ?? frame['message']);
  return { kind: 'error', prose: typeof prose === 'string' ? prose : 'an error without a message' };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isRecord(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
