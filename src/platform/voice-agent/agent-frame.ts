import { isRecord } from '../platform-errors.ts';
import type { RawMessage, ToolCall } from './agent-link.ts';

/** A message of the agent's socket, as the vendor's SDK 0.3 knows them. */
export type AgentFrame =
  /** Base64 of PCM16LE at 16 kHz. */
  | { readonly event: 'media'; readonly payload: string }
  | { readonly event: 'clear' }
  | { readonly event: 'mark'; readonly name: string }
  | { readonly event: 'transcription' | 'answer'; readonly text: string }
  | { readonly event: 'info'; readonly message: RawMessage }
  | { readonly event: 'tools'; readonly calls: readonly ToolCall[] }
  /** A well-formed message of another kind. */
  | { readonly event: 'custom'; readonly type: string; readonly message: RawMessage };

/** Longest message that holds no audio. */
const MAX_TEXT_CHARACTERS = 262_144;
const MAX_NAME_CHARACTERS = 256;
const MAX_TOOL_CALLS = 32;

/**
 * Reads a text message.
 *
 * @throws TypeError - it is none of the protocol; the message says what is wrong and quotes nothing.
 */
export function readAgentFrame(text: string): AgentFrame {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    throw new TypeError('it is not JSON');
  }
  if (!isRecord(message)) throw new TypeError('it is not an object');
  const { event } = message;
  if (event === 'media') return { event, payload: readText(message['media'], 'payload', Number.POSITIVE_INFINITY) };
  if (text.length > MAX_TEXT_CHARACTERS) throw new TypeError(`it has ${text.length} characters and no audio`);
  switch (event) {
    case 'clear':
      return { event };
    case 'mark':
      return { event, name: readText(message['mark'], 'name', MAX_NAME_CHARACTERS) };
    case 'transcription':
    case 'answer':
      return { event, text: readText(message, 'content', MAX_TEXT_CHARACTERS) };
    case 'info':
      return { event, message };
    case 'tools':
      return { event, calls: readToolCalls(message['content']) };
    default:
      return { event: 'custom', type: readText(message, 'event', MAX_NAME_CHARACTERS), message };
  }
}

function readText(holder: unknown, field: string, maxCharacters: number): string {
  const value = isRecord(holder) ? holder[field] : undefined;
  if (typeof value !== 'string') throw new TypeError(`its ${field} is no text`);
  if (value.length > maxCharacters) throw new TypeError(`its ${field} has more than ${maxCharacters} characters`);
  return value;
}

/** Entries of another type than `function` are nothing for us, as the vendor's SDK has it. */
function readToolCalls(content: unknown): ToolCall[] {
  if (!Array.isArray(content)) throw new TypeError('its content is no list of tools');
  if (content.length > MAX_TOOL_CALLS) throw new TypeError(`it calls more than ${MAX_TOOL_CALLS} tools`);
  const calls = content.filter((entry) => isRecord(entry) && (entry['type'] ?? 'function') === 'function');
  return calls.map((entry: Record<string, unknown>) => {
    const { id, function: called } = entry;
    if (typeof id !== 'string' && typeof id !== 'number') throw new TypeError('the id of a tool call is no text');
    const given = isRecord(called) ? called['arguments'] : undefined;
    return {
      id: String(id),
      name: readText(called, 'name', MAX_NAME_CHARACTERS),
      // Some models leave the arguments of a function without parameters out, some write them as an object.
      arguments: typeof given === 'string' ? given : JSON.stringify(given ?? {}),
    };
  });
}
