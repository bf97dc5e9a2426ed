import { inspect } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../../src/core/errors.ts';
import { redact } from '../../../src/core/secrets.ts';
import { AgentCounters } from '../../../src/platform/voice-agent/agent-counters.ts';
import type { VoiceAgentSessionOptions } from '../../../src/platform/voice-agent/session-options.ts';
import { VoiceAgentSession } from '../../../src/platform/voice-agent/voice-agent-session.ts';
import { assertSamples } from '../../support/samples.ts';
import { ScriptedAgent } from '../../support/scripted-agent.ts';
import { rejection, until } from '../../support/until.ts';

const KEY = 'sk_live_key_of_the_agent';

interface World {
  readonly agent: ScriptedAgent;
  readonly session: VoiceAgentSession;
  readonly counters: AgentCounters;
  /** Every event with its arguments, audio streams left out. */
  readonly told: string[];
  readonly errors: GatewayError[];
}

const EVENTS = [
  'callStarted',
  'callEnded',
  'callPaused',
  'callResumed',
  'start',
  'closed',
  'transcriptionReceived',
  'answerReceived',
  'speaking',
  'listening',
  'agentStateChanged',
  'cleared',
  'info',
  'customEvent',
  'reconnecting',
  'reconnected',
  'dtmfSent',
] as const;

async function withSession(
  use: (world: World) => Promise<void>,
  options: Partial<VoiceAgentSessionOptions> = {},
): Promise<void> {
  const agent = await ScriptedAgent.start();
  const counters = new AgentCounters();
  const session = new VoiceAgentSession({
    apiKey: KEY,
    baseUrl: agent.baseUrl,
    agentUrl: agent.agentUrl,
    counters,
    random: () => 0,
    ...options,
  });
  const told: string[] = [];
  const errors: GatewayError[] = [];
  for (const name of EVENTS) {
    session.on(name, (...args: unknown[]) => told.push([name, ...args.map((arg) => short(arg))].join(' ')));
  }
  session.on('error', (error) => errors.push(error));
  try {
    await use({ agent, session, counters, told, errors });
    const everything =
      told.join('\n') + errors.map((error) => inspect(error, { depth: 10 })).join('\n') + inspect(session);
    assert.not.match(everything, KEY, 'the key is in an event, an error or the session');
  } finally {
    session.end();
    await agent.close();
  }
}

