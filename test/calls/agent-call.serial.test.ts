// timeout: 240 s
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Gateway } from '../../src/apps/gateway.ts';
import { Resampler } from '../../src/audio/resampler.ts';
import { encodeWav, parseWav, wavToPcm } from '../../src/audio/wav.ts';
import { createLogger } from '../../src/core/logger.ts';
import { loadSettings } from '../../src/core/settings.ts';
import { startLocalPlatform } from '../../src/local-platform/server.ts';
import { callWithBaresip } from '../support/baresip.ts';
import { needs } from '../support/needs.ts';
import { type AgentSocket, ScriptedAgent } from '../support/scripted-agent.ts';
import { serveGateway } from '../support/serve.ts';
import { sipp } from '../support/sipp.ts';
import { until } from '../support/until.ts';
import {
  agentEvents,
  assertWhole,
  concatenate,
  KEY,
  metric,
  prompt,
  RATE,
  wide,
  withAgentCall,
} from './agent-call-world.ts';

/** Says `pcm` in pieces of 20 ms, each a fifth of a second before it is to be heard: this program has stalls, too. */
async function sayInTime(socket: AgentSocket, pcm: Int16Array): Promise<void> {
  const startMs = performance.now();
  for (let at = 0; at < pcm.length; ) {
    for (; at < pcm.length && at / 16 - 200 <= performance.now() - startMs; at += 320)
      socket.say(pcm.subarray(at, at + 320));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const test = suite('calls to a hosted agent');

if (needs('calls to a hosted agent', 'baresip') && needs('Asterisk prompts', 'pocketsphinx_batch')) {
  test('both hear each other whole, once and in order; marks, clear and the end are real', () =>
    withAgentCall(async ({ agent, gateway, call }) => {
      const said = concatenate(new Int16Array(RATE), prompt('vm-intro'), new Int16Array(RATE), prompt('vm-youhave'));
      const greeting = prompt('demo-thanks');
      const answer = prompt('tt-weasels');
      const cutOff = prompt('queue-thankyou');
      const earpieceOfCall = call(concatenate(said, new Int16Array(20 * RATE)), 14_000);
      const socket = await agent.socket(1);
      // A sentence far ahead of real time, cut into odd pieces.
      const bytes = Buffer.from(wide(greeting).buffer);
      for (let at = 0; at < bytes.length; at += 3333) socket.sayBytes(bytes.subarray(at, at + 3333));
      socket.mark('greeting');
      await until(() => socket.marks.includes('greeting'), 'the mark of the greeting', 10_000);
      const greetingMs = greeting.length / 8;
      const [started, marked] = [gateway.ofType('playback.started')[0]!, gateway.ofType('playback.mark')[0]!];
      const tookMs = Date.parse(marked.at) - Date.parse(started.at);
      assert.ok(tookMs > greetingMs - 300 && tookMs < greetingMs + 300, `${tookMs} ms for ${greetingMs} ms`);
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

  test('a link that is lost in the middle of a call comes back, and both go on where they were', () =>
    withAgentCall(async ({ agent, gateway, call }) => {
      const said = prompt('vm-intro');
      const before = prompt('vm-goodbye');
      const after = prompt('tt-weasels');
      const speech = concatenate(new Int16Array(RATE), said, new Int16Array(20 * RATE));
      const earpieceOfCall = call(speech, 9_000);
      const first = await agent.socket(1);
      first.say(wide(before));
      first.mark('before');
      await until(() => first.heard.length > 16_000 * 2, 'the caller', 10_000);
      first.socket.terminate();
      await gateway.until('the loss', () => agentEvents(gateway).some(({ state }) => state === 'reconnecting'));
      const second = await agent.socket(2);
      await until(() => second.heard.length > 0, 'the caller again');
      second.say(wide(after));
      second.mark('after');
      await until(() => second.marks.includes('after'), 'the mark', 10_000);
      const earpiece = await earpieceOfCall;
      await gateway.until('the end', () => gateway.ofType('call.ended').length === 1);

      assert.is(agent.inits.length, 1);
      assert.is(second.url.pathname, '/stream/job-1');
      assert.equal([...first.marks, ...second.marks], ['before', 'after']);
      assertWhole('before the loss', before, earpiece);
      assertWhole('after the loss', after, earpiece);
      const heard = Int16Array.from([...first.heard, ...second.heard].filter((_, index) => index % 2 === 0));
      // What was on its way when the connection broke is lost with it.
      assertWhole('the caller', said, heard, 40);
      assert.equal(
        [await metric(gateway, 'agents_links_lost_total'), await metric(gateway, 'agents_reconnects_total')],
        [1, 1],
      );
      assert.is(await metric(gateway, 'agents_dropped_up_seconds_total'), 0);
      assert.equal(gateway.ofType('error'), []);
    }));

  test('the agent’s goodbye ends the call once its last words were heard', () =>
    withAgentCall(async ({ agent, gateway, call }) => {
      const goodbye = prompt('vm-goodbye');
      const earpieceOfCall = call(new Int16Array(30 * RATE), 5_000);
      const socket = await agent.socket(1);
      await gateway.until('the link', () => agentEvents(gateway).some(({ state }) => state === 'listening'));
      socket.say(wide(goodbye));
      socket.socket.close(1000);
      await gateway.until('the end', () => gateway.ofType('call.ended').length === 1);
      assert.is(gateway.ofType('call.ended')[0]?.reason, 'gateway');
      assertWhole('the goodbye', goodbye, await earpieceOfCall);
    }));

  test('a call whose agent can not be had ends with an error that says why', () =>
    withAgentCall(async ({ agent, gateway, call }) => {
      agent.onInit = () => ({
        status: 404,
        body: { success: false, error: { code: 10404, message: 'no such agent' } },
      });
      await call(new Int16Array(10 * RATE), 2_000);
      await gateway.until('the end', () => gateway.ofType('call.ended').length === 1);
      assert.is(gateway.ofType('call.ended')[0]?.reason, 'error');
      assert.equal(
        gateway.ofType('error').map(({ code }) => code),
        ['ERR_PLATFORM_NOT_FOUND'],
      );
      assert.is(await metric(gateway, 'agents_failed_total'), 1);
    }));

  test('an application can end such a call, and not speak on it', () =>
    withAgentCall(async ({ agent, gateway, call }) => {
      const over = call(new Int16Array(20 * RATE), 4_000);
      const socket = await agent.socket(1);
      const { callId } = gateway.ofType('call.started')[0]!;
      const ask = async (method: string, path: string, body?: unknown): Promise<number> => {
        const headers = { 'content-type': 'application/json' };
        const answer = await fetch(`${gateway.http}/v1/calls/${callId}${path}`, {
          method,
          ...(body === undefined ? {} : { body: JSON.stringify(body), headers }),
        });
        return answer.status;
      };
      assert.is(await ask('POST', '/speak', { text: 'hello' }), 409);
      assert.is(await ask('POST', '/stop'), 409);
      assert.is(await ask('DELETE', ''), 204);
      await gateway.until('the end', () => gateway.ofType('call.ended').length === 1);
      await until(() => socket.closed !== undefined, 'the end of the link');
      assert.is(socket.closed?.code, 1000);
      await over;
    }));
}

if (needs('calls to the agent of the local platform', 'baresip') && needs('speech', 'flite', 'pocketsphinx_batch')) {
  test('the agent of the local platform greets, understands and answers', async () => {
    const platform = await startLocalPlatform({ port: 0, apiKey: KEY, log: createLogger('silent') });
    const folder = mkdtempSync(join(tmpdir(), 'caller-'));
    const gateway = await serveGateway({
      HAMSA_API_KEY: KEY,
      HAMSA_BASE_URL: platform.url,
      HAMSA_AGENT_URL: platform.agentUrl,
      GATEWAY_ON_CALL: 'agent:any',
    });
    try {
      const recording = readFileSync(new URL('../../fixtures/speech/passport.wav', import.meta.url));
      const sentence = Resampler.resample(wavToPcm(parseWav(recording)), 16_000, RATE);
      const speech = join(folder, 'speech.wav');
      const pause = new Int16Array(4 * RATE);
      writeFileSync(speech, encodeWav(concatenate(pause, sentence, pause, pause, pause), RATE));
      const earpiece = await callWithBaresip({ target: `sip:gateway@${gateway.sip}`, speech, durationMs: 14_000 });
      await gateway.until('the outcome', () => agentEvents(gateway).some(({ type }) => type === 'conversation'));
      const told = agentEvents(gateway);
      const [said] = told.filter(({ type }) => type === 'transcription');
      // How well the recogniser understands is measured elsewhere; here that it was this sentence, and was answered.
      const words = String(said?.['content']);
      assert.match(words, /bring my|passport|airport/i, JSON.stringify(told));
      const answers = told.filter(({ type }) => type === 'answer').map(({ content }) => String(content));
      assert.ok(
        answers.some((answer) => answer.includes(words)),
        answers.join('\n'),
      );
      assert.is((told.at(-1)!['content'] as { status: string }).status, 'COMPLETED');
      const finished = gateway.ofType('playback.finished').map(({ heardMs }) => heardMs);
      assert.ok(finished.length >= 2 && finished.every((heardMs) => heardMs > 500), finished.join());
      const loudMs = earpiece.filter((sample) => Math.abs(sample) > 500).length / 8;
      assert.ok(loudMs > 500, `${loudMs} ms of voice were heard`);
      assert.equal(gateway.ofType('error'), []);
      assert.not.match(gateway.log(), KEY);
    } finally {
      await gateway.stop();
      await platform.close();
      rmSync(folder, { recursive: true });
    }
  });
}

if (needs('calls to a hosted agent', 'sipp')) {
  test('digits reach the agent, and a tool that it calls is run and answered', async () => {
    const agent = await ScriptedAgent.start();
    const asked: unknown[] = [];
    const { settings } = loadSettings({
      env: {
        HAMSA_API_KEY: KEY,
        HAMSA_BASE_URL: agent.baseUrl,
        HAMSA_AGENT_URL: agent.agentUrl,
        GATEWAY_HTTP: '127.0.0.1:0',
        GATEWAY_SIP: '127.0.0.1:0/udp',
        GATEWAY_RTP_PORTS: '0',
        GATEWAY_ON_CALL: 'agent:agent-7',
      },
    });
    const gateway = new Gateway(settings, {
      logger: createLogger('silent'),
      agentTools: [
        {
          function_name: 'balanceOf',
          parameters: [{ name: 'account', type: 'string' }],
          required: ['account'],
          fn: (account: string) => {
            asked.push(account);
            return { balance: 12.5 };
          },
        },
      ],
    });
    const { sip } = await gateway.start();
    try {
      const over = sipp({
        scenario: 'play-pcap',
        keys: {
          pcap: '/usr/share/sip-tester/dtmf_2833_7.pcap',
          codec: '0 8',
          events: '101',
          ptime: '20',
          wait: '3000',
        },
        target: sip[0]!.replace(/^sip:/, ''),
      });
      const socket = await agent.socket(1);
      const call = (id: string, name: string, args: string): unknown => ({
        id,
        type: 'function',
        function: { name, arguments: args },
      });
      socket.send({
        event: 'tools',
        content: [call('1', 'balanceOf', '{"account":"A-7"}'), call('2', 'balanceOf', '{}'), call('3', 'close', '{}')],
      });
      await until(() => socket.ofEvent('tools_response').length === 1, 'the answer of the tools');
      await until(() => socket.ofEvent('dtmf').length === 1, 'the digit');
      await over;
      assert.equal(socket.ofEvent('tools_response')[0]?.['tools_response'], [
        { id: '1', function: { name: 'balanceOf', response: { balance: 12.5 } } },
        { id: '2', function: { name: 'balanceOf', response: "Error: the argument 'account' is missing" } },
        { id: '3', function: { name: 'close', response: 'Error could not find the function' } },
      ]);
      assert.equal(asked, ['A-7']);
      assert.equal(socket.ofEvent('dtmf')[0]?.['dtmf'], { digit: '7' });
      const [tool] = agent.inits[0]!.body['tools'] as { function: { name: string } }[];
      assert.is(tool?.function.name, 'balanceOf');
    } finally {
      await gateway.stop();
      await agent.close();
    }
  });
}

test.run();
