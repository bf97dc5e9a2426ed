import { once } from 'node:events';
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ClientOptions, WebSocket } from 'ws';
import { until } from '../support/until.ts';
import { type AgentWorld, type Issued, KEY, TOKEN, withAgentWorld } from './agent-world.ts';

const test = suite('agent relay');

/** A page as the SDK connects it. */
function open(session: Issued, jobId = 'job-1', options: ClientOptions = {}): WebSocket {
  const socket = new WebSocket(`${session.wsUrl}/${jobId}?api_key=${session.token}`, options);
  socket.on('error', () => {});
  return socket;
}

async function refusal(socket: WebSocket): Promise<{ status: number; body: string }> {
  const [request, response] = (await once(socket, 'unexpected-response')) as [
    import('node:http').ClientRequest,
    import('node:http').IncomingMessage,
  ];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  request.destroy();
  return { status: response.statusCode ?? 0, body };
}

async function connected(
  world: AgentWorld,
  fields?: object,
): Promise<{ session: Issued; page: WebSocket; agent: WebSocket }> {
  const session = await world.issued(fields);
  const { data } = (await (await world.begin(session)).json()) as { data: { jobId: string } };
  const page = open(session, data.jobId);
  await once(page, 'open');
  return { session, page, agent: world.agents.at(-1)! };
}

/** Whatever the two sent before has been read by the gateway once this resolves. */
async function answered(page: WebSocket, agent: WebSocket): Promise<void> {
  const received = [once(page, 'message'), once(agent, 'message')];
  page.send('later than the pong');
  agent.send('later than the pong');
  await Promise.all(received);
}

test('passes messages both ways as they are, in order, the first included', () =>
  withAgentWorld(async (world) => {
    const { page, agent } = await connected(world);
    const toAgent: [string, boolean][] = [];
    agent.on('message', (data, isBinary) => toAgent.push([(data as Buffer).toString(), isBinary]));
    const toPage: [string, boolean][] = [];
    page.on('message', (data, isBinary) => toPage.push([(data as Buffer).toString(), isBinary]));
    const sent: [string, boolean][] = [
      ['{"event":"start"}', false],
      ['bytes', true],
      ['', false],
      ['سلام', false],
    ];
    for (const [text, isBinary] of sent) {
      page.send(Buffer.from(text), { binary: isBinary });
      agent.send(Buffer.from(text), { binary: isBinary });
    }
    await until(() => toAgent.length === 4 && toPage.length === 4, 'all messages');
    assert.equal(toAgent, sent);
    assert.equal(toPage, sent);
    assert.equal(world.script.slots, ['acquired', 'sent', 'answered']);
    page.terminate();
  }));

test('loses nothing that the agent says before the page is there', () =>
  withAgentWorld(async (world) => {
    const session = await world.issued();
    await world.begin(session);
    const page = open(session);
    const received: string[] = [];
    page.on('message', (data) => received.push((data as Buffer).toString()));
    await until(() => world.agents.length === 1, 'the agent');
    for (let n = 0; n < 100; n++) world.agents[0]!.send(String(n));
    await until(() => received.length === 100, 'all messages');
    assert.is(received.join(), Array.from({ length: 100 }, (_, n) => n).join());
    page.terminate();
  }));

test('the key goes to the platform only, and the token to the gateway only', () =>
  withAgentWorld(async (world) => {
    const { session, page, agent } = await connected(world);
    assert.is(world.agentUrls[0], `/stream/job-1?api_key=${KEY}`);
    assert.not.ok(world.agentUrls[0]!.includes(session.token));
    const message = once(page, 'message');
    agent.send(JSON.stringify({ event: 'info', content: `your key is ${KEY}` }));
    assert.is(String((await message)[0]), '{"event":"info","content":"your key is [redacted]"}');
    const closed = once(page, 'close');
    agent.close(4003, `no funds for ${KEY}`);
    const [code, reason] = (await closed) as [number, Buffer];
    assert.is(code, 4003);
    assert.is(String(reason), 'no funds for [redacted]');
    assert.not.ok(world.log().includes(KEY));
    assert.not.ok(world.log().includes(session.token));
  }));

