// timeout: 240 s
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Resampler } from '../../src/audio/resampler.ts';
import { encodeWav, parseWav, wavToPcm } from '../../src/audio/wav.ts';
import { callWithBaresip } from '../support/baresip.ts';
import { needs } from '../support/needs.ts';
import { type AgentSocket, ScriptedAgent } from '../support/scripted-agent.ts';
import { type ServedGateway, serveGateway } from '../support/serve.ts';
import { until } from '../support/until.ts';
import { audiblePart, locateEnds } from '../support/wav-compare.ts';

const KEY = 'sk_live_key_of_the_agent_call';
const PROMPTS = '/usr/share/asterisk/sounds/en_US_f_Allison';
const RATE = 8000;

function prompt(name: string): Int16Array {
  return audiblePart(wavToPcm(parseWav(readFileSync(join(PROMPTS, `${name}.wav`)))), RATE);
}

/** As an agent sends it. */
function wide(pcm: Int16Array): Int16Array {
  return Resampler.resample(pcm, RATE, 16_000);
}

function concatenate(...pieces: readonly Int16Array[]): Int16Array {
  return Int16Array.from(pieces.flatMap((piece) => [...piece]));
}

/** Fails unless `source` is in `recording` from its first to its last 100 ms. */
function assertWhole(what: string, source: Int16Array, recording: Int16Array): number {
  const { first, last } = locateEnds(source, recording, RATE);
  const apartMs = last.offsetMs - first.offsetMs;
  const expectedMs = source.length / 8 - 100;
  const found = JSON.stringify({ what, first, last, expectedMs });
  assert.ok(first.correlation > 0.9 && last.correlation > 0.9 && Math.abs(apartMs - expectedMs) < 2, found);
  return first.offsetMs;
}

const schema = JSON.parse(
  readFileSync(new URL('../../src/core/events.schema.json', import.meta.url), 'utf8'),
) as object;
const matchesSchema = new Ajv2020().compile(schema);

/** What the gateway told of the agent, in order. */
function agentEvents(gateway: ServedGateway): Record<string, unknown>[] {
  return gateway.ofType('platform.event').map(({ event }) => event as Record<string, unknown>);
}

interface AgentCall {
  readonly agent: ScriptedAgent;
  readonly gateway: ServedGateway;
  /** Calls with baresip, which says `said`; resolves with what it heard. */
  readonly call: (said: Int16Array, durationMs?: number) => Promise<Int16Array>;
}

