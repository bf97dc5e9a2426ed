import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { Resampler } from '../../src/audio/resampler.ts';
import { encodeWav, parseWav, wavToPcm } from '../../src/audio/wav.ts';
import { callWithBaresip } from '../support/baresip.ts';
import { ScriptedAgent } from '../support/scripted-agent.ts';
import { type ServedGateway, serveGateway } from '../support/serve.ts';
import { audiblePart, locateEnds } from '../support/wav-compare.ts';

export const KEY = 'sk_live_key_of_the_agent_call';
const PROMPTS = '/usr/share/asterisk/sounds/en_US_f_Allison';
export const RATE = 8000;

export function prompt(name: string): Int16Array {
  return audiblePart(wavToPcm(parseWav(readFileSync(join(PROMPTS, `${name}.wav`)))), RATE);
}

/** As an agent sends it. */
export function wide(pcm: Int16Array): Int16Array {
  return Resampler.resample(pcm, RATE, 16_000);
}

export function concatenate(...pieces: readonly Int16Array[]): Int16Array {
  return Int16Array.from(pieces.flatMap((piece) => [...piece]));
}

/** Fails unless `source` is in `recording` from its first to its last 100 ms, `lostMs` of it at most missing between. */
export function assertWhole(what: string, source: Int16Array, recording: Int16Array, lostMs = 2): number {
  const { first, last } = locateEnds(source, recording, RATE);
  const apartMs = last.offsetMs - first.offsetMs;
  const expectedMs = source.length / 8 - 100;
  const found = JSON.stringify({ what, first, last, expectedMs });
  assert.ok(first.correlation > 0.9 && last.correlation > 0.9 && Math.abs(apartMs - expectedMs) < lostMs, found);
  return first.offsetMs;
}

const schema = JSON.parse(
  readFileSync(new URL('../../src/core/events.schema.json', import.meta.url), 'utf8'),
) as object;
const matchesSchema = new Ajv2020().compile(schema);

/** What the gateway told of the agent, in order. */
export function agentEvents(gateway: ServedGateway): Record<string, unknown>[] {
  return gateway.ofType('platform.event').map(({ event }) => event as Record<string, unknown>);
}

export interface AgentCall {
  readonly agent: ScriptedAgent;
  readonly gateway: ServedGateway;
  /** Calls with baresip, which says `said`; resolves with what it heard. */
  readonly call: (said: Int16Array, durationMs?: number) => Promise<Int16Array>;
}

export async function withAgentCall(
  use: (bench: AgentCall) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const agent = await ScriptedAgent.start();
  const folder = mkdtempSync(join(tmpdir(), 'caller-'));
  const gateway = await serveGateway({
    HAMSA_API_KEY: KEY,
    HAMSA_BASE_URL: agent.baseUrl,
    HAMSA_AGENT_URL: agent.agentUrl,
    GATEWAY_ON_CALL: 'agent:agent-7',
    GATEWAY_LOG_LEVEL: 'trace',
    ...env,
  });
  try {
    await use({
      agent,
      gateway,
      call: (said, durationMs = said.length / 8 + 3000) => {
        const speech = join(folder, 'speech.wav');
        writeFileSync(speech, encodeWav(said, RATE));
        return callWithBaresip({ target: `sip:gateway@${gateway.sip}`, speech, durationMs });
      },
    });
    for (const event of gateway.events) assert.ok(matchesSchema(event), JSON.stringify([event, matchesSchema.errors]));
    const everything = gateway.log() + gateway.events.map((event) => JSON.stringify(event)).join('\n');
    assert.not.match(everything, KEY, 'the key is in the log or in an event');
    assert.not.match(await (await fetch(`${gateway.http}/metrics`)).text(), KEY);
  } finally {
    await gateway.stop();
    await agent.close();
    rmSync(folder, { recursive: true });
  }
}

export async function metric(gateway: ServedGateway, name: string): Promise<number> {
  const text = await (await fetch(`${gateway.http}/metrics`)).text();
  return Number(new RegExp(`^hamsa_gateway_${name} (\\S+)`, 'm').exec(text)?.[1]);
}