test('passes close codes on, and a page that is gone as a link that breaks', () =>
  withAgentWorld(async (world) => {
    for (const [from, code, expected] of [
      ['page', 1000, 1000],
      ['page', 4321, 4321],
      ['page', undefined, 1005],
      ['page', 'broken', 1006],
      ['agent', 1000, 1000],
      ['agent', undefined, 1005],
      ['agent', 4001, 4001],
      ['agent', 4003, 4003],
    ] as const) {
      const { page, agent } = await connected(world);
      const [socket, other] = from === 'page' ? [page, agent] : [agent, page];
      const closed = once(other, 'close');
      if (code === 'broken') socket.terminate();
      else socket.close(code);
      assert.is((await closed)[0], expected, `${from} ${code}`);
    }
    await until(() => world.agentSessions.statistics.connected === 0, 'no relay is left');
  }));

/** What the page is sent, as text. */
function messagesOf(page: WebSocket): string[] {
  const messages: string[] = [];
  page.on('message', (data) => messages.push((data as Buffer).toString()));
  return messages;
}

function link(state: string): string {
  return JSON.stringify({ event: 'info', type: 'link', state });
}

for (const code of ['broken', 1001, 1011, 1012] as const) {
  test(`a link to the agent that ends with ${code} is made again, and nothing that was said meanwhile is lost`, () =>
    withAgentWorld(async (world) => {
      const { page, agent } = await connected(world);
      const messages = messagesOf(page);
      page.send('{"event":"start","streamSid":"WEBSDK"}');
      await once(agent, 'message');
      if (code === 'broken') agent.terminate();
      else agent.close(code);
      await until(() => messages.length === 1, 'what the page is told');
      page.send('{"event":"media","media":{"payload":"AAAA"}}');
      page.send('{"event":"mark","mark":{"name":"m"}}');
      page.send(Buffer.of(1, 2, 3));
      // Read by the gateway before the ping that follows them is answered.
      page.ping();
      await once(page, 'pong');
      await untilAgent(world, 2);
      const second = world.agents[1]!;
      const toAgent: string[] = [];
      second.on('message', (data) => toAgent.push((data as Buffer).toString()));
      await until(() => toAgent.length === 4, 'what was said');
      second.send('welcome back');
      await until(() => messages.length === 3, 'the agent');
      assert.equal(toAgent, [
        '{"event":"start","streamSid":"WEBSDK"}',
        '{"event":"media","media":{"payload":"AAAA"}}',
        '{"event":"mark","mark":{"name":"m"}}',
        '\u0001\u0002\u0003',
      ]);
      assert.equal(messages, [link('reconnecting'), link('reconnected'), 'welcome back']);
      const { connected: pages, connections, linksLost, reconnects } = world.agentSessions.statistics;
      assert.equal([pages, connections, linksLost, reconnects], [1, 2, 1, 1]);
      page.terminate();
    }));
}

/** Lets time pass until the platform has had `count` connections. */
async function untilAgent(world: AgentWorld, count: number): Promise<void> {
  await until(() => {
    world.clock.advance(10);
    return world.agents.length === count;
  }, `connection ${count} to the agent`);
}

test('an agent that can not be had back is told after ten seconds at the latest, and the page may come back', () =>
  withAgentWorld(async (world) => {
    const { session, page, agent } = await connected(world);
    const messages = messagesOf(page);
    world.script.refuseAgents = 503;
    const startMs = world.clock.nowMs();
    let closed: [number, string] | undefined;
    page.on('close', (code, reason) => (closed = [code, reason.toString()]));
    agent.terminate();
    await until(() => messages.length === 1, 'what the page is told');
    await until(() => {
      if (closed === undefined) world.clock.advance(10);
      return closed !== undefined;
    }, 'the close');
    assert.ok(world.clock.nowMs() - startMs <= 11_000, `${world.clock.nowMs() - startMs} ms`);
    assert.equal(closed, [1014, 'the agent can not be reached']);
    assert.equal(messages, [link('reconnecting'), link('lost')]);
    assert.is(world.agentSessions.statistics.connected, 0);
    delete world.script.refuseAgents;
    const { data } = (await (await world.begin(session)).json()) as { data: { jobId: string } };
    const again = open(session, data.jobId);
    await once(again, 'open');
    assert.is(world.begun.length, 1);
    again.terminate();
  }));