async function withAgentCall(use: (bench: AgentCall) => Promise<void>): Promise<void> {
  const agent = await ScriptedAgent.start();
  const folder = mkdtempSync(join(tmpdir(), 'caller-'));
  const gateway = await serveGateway({
    HAMSA_API_KEY: KEY,
    HAMSA_BASE_URL: agent.baseUrl,
    HAMSA_AGENT_URL: agent.agentUrl,
    GATEWAY_ON_CALL: 'agent:agent-7',
    GATEWAY_LOG_LEVEL: 'trace',
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

/** Says `pcm` in pieces of 20 ms, each a fifth of a second before it is to be heard: this program has stalls, too. */
async function sayInTime(socket: AgentSocket, pcm: Int16Array): Promise<void> {
  const startMs = performance.now();
  for (let at = 0; at < pcm.length; ) {
    for (; at < pcm.length && at / 16 - 200 <= performance.now() - startMs; at += 320)
      socket.say(pcm.subarray(at, at + 320));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function metric(gateway: ServedGateway, name: string): Promise<number> {
  const text = await (await fetch(`${gateway.http}/metrics`)).text();
  return Number(new RegExp(`^hamsa_gateway_${name} (\\S+)`, 'm').exec(text)?.[1]);
}

const test = suite('calls to a hosted agent');

if (needs('calls to a hosted agent', 'baresip') && needs('Asterisk prompts', 'pocketsphinx_batch')) {
  test('both hear each other whole, once and in order; marks, clear and the end are real', () =>
    withAgentCall(async ({ agent, gateway, call }) => {
      const said = concatenate(new Int16Array(RATE), prompt('vm-intro'), new Int16Array(RATE), prompt('vm-youhave'));
      const greeting = prompt('demo-thanks');
      const answer = prompt('tt-weasels');
      const cutOff = prompt('queue-thankyou');
      const earpieceOfCall = call(concatenate(said, new Int16Array(20 * RATE)), 18_000);
      const socket = await agent.socket(1);
      // A sentence far ahead of real time, cut into odd pieces.
      const bytes = Buffer.from(wide(greeting).buffer);
      for (let at = 0; at < bytes.length; at += 3333) socket.sayBytes(bytes.subarray(at, at + 3333));
      const sentAtMs = performance.now();
      socket.mark('greeting');
      await until(() => socket.marks.includes('greeting'), 'the mark of the greeting', 10_000);
      const tookMs = performance.now() - sentAtMs;
      const greetingMs = greeting.length / 8;
      assert.ok(tookMs > greetingMs - 100 && tookMs < greetingMs + 500, `${tookMs} ms for ${greetingMs} ms`);
      // A sentence just in time, in pieces of 20 ms.
      await sayInTime(socket, wide(answer));
      socket.mark('answer');
      await until(() => socket.marks.includes('answer'), 'the mark of the answer', 10_000);
      await gateway.until('the end of the answer', () => gateway.ofType('playback.finished').length === 2);
      socket.say(wide(cutOff));
      socket.mark('never heard');
      await gateway.until('the third spurt', () => gateway.ofType('playback.started').length === 3);
      await new Promise((resolve) => setTimeout(resolve, 500));
      socket.clear();
      await gateway.until('the clear', () => gateway.ofType('playback.interrupted').length === 1);
      const heardMs = gateway.ofType('playback.interrupted')[0]!.heardMs;
      assert.ok(heardMs > 300 && heardMs < 900, `${heardMs} ms`);
      socket.send({ event: 'transcription', content: 'I have mail' });
      socket.send({ event: 'answer', content: 'So you have' });
      const earpiece = await earpieceOfCall;
      await gateway.until('the outcome', () => agentEvents(gateway).some(({ type }) => type === 'conversation'));

      const greetingAt = assertWhole('greeting', greeting, earpiece);
      const answerAt = assertWhole('answer', answer, earpiece);
      assert.ok(answerAt > greetingAt + greetingMs - 1);
      const beforeClear = assertWhole('what was heard of the third', cutOff.subarray(0, (heardMs - 60) * 8), earpiece);
      const after = earpiece.subarray((beforeClear + heardMs + 40) * 8);
      assert.ok(
        after.every((sample) => Math.abs(sample) < 16),
        'silence follows the clear',
      );
      assert.equal(socket.marks, ['greeting', 'answer']);

      const heard = Int16Array.from(socket.heard.filter((_, index) => index % 2 === 0));
      const firstAt = assertWhole('first sentence of the caller', prompt('vm-intro'), heard);
      const secondAt = assertWhole('second sentence of the caller', prompt('vm-youhave'), heard);
      const apartMs = prompt('vm-intro').length / 8 + 1000;
      assert.ok(Math.abs(secondAt - firstAt - apartMs) < 25, `${secondAt - firstAt} ms apart instead of ${apartMs}`);

      const [init] = agent.inits;
      const { callId } = gateway.ofType('call.started')[0]!;
      assert.equal(init?.body['params'], { from: 'caller', to: 'gateway', callId });
      assert.is(init?.body['voiceEnablement'], true);
      assert.is(socket.closed?.code, 1000);
      assert.is(socket.frames.at(-1)?.event, 'stop');
      assert.is(gateway.ofType('call.ended')[0]?.reason, 'caller');
      const told = agentEvents(gateway).filter(({ type }) => type !== 'agentState');
      assert.equal(told, [
        { type: 'transcription', content: 'I have mail', jobId: 'job-1' },
        { type: 'answer', content: 'So you have', jobId: 'job-1' },
        { type: 'conversation', content: { status: 'COMPLETED', outcomeResult: { resolved: true } }, jobId: 'job-1' },
      ]);
      assert.equal(gateway.ofType('error'), []);
      assert.equal([await metric(gateway, 'agents_total'), await metric(gateway, 'agents_active')], [1, 0]);
      assert.is(await metric(gateway, 'agents_dropped_up_seconds_total'), 0);
    }));
}

test.run();
