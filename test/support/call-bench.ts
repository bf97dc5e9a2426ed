import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { ScriptedPlatform } from './scripted-platform.ts';
import { type ServedGateway, serveGateway } from './serve.ts';

/** Planted in the settings: it must never come out. */
const KEY = 'sk_live_planted_key_for_calls';

export interface CallBench {
  readonly platform: ScriptedPlatform;
  readonly gateway: ServedGateway;
}

/**
 * Runs `use` with a served gateway in front of a scripted platform. Afterwards every event must match the schema, every
 * `speech.ended` must have its one answer, and the key must not be in the log.
 */
export async function withGateway(
  env: Readonly<Record<string, string>>,
  use: (bench: CallBench) => Promise<void>,
  prepare: (platform: ScriptedPlatform) => void = () => {},
): Promise<void> {
  const platform = await ScriptedPlatform.start();
  prepare(platform);
  const gateway = await serveGateway({ HAMSA_API_KEY: KEY, HAMSA_BASE_URL: platform.baseUrl, ...env });
  try {
    await use({ platform, gateway });
    checkEvents(gateway);
    assert.not.match(gateway.log(), KEY, 'the key is in the log');
  } finally {
    await gateway.stop();
    await platform.close();
  }
}

/** Answers of utterances so far: transcripts, and errors that name one. */
export function answeredIds(gateway: ServedGateway): string[] {
  return [
    ...gateway.ofType('transcript.final').flatMap(({ utterances }) => utterances.map(({ id }) => id)),
    ...gateway.ofType('error').flatMap(({ utteranceId }) => utteranceId ?? []),
  ];
}

/** Resolves when `calls` calls have ended and every utterance has its answer. */
export async function untilSettled(gateway: ServedGateway, calls: number, withinMs?: number): Promise<void> {
  await gateway.until(`the end of ${calls} calls`, () => gateway.ofType('call.ended').length === calls, withinMs);
  const isAnswered = () => answeredIds(gateway).length >= gateway.ofType('speech.ended').length;
  await gateway.until('every answer', isAnswered, withinMs);
}

const schema = JSON.parse(
  readFileSync(new URL('../../src/core/events.schema.json', import.meta.url), 'utf8'),
) as object;
const matchesSchema = new Ajv2020().compile(schema);

function checkEvents(gateway: ServedGateway): void {
  for (const event of gateway.events) assert.ok(matchesSchema(event), JSON.stringify([event, matchesSchema.errors]));
  const ended = gateway.ofType('speech.ended').map(({ utteranceId }) => utteranceId);
  assert.equal(answeredIds(gateway).sort(), ended.sort());
}
