import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { FakeClock } from '../support/fake-clock.ts';
import { AgentClient, begin, conversation } from './agent-client.ts';
import { KEY, type TestPlatform, until, withPlatform } from './platform.ts';
import { padded, recordingOf, SENTENCES } from './sound.ts';

const test = suite('voice agent');

/** Recognised by the built-in ears, and silent for long enough to have ended. */
const question = (index: number): Int16Array => padded(recordingOf(index), 300, 800);

/** Answers come at once, where their pace does not matter. */
const inBursts = (platform: TestPlatform): Promise<void> => platform.fault({ fault: 'burst', at: 'agent', times: 100 });

test('greets, writes down what is said, repeats it in audio and marks its end', () =>
  withPlatform(async (platform) => {
    await inBursts(platform);
    const jobId = await begin(platform, { params: { user: 'u-7' } });
    assert.is((await conversation(platform, jobId))['status'], 'PENDING');
    const client = await AgentClient.connect(platform, jobId);
    assert.is((await client.until('answer')).content, 'Hello! How can I help you today?');
    client.speak(question(0));
    assert.is((await client.until('transcription')).content, SENTENCES[0]!.text);
    const { mark } = await client.until('mark');
    const expected = recordingOf(0);
    assert.ok(client.audio.equals(Buffer.from(expected.buffer, expected.byteOffset, expected.byteLength)));
    assert.is((await conversation(platform, jobId))['status'], 'ONGOING');
    client.send({ event: 'mark', mark: { name: mark!.name } });
    await client.stop();
    const { status, transcription, outcomeResult, voiceAgentId } = await conversation(platform, jobId);
    assert.is(status, 'COMPLETED');
    assert.is(voiceAgentId, 'agent-1');
    assert.is((outcomeResult as { user: string }).user, 'u-7');
    // The built-in voice can say no more than the sentence itself.
    assert.equal(transcription, [
      { Agent: 'Hello! How can I help you today?' },
      { User: SENTENCES[0]!.text },
      { Agent: SENTENCES[0]!.text },
    ]);
  }));

test('sends audio no more than a little ahead of real time, and all at once as a burst', () =>
  withPlatform(async (platform) => {
    const client = await AgentClient.connect(platform, await begin(platform));
    await client.until('answer');
    client.speak(question(1));
    await client.until('media');
    const fromMs = performance.now();
    await client.until('mark');
    const audioMs = client.audio.length / 32;
    const tookMs = performance.now() - fromMs;
    assert.ok(audioMs - tookMs > 100 && audioMs - tookMs < 900, `${audioMs} ms of audio came in ${tookMs} ms`);

    await platform.fault({ fault: 'burst', at: 'agent' });
    client.speak(question(2));
    await client.until('answer', 3);
    const burstMs = performance.now();
    await client.until('mark', 2);
    assert.ok(performance.now() - burstMs < 500);
    await client.stop();
  }));

test('stops and sends clear when it is interrupted, and goes on with the next answer', () =>
  withPlatform(async (platform) => {
    const client = await AgentClient.connect(platform, await begin(platform));
    client.speak(question(3));
    await client.until('media', 5);
    assert.is(client.of('clear').length, 0);
    client.speak(question(4));
    await client.until('clear');
    const answer = await client.until('answer', 3);
    const events = client.frames.slice(0, client.frames.indexOf(answer)).map(({ event }) => event);
    assert.equal(events.slice(events.indexOf('clear') + 1), ['transcription']);
    assert.not.ok(events.includes('mark'));
    await client.until('mark');
    assert.is(client.of('clear').length, 1);
    await client.stop();
  }));

test('is interrupted while the client still plays what was sent, and not afterwards', () =>
  withPlatform(async (platform) => {
    await inBursts(platform);
    const client = await AgentClient.connect(platform, await begin(platform));
    await client.until('answer');
    client.speak(question(3));
    await client.until('mark');
    client.speak(question(4));
    await client.until('clear');
    const { mark } = await client.until('mark', 2);
    client.send({ event: 'mark', mark });
    client.speak(question(5));
    await client.until('mark', 3);
    assert.is(client.of('clear').length, 1);
    await client.stop();
  }));