test('a page that leaves while its agent is away leaves nothing behind', () =>
  withAgentWorld(async (world) => {
    const { page, agent } = await connected(world);
    const messages = messagesOf(page);
    agent.terminate();
    await until(() => messages.length === 1, 'what the page is told');
    page.close(1000);
    await once(page, 'close');
    await until(() => world.agentSessions.statistics.connected === 0, 'the page is gone');
    world.clock.advance(20_000);
    const session = await world.issued();
    await world.begin(session);
    const other = open(session, 'job-2');
    await once(other, 'open');
    assert.equal(
      world.agentUrls.map((url) => url.slice(0, 13)),
      ['/stream/job-1', '/stream/job-2'],
    );
    other.terminate();
  }));

test('what a page says while its agent is away is bounded: two seconds of audio, and a megabyte of anything else', () =>
  withAgentWorld(async (world) => {
    const { page, agent } = await connected(world);
    const messages = messagesOf(page);
    agent.terminate();
    await until(() => messages.length === 1, 'what the page is told');
    const audio = (n: number): string => `{"event":"media","media":{"payload":"${String(n).padStart(684, 'A')}"}}`;
    for (let n = 0; n < 1000; n++) page.send(audio(n));
    page.ping();
    await once(page, 'pong');
    await untilAgent(world, 2);
    const toAgent: string[] = [];
    world.agents[1]!.on('message', (data) => toAgent.push((data as Buffer).toString()));
    await until(() => toAgent.includes(audio(999)), 'the last words');
    assert.ok(toAgent.length > 240 && toAgent.length < 280, `${toAgent.length} messages`);
    assert.equal(
      toAgent,
      Array.from({ length: toAgent.length }, (_, n) => audio(1000 - toAgent.length + n)),
    );

    world.agents[1]!.terminate();
    await until(() => messages.filter((text) => text === link('reconnecting')).length === 2, 'what the page is told');
    const closed = once(page, 'close');
    for (let n = 0; n < 6; n++) page.send('x'.repeat(200_000));
    assert.is((await closed)[0], 1013);
  }));

test('a page that comes back gets what its agent says once its microphone is on, or after a second', () =>
  withAgentWorld(async (world) => {
    for (const hasMicrophone of [true, false]) {
      const { session, page: first } = await connected(world);
      first.terminate();
      await until(() => world.agentSessions.statistics.connected === 0, 'the link is gone');
      const page = open(session, `job-${world.begun.length}`);
      const messages = messagesOf(page);
      await once(page, 'open');
      const agent = world.agents.at(-1)!;
      const heard: string[] = [];
      agent.on('message', (data) => heard.push((data as Buffer).toString()));
      agent.send('as I was saying');
      page.send('{"event":"start"}');
      page.ping();
      await once(page, 'pong');
      await until(() => heard.length === 1, 'the agent hears the page meanwhile');
      world.clock.advance(900);
      assert.equal(messages, []);
      if (hasMicrophone) page.send('{"event":"media","media":{"payload":"AAAA"}}');
      else world.clock.advance(100);
      await until(() => messages.length === 1, 'the agent');
      assert.equal(messages, ['as I was saying']);
      page.terminate();
      await until(() => world.agentSessions.statistics.connected === 0, 'the link is gone');
    }
  }));

