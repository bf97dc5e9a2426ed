import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../../src/core/errors.ts';
import { AgentCounters } from '../../../src/platform/voice-agent/agent-counters.ts';
import { VoiceAgentSession } from '../../../src/platform/voice-agent/voice-agent-session.ts';
import { type AgentSocket, ScriptedAgent } from '../../support/scripted-agent.ts';
import { rejection, until } from '../../support/until.ts';

interface World {
  readonly agent: ScriptedAgent;
  readonly socket: AgentSocket;
  readonly session: VoiceAgentSession;
  readonly counters: AgentCounters;
  readonly errors: GatewayError[];
}

async function withSession(use: (world: World) => Promise<void>): Promise<void> {
  const agent = await ScriptedAgent.start();
  const counters = new AgentCounters();
  const { baseUrl, agentUrl } = agent;
  const session = new VoiceAgentSession({ apiKey: 'sk_hostile_key', baseUrl, agentUrl, counters, random: () => 0 });
  const errors: GatewayError[] = [];
  session.on('error', (error) => errors.push(error));
  try {
    await session.start({ agentId: 'a' });
    await use({ agent, socket: await agent.socket(1), session, counters, errors });
  } finally {
    session.end();
    await agent.close();
  }
}

const media = (payload: unknown): unknown => ({ event: 'media', media: { payload } });
const riff = (rate: number): string => {
  const header = Buffer.alloc(46);
  header.write('RIFF');
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  return header.toString('base64');
};

const BAD_FRAMES: readonly unknown[] = [
  '',
  'ping',
  '{',
  'null',
  '[]',
  '42',
  '{}',
  '{"event":7}',
  { event: 'media' },
  { event: 'media', media: null },
  media(null),
  media(7),
  media('not base64!'),
  media('AAAA====A'),
  media(Buffer.from('RIFFxxxxWAVE').toString('base64')),
  media(riff(8000)),
  { event: 'mark' },
  { event: 'mark', mark: { name: 5 } },
  { event: 'mark', mark: { name: 'x'.repeat(1000) } },
  { event: 'transcription' },
  { event: 'answer', content: { text: 'x' } },
  { event: 'tools' },
  { event: 'tools', content: {} },
  { event: 'tools', content: [{ type: 'function' }] },
  { event: 'tools', content: [{ type: 'function', function: { name: 'f' } }] },
  { event: 'tools', content: [{ id: '1', type: 'function', function: {} }] },
  { event: 'tools', content: Array(100).fill({ id: '1', type: 'function', function: { name: 'f' } }) },
  { event: 'info', content: 'x'.repeat(300_000) },
  { event: 'x'.repeat(300) },
  `${'['.repeat(100_000)}`,
];

const test = suite('an agent that says anything');

test('bad messages are counted, told once, and do not disturb the conversation', () =>
  withSession(async ({ socket, session, counters, errors }) => {
    const texts: string[] = [];
    session.on('transcriptionReceived', (text) => texts.push(text));
    for (const frame of BAD_FRAMES) socket.send(frame);
    socket.socket.send(Buffer.from('{"event":"clear"}'), { binary: true });
    socket.send({ event: 'transcription', content: 'still there' });
    await until(() => texts.length === 1, 'the good message');
    assert.is(counters.badFrames, BAD_FRAMES.length + 1);
    assert.equal(
      errors.map(({ code }) => code),
      ['ERR_PLATFORM_PROTOCOL'],
    );
    assert.is(counters.linksLost, 0);
  }));

test('odd messages that mean nothing are no fault', () =>
  withSession(async ({ socket, session, counters }) => {
    const told: unknown[] = [];
    session.on('customEvent', (type) => told.push(type));
    for (const frame of [
      media(''),
      media('AA=='),
      media('AA'),
      { event: 'tools', content: [null, 5, { type: 'retrieval' }] },
      { event: 'pong' },
      { event: '__proto__', x: 1 },
    ]) {
      socket.send(frame);
    }
    await until(() => told.length === 2, 'the custom events');
    await until(() => socket.ofEvent('tools_response').length === 1, 'the answer');
    assert.equal(socket.ofEvent('tools_response')[0]?.['tools_response'], []);
    assert.is(counters.badFrames, 0);
  }));

test('a message of more than 8 MiB ends the link, which then comes back', () =>
  withSession(async ({ agent, socket, session, counters }) => {
    let reconnected = false;
    session.on('reconnected', () => {
      reconnected = true;
    });
    socket.send(media('A'.repeat(9 * 1_048_576)));
    await until(() => reconnected, 'the new link', 15_000);
    assert.equal([agent.upgrades, counters.linksLost], [2, 1]);
  }));

test('more audio than anybody listens to is dropped and counted', () =>
  withSession(async ({ socket, session, counters }) => {
    const minute = Buffer.alloc(16_000 * 2 * 60).toString('base64');
    for (let i = 0; i < 7; i++) socket.send(media(minute));
    socket.send({ event: 'transcription', content: 'end' });
    await new Promise<void>((resolve) => session.once('transcriptionReceived', () => resolve()));
    session.end();
    assert.ok(counters.droppedDownMs > 118_000 && counters.droppedDownMs <= 120_000, `${counters.droppedDownMs} ms`);
  }));

test('answers of conversation-init of any shape are typed errors', async () => {
  for (const body of [
    '',
    'null',
    '[]',
    '{"data":{}}',
    '{"data":{"jobId":{}}}',
    '<html>',
    '{"success":false}',
    '7'.repeat(400),
  ]) {
    const agent = await ScriptedAgent.start();
    agent.onInit = () => ({ status: 200, body });
    const session = new VoiceAgentSession({ apiKey: 'k_of_init', baseUrl: agent.baseUrl, agentUrl: agent.agentUrl });
    const error = (await rejection(session.start({ agentId: 'a' }))) as GatewayError;
    assert.match(error.code, /^ERR_PLATFORM_/, body);
    assert.is(agent.upgrades, 0);
    await agent.close();
  }
});

test.run();
