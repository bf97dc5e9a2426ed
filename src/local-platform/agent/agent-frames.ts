import { z } from 'zod';

/** What the client's `streamSid` is, and the server's. */
const STREAM_SID = 'WEBSDK';

/** What a tool of the client returned. */
export interface ToolResponse {
  readonly id: string;
  readonly function: { readonly response?: unknown };
}

export type ClientFrame =
  | { readonly event: 'start' | 'stop' }
  | { readonly event: 'media'; readonly media: { readonly payload: string } }
  | { readonly event: 'mark'; readonly mark: { readonly name: string } }
  | { readonly event: 'tools_response'; readonly tools_response: readonly (ToolResponse | null)[] };

const Frame: z.ZodType<ClientFrame> = z.discriminatedUnion('event', [
  z.looseObject({ event: z.enum(['start', 'stop']) }),
  z.looseObject({ event: z.literal('media'), media: z.looseObject({ payload: z.string() }) }),
  z.looseObject({ event: z.literal('mark'), mark: z.looseObject({ name: z.string() }) }),
  z.looseObject({
    event: z.literal('tools_response'),
    tools_response: z.array(
      z.looseObject({ id: z.string(), function: z.looseObject({ response: z.unknown() }) }).nullable(),
    ),
  }),
]);

/** A frame of the client; undefined if it is none. */
export function readClientFrame(message: Buffer, isBinary: boolean): ClientFrame | undefined {
  if (isBinary) return undefined;
  try {
    return Frame.safeParse(JSON.parse(message.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/** Samples of a `media` frame: base64 of 32-bit little-endian floats between −1 and 1. A broken last one is left out. */
export function readMedia(payload: string): Int16Array {
  const bytes = Buffer.from(payload, 'base64');
  const samples = new Int16Array(bytes.length >> 2);
  for (let at = 0; at < samples.length; at++) {
    samples[at] = Math.max(-32768, Math.min(32767, Math.round(bytes.readFloatLE(4 * at) * 32767)));
  }
  return samples;
}

/** `pcm` is 16-bit little-endian at 16 kHz. */
export function mediaFrame(pcm: Uint8Array): string {
  const payload = Buffer.from(pcm.buffer, pcm.byteOffset, pcm.length).toString('base64');
  return JSON.stringify({ event: 'media', streamSid: STREAM_SID, media: { payload } });
}

export function clearFrame(): string {
  return JSON.stringify({ event: 'clear', streamSid: STREAM_SID });
}

/** Comes back once what was sent before it has been played. */
export function markFrame(name: string): string {
  return JSON.stringify({ event: 'mark', streamSid: STREAM_SID, mark: { name } });
}

export function textFrame(event: 'transcription' | 'answer' | 'info', content: string): string {
  return JSON.stringify({ event, streamSid: STREAM_SID, content });
}

/** `argumentsText` should be a JSON object. */
export function toolsFrame(id: string, name: string, argumentsText: string): string {
  const call = { id, type: 'function', function: { name, arguments: argumentsText } };
  return JSON.stringify({ event: 'tools', streamSid: STREAM_SID, content: [call] });
}