test('a conversation that the platform knows no more is over', () =>
  withAgentWorld(async (world) => {
    const { session, page } = await connected(world);
    page.terminate();
    await until(() => world.agentSessions.statistics.connected === 0, 'the link is gone');
    world.script.refuseAgents = 404;
    assert.is((await refusal(open(session))).status, 404);
    delete world.script.refuseAgents;
    assert.is((await world.begin(session)).status, 409);
    assert.is((await refusal(open(session))).status, 409);
  }));

test('a broken link may be made again with the same token, a conversation that is over may not', () =>
  withAgentWorld(async (world) => {
    const { session, page } = await connected(world);
    page.terminate();
    await until(() => world.agentSessions.statistics.connected === 0, 'the link is gone');
    const again = await world.begin(session);
    assert.equal(await again.json(), { success: true, data: { jobId: 'job-1' } });
    const second = open(session);
    await once(second, 'open');
    assert.is(world.agents.length, 2);
    second.close(1000);
    await once(second, 'close');
    await until(() => world.agentSessions.statistics.connected === 0, 'the conversation is over');
    const { status, body } = await refusal(open(session));
    assert.is(status, 409);
    assert.match(body, 'ERR_WRONG_STATE');
  }));

test('a newer connection takes the place of an older one', () =>
  withAgentWorld(async (world) => {
    const { session, page, agent } = await connected(world);
    const ends = [once(page, 'close'), once(agent, 'close')];
    const newer = open(session);
    await once(newer, 'open');
    const [[pageCode], [agentCode]] = (await Promise.all(ends)) as [[number], [number]];
    assert.equal([pageCode, agentCode], [4409, 1006]);
    newer.send('still here');
    assert.is(String((await once(world.agents[1]!, 'message'))[0]), 'still here');
    assert.is(world.agentSessions.statistics.connected, 1);
    newer.terminate();
  }));

test('refuses tokens, conversations and origins that are not those of the session', () =>
  withAgentWorld(async (world) => {
    const session = await world.issued({ origins: ['https://shop.example'] });
    assert.is((await refusal(open(session))).status, 403, 'nothing is begun');
    await world.begin(session);
    assert.is((await refusal(open(session, 'job-2'))).status, 403);
    assert.is((await refusal(open(session, '%E0%A4%A'))).status, 403);
    assert.is((await refusal(open({ ...session, token: 'hgs_x' }))).status, 401);
    assert.is((await refusal(open({ ...session, token: TOKEN }))).status, 401);
    assert.is((await refusal(open(session, 'job-1', { origin: 'https://evil.example' }))).status, 401);
    assert.is((await refusal(open(await world.issued(), 'job-1'))).status, 403);
    assert.is(world.agents.length, 0, 'the platform is not asked');
    const page = open(session, 'job-1', { origin: 'https://shop.example' });
    await once(page, 'open');
    page.terminate();
  }));