test("calls a client's tool that what was said is about, and says what it answers", () =>
  withPlatform(async (platform) => {
    await inBursts(platform);
    const tool = (name: string, description: string, properties: object): object => ({
      type: 'function',
      function: { name, description, parameters: { type: 'object', properties, required: [] } },
    });
    const jobId = await begin(platform, {
      params: { userId: 'u-7' },
      tools: [
        tool('getWeather', 'Tells the weather', { city: { type: 'string' } }),
        tool('flightTime', 'Finds the next flight', { userId: { type: 'string' }, query: { type: 'string' } }),
      ],
    });
    const client = await AgentClient.connect(platform, jobId);
    client.speak(question(2));
    const { content } = await client.until('tools');
    const [call] = content as { id: string; type: string; function: { name: string; arguments: string } }[];
    assert.is(call!.type, 'function');
    assert.is(call!.function.name, 'flightTime');
    assert.equal(JSON.parse(call!.function.arguments), { userId: 'u-7', query: SENTENCES[2]!.text });
    client.send({
      event: 'tools_response',
      tools_response: [null, { id: call!.id, function: { name: 'flightTime', response: SENTENCES[5]!.text } }],
    });
    assert.is((await client.until('answer', 2)).content, SENTENCES[5]!.text);
    await client.until('mark');
    await client.stop();
    const [called] = (await conversation(platform, jobId))['toolCalls'] as Record<string, unknown>[];
    assert.is(called!['name'], 'flightTime');
    assert.is(called!['ok'], true);
    assert.is(called!['result'], SENTENCES[5]!.text);
  }));

test('goes on after the link broke: the rest of the answer follows and nobody is greeted again', () =>
  withPlatform(async (platform) => {
    const jobId = await begin(platform);
    const first = await AgentClient.connect(platform, jobId);
    await first.until('answer');
    await platform.fault({ fault: 'torn', at: 'agent', bytes: 20_000 });
    first.speak(question(6));
    assert.is(await first.closed, 1006);
    assert.is(first.audio.length, 20_000);
    const second = await AgentClient.connect(platform, jobId);
    await second.until('mark');
    const expected = recordingOf(6);
    const both = Buffer.concat([first.audio, second.audio]);
    assert.ok(both.equals(Buffer.from(expected.buffer, expected.byteOffset, expected.byteLength)));
    assert.is(second.of('answer').length, 0);
    second.speak(question(7));
    await second.until('transcription');
    await second.stop();
    assert.is((await conversation(platform, jobId))['status'], 'COMPLETED');
  }));

test('a newer connection takes the place of an older one', () =>
  withPlatform(async (platform) => {
    const jobId = await begin(platform);
    const older = await AgentClient.connect(platform, jobId);
    await older.until('answer');
    const newer = await AgentClient.connect(platform, jobId);
    assert.is(await older.closed, 4409);
    newer.speak(question(0));
    await newer.until('transcription');
    await newer.stop();
  }));

test('a close without a code is a goodbye like any other', () =>
  withPlatform(async (platform) => {
    const jobId = await begin(platform);
    const client = await AgentClient.connect(platform, jobId);
    await client.until('answer');
    client.socket.close();
    await client.closed;
    assert.is((await conversation(platform, jobId))['status'], 'COMPLETED');
  }));

test('fails a conversation whose client stays away, and no other', async () => {
  const clock = new FakeClock();
  await withPlatform(
    async (platform) => {
      const jobId = await begin(platform);
      clock.advance(14_000);
      assert.is((await conversation(platform, jobId))['status'], 'PENDING');
      clock.advance(2000);
      assert.is((await conversation(platform, jobId))['status'], 'FAILED');
      const present = await begin(platform);
      const client = await AgentClient.connect(platform, present);
      await client.until('answer');
      clock.advance(60_000);
      assert.is((await conversation(platform, present))['status'], 'ONGOING');
      client.socket.terminate();
      await client.closed;
      await until('the platform noticed', () => {
        clock.advance(1000);
        return clock.nowMs() > 200_000;
      });
      assert.is((await conversation(platform, present))['status'], 'FAILED');
    },
    { clock },
  );
});

test('plays odd-sized media, broken tool calls, stalls and closes on demand', () =>
  withPlatform(async (platform) => {
    await platform.fault(
      { fault: 'tools', at: 'agent', name: 'anything', arguments: '{not json' },
      { fault: 'chunks', at: 'agent', sizes: [641] },
      { fault: 'text', at: 'agent', text: '{"event":"surprise"}' },
      { fault: 'close', at: 'agent', code: 4500, reason: 'as asked' },
    );
    const client = await AgentClient.connect(platform, await begin(platform));
    const [call] = (await client.until('tools')).content as { id: string; function: { arguments: string } }[];
    assert.is(call!.function.arguments, '{not json');
    client.send({ event: 'tools_response', tools_response: [{ id: call!.id, function: { response: 'no' } }] });
    await client.until('answer');
    client.speak(question(0));
    assert.is(Buffer.from((await client.until('media')).media!.payload, 'base64').length, 641);
    client.speak(question(1));
    await client.until('surprise');
    client.speak(question(2));
    assert.is(await client.closed, 4500);
  }));

