import { z } from 'zod';
import type { Call } from '../call/call.ts';
import type { CallRegistry } from '../call/registry.ts';
import { GatewayError } from '../core/errors.ts';

/** Longest text of one `speak`; the synthesizer splits it for the platform. */
const MAX_TEXT_CHARACTERS = 20_000;

const speakFields = z.strictObject({
  text: z.string().trim().min(1).max(MAX_TEXT_CHARACTERS),
  voice: z.string().min(1).max(100).optional(),
  interruptible: z.boolean().optional(),
});
const noFields = z.strictObject({});

/** What an application can do with a call, over HTTP and over the event socket alike. */
const COMMANDS = {
  speak: (call: Call, fields: unknown): Record<string, string> => {
    const { text, voice, interruptible } = read(speakFields, fields);
    return { playbackId: call.speak(text, { voice, interruptible }) };
  },
  stop: (call: Call, fields: unknown): Record<string, string> => {
    read(noFields, fields);
    call.stopSpeaking();
    return {};
  },
  hangup: (call: Call, fields: unknown): Record<string, string> => {
    read(noFields, fields);
    call.hangup('gateway');
    return {};
  },
} as const;

/** Commands of the contract that a later part brings. */
const NOT_BUILT = new Set(['dtmf', 'transfer', 'hold', 'resume']);

export type CommandName = keyof typeof COMMANDS;

/**
 * Carries out one command on a call that is up. @returns what its answer carries, such as `{playbackId}`.
 *
 * @throws GatewayError `ERR_BAD_REQUEST`, `ERR_NOT_FOUND`, `ERR_WRONG_STATE`, `ERR_NOT_BUILT` or `ERR_TTS_BACKLOG`.
 */
export function runCommand(calls: CallRegistry, name: string, callId: string, fields: unknown): Record<string, string> {
  if (NOT_BUILT.has(name)) throw new GatewayError('ERR_NOT_BUILT', `the command '${name}' is not built yet`);
  if (!Object.hasOwn(COMMANDS, name)) {
    throw new GatewayError('ERR_BAD_REQUEST', {
      found: 'not a command',
      needed: `type: ${[...Object.keys(COMMANDS), ...NOT_BUILT].join(' | ')}`,
    });
  }
  const call = calls.find(callId);
  if (!call) {
    if (calls.describe(callId)) throw new GatewayError('ERR_WRONG_STATE', { found: 'the call has ended' });
    throw new GatewayError('ERR_NOT_FOUND', { found: 'no such call', cure: 'see GET /v1/calls' });
  }
  return COMMANDS[name as CommandName](call, fields);
}

function read<T>(schema: z.ZodType<T>, fields: unknown): T {
  const parsed = schema.safeParse(fields ?? {});
  if (parsed.success) return parsed.data;
  const found = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`).join('; ');
  throw new GatewayError('ERR_BAD_REQUEST', { found, needed: 'the fields of the command' });
}