test('survives upgrades whose target is no URL', () =>
  withAgentWorld(async (world) => {
    const { hostname, port } = new URL(world.url);
    for (const target of ['//', 'http://[', '/v1/agent/stream/', '/v1/agent/stream/a%ff?api_key=%ff', '?', '*']) {
      const socket = connect(Number(port), hostname);
      socket.end(
        `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
      );
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.match(String(answer), /^HTTP\/1\.1 4\d\d /, target);
      socket.destroy();
    }
  }));

test('a page whose session is revoked is closed, and the agent is told goodbye', () =>
  withAgentWorld(async (world) => {
    const { session, page, agent } = await connected(world);
    const ends = [once(page, 'close'), once(agent, 'close')];
    await fetch(`${world.url}/v1/agent-sessions/${session.id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    const [[pageCode], [agentCode]] = (await Promise.all(ends)) as [[number], [number]];
    assert.equal([pageCode, agentCode], [4001, 1000]);
    assert.is((await refusal(open(session))).status, 401);
  }));

test('a conversation ends with its longest time', () =>
  withAgentWorld(async (world) => {
    const { page, agent } = await connected(world);
    const ends = [once(page, 'close'), once(agent, 'close')];
    for (let pings = 0; pings < 9; pings++) {
      const pinged = [once(page, 'ping'), once(agent, 'ping')];
      world.clock.advance(5_000);
      await Promise.all(pinged);
      await answered(page, agent);
    }
    assert.is(page.readyState, WebSocket.OPEN);
    world.clock.advance(5_000);
    const [[pageCode], [agentCode]] = (await Promise.all(ends)) as [[number], [number]];
    assert.equal([pageCode, agentCode], [4408, 1000]);
  }));

test('a page that answers no pings for twenty seconds is given up, and so is the link to its agent', () =>
  withAgentWorld(async (world) => {
    const session = await world.issued();
    await world.begin(session);
    const page = open(session, 'job-1', { autoPong: false });
    await once(page, 'open');
    const agent = world.agents[0]!;
    const closed = once(agent, 'close');
    for (let pings = 0; pings < 4; pings++) {
      const pinged = once(agent, 'ping');
      world.clock.advance(5_000);
      await pinged;
      await answered(page, agent);
    }
    assert.is(agent.readyState, WebSocket.OPEN);
    world.clock.advance(5_000);
    assert.is((await closed)[0], 1006);
  }));

test('an agent that answers no pings for ten seconds is called again', () =>
  withAgentWorld(async (world) => {
    const { page, agent } = await connected(world);
    const messages = messagesOf(page);
    agent.pause();
    for (let pings = 0; pings < 3; pings++) {
      const pinged = once(page, 'ping');
      world.clock.advance(5_000);
      await pinged;
    }
    await until(() => messages.length === 1, 'what the page is told');
    assert.equal(messages, [link('reconnecting')]);
    await untilAgent(world, 2);
    await until(() => messages.length === 2, 'the agent is back');
    page.terminate();
    agent.terminate();
  }));

test('a page that is too slow is closed with 1013 and holds no more than eight megabytes', () =>
  withAgentWorld(async (world) => {
    const { page, agent } = await connected(world);
    page.pause();
    const ended = once(agent, 'close');
    const message = 'x'.repeat(1 << 20);
    for (let n = 0; n < 100 && agent.readyState === WebSocket.OPEN; n++) {
      await new Promise<void>((resolve) => agent.send(message, () => resolve()));
    }
    await ended;
    assert.is(world.agentSessions.statistics.tooSlow, 1);
    const closed = once(page, 'close');
    page.resume();
    assert.is((await closed)[0], 1013);
  }));

test('an agent that is too slow is given up, and the page told so', () =>
  withAgentWorld(async (world) => {
    const { page, agent } = await connected(world);
    agent.pause();
    const closed = once(page, 'close');
    const message = 'x'.repeat(1 << 18);
    for (let n = 0; n < 100 && page.readyState === WebSocket.OPEN; n++) {
      await new Promise<void>((resolve) => page.send(message, () => resolve()));
    }
    const [code, reason] = (await closed) as [number, Buffer];
    assert.equal([code, String(reason)], [1013, 'the agent is too slow']);
  }));

test('a page that sends too much at once is closed', () =>
  withAgentWorld(async (world) => {
    const { page } = await connected(world);
    const closed = once(page, 'close');
    page.send('x'.repeat((1 << 20) + 1));
    assert.is((await closed)[0], 1009);
  }));

test('an agent that can not be reached is an error of the gateway, and its quota slot is given back', () =>
  withAgentWorld(async (world) => {
    const session = await world.issued();
    await world.begin(session);
    world.script.refuseAgents = 503;
    const { status, body } = await refusal(open(session));
    assert.is(status, 502);
    assert.match(body, 'ERR_PLATFORM_UNAVAILABLE');
    assert.not.ok(body.includes(KEY));
    assert.equal(world.script.slots, ['acquired', 'sent', 'failed']);
    delete world.script.refuseAgents;
    const page = open(session);
    await once(page, 'open');
    page.terminate();
  }));

test.run();