test('ignores frames that are none and audio that is broken', () =>
  withPlatform(async (platform) => {
    await inBursts(platform);
    const client = await AgentClient.connect(platform, await begin(platform));
    client.socket.send('not json');
    client.socket.send(Buffer.from([1, 2, 3]));
    const broken = [NaN, Infinity, -Infinity, 1e30];
    const payload = Buffer.from(Float32Array.from(broken).buffer).subarray(0, 15).toString('base64');
    const notFrames = [null, 1, { event: 'mark' }, { event: 'media', media: {} }, { event: 'tools_response' }];
    for (const frame of [...notFrames, { event: 'media', media: { payload } }])
      client.socket.send(JSON.stringify(frame));
    client.speak(question(4));
    assert.is((await client.until('transcription')).content, SENTENCES[4]!.text);
    await client.stop();
  }));

test('keeps conversations apart, and holds a bounded number of them at once', () =>
  withPlatform(async (platform) => {
    const jobIds = await Promise.all(Array.from({ length: 4 }, () => begin(platform)));
    const clients = await Promise.all(jobIds.map((jobId) => AgentClient.connect(platform, jobId)));
    for (const [index, client] of clients.entries()) client.speak(question(index));
    const heard = await Promise.all(clients.map((client) => client.until('transcription')));
    assert.equal(
      heard.map(({ content }) => content),
      SENTENCES.slice(0, 4).map(({ text }) => text),
    );
    await Promise.all(clients.map((client) => client.stop()));
    for (let held = 0; held < 64; held++) assert.ok(await begin(platform));
    const response = await platform.post('/v1/voice-agents/conversation-init', { voiceAgentId: 'a' });
    assert.is(response.status, 503);
  }));

test('greets as the agent was told to, and knows no other agent once there is one', () =>
  withPlatform(async (platform) => {
    const fields = { name: 'Support', greeting: 'Hello {{name}}, this is {{company}}.', params: { company: 'Acme' } };
    const created = (await (await platform.post('/v2/voice-agents', fields)).json()) as { data: { id: string } };
    const voiceAgentId = created.data.id;
    const jobId = await begin(platform, { voiceAgentId, params: { name: 'Mona' } });
    const client = await AgentClient.connect(platform, jobId);
    assert.is((await client.until('answer')).content, 'Hello Mona, this is Acme.');
    await client.stop();
    const unknown = await platform.post('/v1/voice-agents/conversation-init', { voiceAgentId: 'agent-1' });
    assert.is(unknown.status, 404);
    assert.is(((await unknown.json()) as { error: { code: string } }).error.code, '10404');
  }));

test('can be listened to by others while it goes on', () =>
  withPlatform(async (platform) => {
    const jobId = await begin(platform);
    const client = await AgentClient.connect(platform, jobId);
    await client.until('answer');
    const joined = await platform.post('/v1/voice-agents/join-call', { jobId });
    const heard = joined.arrayBuffer();
    client.speak(question(0));
    await client.until('mark');
    await client.stop();
    const samples = new Int16Array((await heard).slice(44));
    assert.ok(samples.some((sample) => Math.abs(sample) > 3000));
  }));

test('refuses bad requests, unknown conversations and wrong keys', () =>
  withPlatform(async (platform) => {
    for (const body of [
      {},
      { voiceAgentId: null },
      { voiceAgentId: 'a', tools: [{}] },
      { voiceAgentId: 'a', params: 1 },
    ]) {
      const response = await platform.post('/v1/voice-agents/conversation-init', body);
      assert.is(response.status, 400);
      assert.is(((await response.json()) as { error: { code: string } }).error.code, '10400');
    }
    assert.is((await fetch(`${platform.url}/v1/voice-agents/conversation/x?api_key=${KEY}`)).status, 404);
    const refused = new WebSocket(`${platform.agentUrl}/nobody?api_key=${KEY}`);
    const status = await new Promise((resolve) => {
      refused.on('unexpected-response', (request, { statusCode }) => {
        request.destroy();
        resolve(statusCode);
      });
    });
    refused.on('error', () => {});
    assert.is(status, 404);
    const wrong = new WebSocket(`${platform.agentUrl}/${await begin(platform)}?api_key=wrong`);
    assert.is(await new Promise((resolve) => wrong.on('close', resolve)), 4001);
  }));

test('lets pages of any site call it, as the SDK does', () =>
  withPlatform(async ({ url }) => {
    const headers = { origin: 'https://shop.example', 'access-control-request-headers': 'authorization,content-type' };
    const preflight = await fetch(`${url}/v1/voice-agents/conversation-init`, { method: 'OPTIONS', headers });
    assert.is(preflight.status, 204);
    assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /authorization/i);
    const refusal = await fetch(`${url}/v1/voice-agents/conversation-init`, { method: 'POST', headers });
    assert.is(refusal.status, 401);
    assert.is(refusal.headers.get('access-control-allow-origin'), '*');
  }));

test.run();