function short(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Recognisable at every sample. */
function noise(samples: number, seed = 1): Int16Array {
  return Int16Array.from({ length: samples }, (_, i) => ((i * 7919 + seed * 104_729) % 60_000) - 30_000);
}

const test = suite('voice agent session');

test('begins a conversation as the SDK does: init with the key in Authorization, then the socket with it in the query', () =>
  withSession(async ({ agent, session, told }) => {
    await session.start({
      agentId: 'agent-7',
      params: { name: 'Sara' },
      voiceEnablement: true,
      userId: 'u-1',
      tools: [
        {
          function_name: 'getUser',
          description: 'Finds a user',
          parameters: [{ name: 'id', type: 'string', description: 'of the user' }],
          required: ['id'],
          fn: () => 'nobody',
        },
      ],
    });
    const [init] = agent.inits;
    assert.is(init?.headers.authorization, `Token ${KEY}`);
    assert.equal(init?.body, {
      voiceAgentId: 'agent-7',
      params: { name: 'Sara' },
      voiceEnablement: true,
      userId: 'u-1',
      tools: [
        {
          type: 'function',
          function: {
            name: 'getUser',
            description: 'Finds a user',
            parameters: {
              type: 'object',
              properties: { id: { type: 'string', description: 'of the user' } },
              required: ['id'],
            },
          },
        },
      ],
    });
    const socket = await agent.socket(1);
    assert.is(socket.url.pathname, '/stream/job-1');
    assert.is(socket.url.searchParams.get('api_key'), KEY);
    assert.is(session.getJobId(), 'job-1');
    await until(() => socket.frames.length === 1, 'the first frame');
    assert.equal(socket.frames[0], { event: 'start', streamSid: 'WEBSDK' });
    assert.equal(told, [
      'agentStateChanged initializing',
      'start',
      'callStarted {"jobId":"job-1"}',
      'agentStateChanged listening',
    ]);
    session.end();
    await until(() => socket.closed !== undefined, 'the end of the socket');
    assert.equal(socket.frames.at(-1), { event: 'stop' });
    assert.equal(socket.closed, { code: 1000, reason: 'Normal Closure' });
    assert.equal(told.slice(4), ['agentStateChanged idle', 'callEnded', 'closed']);
  }));

test('sends the caller’s voice once and in order, 128 samples a message', () =>
  withSession(async ({ agent, session }) => {
    await session.start({ agentId: 'a' });
    const socket = await agent.socket(1);
    const pcm = noise(128 * 40);
    for (const [from, to] of [
      [0, 1],
      [1, 1000],
      [1000, 1320],
      [1320, 5120],
    ] as const) {
      session.sendAudio(pcm.subarray(from, to));
    }
    await until(() => socket.heard.length === pcm.length, 'all audio');
    assertSamples(socket.heard, pcm);
    assert.equal([...new Set(socket.messageSamples)], [128]);
  }));

test('hands the agent’s voice on in real time, however it is cut, and says when it speaks', () =>
  withSession(async ({ agent, session, told }) => {
    const played: Buffer[] = [];
    const times: number[] = [];
    await session.start({
      agentId: 'a',
      onAudioData: (audio) => {
        played.push(audio);
        times.push(performance.now());
      },
    });
    const socket = await agent.socket(1);
    const pcm = noise(8000);
    const bytes = Buffer.from(pcm.buffer);
    socket.sayBytes(bytes.subarray(0, 1));
    socket.sayBytes(Buffer.alloc(0));
    socket.sayBytes(bytes.subarray(1, 4002));
    socket.sayBytes(bytes.subarray(4002, 4003));
    const riff = Buffer.alloc(44);
    riff.write('RIFF', 0).toString();
    riff.writeUInt32LE(0xffffffff, 4);
    riff.write('WAVEfmt ', 8);
    riff.writeUInt32LE(16, 16);
    riff.writeUInt16LE(1, 20);
    riff.writeUInt16LE(1, 22);
    riff.writeUInt32LE(16_000, 24);
    riff.writeUInt32LE(32_000, 28);
    riff.writeUInt16LE(2, 32);
    riff.writeUInt16LE(16, 34);
    riff.write('data', 36);
    riff.writeUInt32LE(0xffffffff, 40);
    socket.sayBytes(bytes.subarray(4003, 4004));
    socket.sayBytes(Buffer.concat([riff, bytes.subarray(4004)]));
    socket.mark('end');
    await until(() => told.includes('listening'), 'the end of the speech');
    const heard = Buffer.concat(played);
    assertSamples(new Int16Array(heard.buffer, heard.byteOffset, heard.length / 2), pcm);
    const tookMs = times.at(-1)! - times[0]!;
    assert.ok(tookMs > 400 && tookMs < 700, `500 ms were played in ${tookMs} ms`);
    assert.equal(told.slice(-4), [
      'agentStateChanged speaking',
      'speaking',
      'agentStateChanged listening',
      'listening',
    ]);
    await until(() => socket.marks.length === 1, 'the mark');
    assert.equal(socket.ofEvent('mark')[0], { event: 'mark', streamSid: 'WEBSDK', mark: { name: 'end' } });
  }));

test('a clear silences at once, and what was not heard is never marked', () =>
  withSession(async ({ agent, session, told }) => {
    let playedSamples = 0;
    await session.start({
      agentId: 'a',
      onAudioData: (audio) => {
        playedSamples += audio.length / 2;
      },
    });
    const socket = await agent.socket(1);
    socket.say(noise(1600));
    socket.mark('heard');
    socket.say(noise(16_000 * 5));
    socket.mark('cut off');
    await until(() => socket.marks.length === 1, 'the first mark');
    socket.clear();
    await until(() => told.includes('cleared'), 'the clear');
    const atClear = playedSamples;
    assert.is(told.at(-2), 'listening');
    assert.ok(atClear >= 1600 && atClear < 16_000, `${atClear} samples were played`);
    socket.mark('at once');
    await until(() => socket.marks.length === 2, 'the mark behind the clear');
    assert.equal(socket.marks, ['heard', 'at once']);
    assert.is(playedSamples, atClear);
  }));

test('tells of texts and of its state', () =>
  withSession(async ({ agent, session, told }) => {
    await session.start({ agentId: 'a', voiceEnablement: true });
    const socket = await agent.socket(1);
    told.length = 0;
    socket.send({ event: 'info', content: { plan: 'x' } });
    socket.send({ event: 'transcription', content: 'مرحبا' });
    socket.send({ event: 'answer', content: 'Hello' });
    socket.send({ event: 'somethingNew', data: 1 });
    socket.say(noise(320));
    await until(() => told.includes('listening'), 'the end of the answer');
    assert.equal(
      told.map((line) => line.replace(/ \{"timestamp.*/, '')),
      [
        'info {"event":"info","content":{"plan":"x"}}',
        'agentStateChanged thinking',
        'transcriptionReceived مرحبا',
        'answerReceived Hello',
        'customEvent somethingNew {"event":"somethingNew","data":1}',
        'agentStateChanged speaking',
        'speaking',
        'agentStateChanged listening',
        'listening',
      ],
    );
    const { performanceMetrics, connectionStats, audioMetrics, callStats } = session.getCallAnalytics();
    assert.type(performanceMetrics.responseTime, 'number');
    assert.ok(audioMetrics.agentSpeakingTime >= 20);
    assert.is(connectionStats.connectionAttempts, 1);
    assert.ok(connectionStats.isConnected && callStats.totalBytesReceived > 400);
  }));

test('a muted caller is silence, a paused one is nothing, and neither is sent later', () =>
  withSession(async ({ agent, session, told }) => {
    await session.start({ agentId: 'a' });
    const socket = await agent.socket(1);
    session.sendAudio(noise(128, 1));
    assert.ok(session.getInputVolume() > 0.1);
    session.setMicMuted(true);
    assert.ok(session.isMicMuted());
    session.sendAudio(noise(256, 2));
    assert.is(session.getInputVolume(), 0);
    session.setMicMuted(false);
    session.pause();
    session.sendAudio(noise(128, 3));
    session.resume();
    session.sendAudio(noise(128, 4));
    await until(() => socket.heard.length === 512, 'the audio');
    assertSamples(socket.heard, Int16Array.from([...noise(128, 1), ...new Int16Array(256), ...noise(128, 4)]));
    assert.equal(told.slice(-2), ['callPaused', 'callResumed']);
  }));

test('a paused agent is not heard, and goes on where it was', () =>
  withSession(async ({ agent, session, counters }) => {
    const played: number[] = [];
    await session.start({
      agentId: 'a',
      onAudioData: (audio) => {
        for (let at = 0; at < audio.length; at += 2) played.push(audio.readInt16LE(at));
      },
    });
    const socket = await agent.socket(1);
    const pcm = noise(3200);
    socket.say(pcm.subarray(0, 1600));
    await until(() => played.length > 0, 'the first sample');
    session.pause();
    const before = played.length;
    socket.say(pcm.subarray(1600));
    socket.mark('end');
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.is(played.length, before);
    session.resume();
    await until(() => socket.marks.length === 1, 'the mark');
    assertSamples(played, pcm);
    assert.is(counters.droppedDownMs, 0);
  }));

test('plays with the volume that was set', () =>
  withSession(async ({ agent, session }) => {
    const played: number[] = [];
    await session.start({
      agentId: 'a',
      onAudioData: (audio) => {
        for (let at = 0; at < audio.length; at += 2) played.push(audio.readInt16LE(at));
      },
    });
    session.setVolume(0.5);
    assert.is(session.getOutputVolume(), 0.5);
    (await agent.socket(1)).say(noise(320));
    await until(() => played.length === 320, 'the audio');
    assertSamples(
      played,
      noise(320).map((sample) => Math.round(sample * 0.5)),
    );
    assert.throws(() => session.setVolume(1.5), RangeError);
  }));

test('gives audio streams to those who listen for them', () =>
  withSession(async ({ agent, session }) => {
    const remote: Buffer[] = [];
    const local: Buffer[] = [];
    session.on('remoteAudioStreamAvailable', (stream) => stream.on('data', (chunk: Buffer) => remote.push(chunk)));
    session.on('localAudioStreamAvailable', (stream) => stream.on('data', (chunk: Buffer) => local.push(chunk)));
    await session.start({ agentId: 'a' });
    const socket = await agent.socket(1);
    socket.say(noise(640, 5));
    session.sendAudio(noise(640, 6));
    await until(() => Buffer.concat(remote).length === 1280 && Buffer.concat(local).length === 1280, 'both streams');
    assert.equal(Buffer.concat(remote), Buffer.from(noise(640, 5).buffer));
    assert.equal(Buffer.concat(local), Buffer.from(noise(640, 6).buffer));
  }));

test('the agent’s last words are heard before its goodbye ends the call', () =>
  withSession(async ({ agent, session, told }) => {
    let playedSamples = 0;
    await session.start({
      agentId: 'a',
      onAudioData: (audio) => {
        playedSamples += audio.length / 2;
      },
    });
    const socket = await agent.socket(1);
    socket.say(noise(4800));
    socket.socket.close(1000);
    await until(() => told.includes('callEnded'), 'the end');
    assert.is(playedSamples, 4800);
    assert.equal(told.slice(-5), [
      'agentStateChanged listening',
      'listening',
      'agentStateChanged idle',
      'callEnded',
      'closed',
    ]);
    assert.is(agent.upgrades, 1);
  }));

test('a lost link comes back within the conversation, and nothing that was said meanwhile is lost', () =>
  withSession(async ({ agent, session, told, counters, errors }) => {
    const qualities: string[] = [];
    session.on('connectionQualityChanged', ({ quality }) => qualities.push(quality));
    await session.start({ agentId: 'a' });
    const first = await agent.socket(1);
    await until(() => qualities.length === 1, 'the first measurement');
    session.sendAudio(noise(1280, 1));
    await until(() => first.heard.length === 1280, 'the audio before');
    first.socket.terminate();
    await until(() => told.includes('reconnecting'), 'the loss');
    session.sendAudio(noise(1280, 2));
    session.sendDTMF('5');
    const second = await agent.socket(2);
    await until(() => told.includes('reconnected'), 'the new link');
    session.sendAudio(noise(1280, 3));
    await until(() => second.heard.length === 2560 && qualities.length === 3, 'the audio after');
    assertSamples(second.heard, Int16Array.from([...noise(1280, 2), ...noise(1280, 3)]));
    assert.is(second.url.pathname, '/stream/job-1');
    assert.equal(second.frames, [
      { event: 'start', streamSid: 'WEBSDK' },
      { event: 'dtmf', streamSid: 'WEBSDK', dtmf: { digit: '5' } },
    ]);
    assert.equal(qualities, ['excellent', 'lost', 'excellent']);
    assert.is(agent.inits.length, 1);
    assert.equal([counters.linksLost, counters.reconnects, counters.droppedUpMs, errors.length], [1, 1, 0, 0]);
  }));

test('of what is said without a link the newest two seconds are kept, and the rest is counted', () =>
  withSession(async ({ agent, session, counters, told }) => {
    agent.onUpgrade = () => (agent.upgrades === 2 ? 503 : undefined);
    await session.start({ agentId: 'a' });
    (await agent.socket(1)).socket.terminate();
    await until(() => told.includes('reconnecting'), 'the loss');
    const pcm = noise(16_000 * 3);
    for (let at = 0; at < pcm.length; at += 320) session.sendAudio(pcm.subarray(at, at + 320));
    const second = await agent.socket(2);
    await until(() => second.heard.length === 32_000, 'what was kept');
    assertSamples(second.heard, pcm.subarray(16_000));
    assert.is(counters.droppedUpMs, 1000);
  }));

test('gives a lost link up after five attempts to open it again, and says why', () =>
  withSession(async ({ agent, session, told, counters, errors }) => {
    await session.start({ agentId: 'a' });
    agent.onUpgrade = () => 503;
    (await agent.socket(1)).socket.close(1011, 'restart');
    await until(() => told.includes('closed'), 'the end');
    assert.is(agent.upgrades, 1 + 5);
    assert.equal(
      told.slice(-4).map((line) => line.split(' {')[0]),
      ['reconnecting', 'agentStateChanged idle', 'callEnded', 'closed'],
    );
    assert.match(told.at(-2)!, 'ERR_PLATFORM_UNAVAILABLE');
    assert.equal(
      errors.map(({ code }) => code),
      ['ERR_PLATFORM_UNAVAILABLE'],
    );
    assert.equal([counters.active, counters.failed], [0, 1]);
    assert.is(((await rejection(session.reconnect())) as GatewayError).code, 'ERR_WRONG_STATE');
  }));

test('a link that is lost as soon as it is open does not come back for ever', () =>
  withSession(async ({ agent, session, told }) => {
    agent.onSocket = ({ socket }) => socket.close(1011);
    const started = session.start({ agentId: 'a' }).catch(() => {});
    await until(() => told.includes('agentStateChanged idle'), 'the end');
    await started;
    assert.ok(agent.upgrades <= 8, `${agent.upgrades} links`);
  }));

test('a refused key is not tried again, and appears nowhere', () =>
  withSession(async ({ agent, session, errors }) => {
    agent.onUpgrade = () => 401;
    const error = (await rejection(session.start({ agentId: 'a' }))) as GatewayError;
    assert.is(error.code, 'ERR_PLATFORM_AUTH');
    assert.is(agent.upgrades, 1);
    assert.equal(errors, [error]);
    assert.is(redact(`${agent.agentUrl}/job-1?api_key=${KEY}`), `${agent.agentUrl}/job-1?api_key=[redacted]`);
  }));

test('reconnect() opens the link anew, once, whoever asks', () =>
  withSession(async ({ agent, session, told }) => {
    await session.start({ agentId: 'a' });
    await Promise.all([session.reconnect(), session.reconnect()]);
    assert.is(agent.upgrades, 2);
    assert.equal(
      told.filter((line) => line.startsWith('reconn')),
      ['reconnecting', 'reconnected'],
    );
    session.sendAudio(noise(128));
    const second = await agent.socket(2);
    await until(() => second.heard.length === 128, 'audio over the new link');
  }));

test('a conversation can be ended while it begins', () =>
  withSession(async ({ agent, session, counters }) => {
    agent.onUpgrade = () => 'ignore';
    const started = rejection(session.start({ agentId: 'a' }));
    await until(() => agent.upgrades === 1, 'the handshake');
    session.end();
    assert.is(((await started) as GatewayError).code, 'ERR_ABORTED');
    assert.equal([counters.active, counters.failed], [0, 0]);
  }));

test('refuses answers of conversation-init that have no job id', () =>
  withSession(async ({ agent, session, errors }) => {
    agent.onInit = () => ({ status: 200, body: { success: true, data: { jobId: '..' } } });
    assert.is(((await rejection(session.start({ agentId: 'a' }))) as GatewayError).code, 'ERR_PLATFORM_PROTOCOL');
    assert.is(agent.upgrades, 0);
    assert.is(errors.length, 1);
  }));

test('asks for the outcome until it is there', () =>
  withSession(async ({ agent, session }) => {
    agent.onDetails = () => ({ status: agent.detailsAsked < 2 ? 'IN_PROGRESS' : 'COMPLETED', outcomeResult: { a: 1 } });
    await session.start({ agentId: 'a' });
    session.end();
    const details = await session.getJobDetails();
    assert.equal([details.status, details['outcomeResult'], agent.detailsAsked], ['COMPLETED', { a: 1 }, 2]);
  }));

test('refuses what it can not use', async () => {
  const make = (options: Partial<VoiceAgentSessionOptions>) => new VoiceAgentSession({ apiKey: KEY, ...options });
  assert.throws(() => make({ apiKey: 'a b' }), TypeError);
  assert.throws(() => make({ agentUrl: 'ws://agents.example/stream' }), /not encrypted/);
  assert.throws(() => make({ agentUrl: 'https://agents.example/stream' }), /another protocol/);
  assert.throws(() => make({ baseUrl: 'http://api.example' }), /not encrypted/);
  assert.instance(await rejection(make({}).start({ agentId: '' })), TypeError);
  assert.is(((await rejection(make({}).reconnect())) as GatewayError).code, 'ERR_WRONG_STATE');
});

test.run();
