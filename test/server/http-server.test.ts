import { once } from 'node:events';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { CallRegistry } from '../../src/call/registry.ts';
import { EventBus } from '../../src/core/events.ts';
import { HttpServer } from '../../src/server/http-server.ts';
import { FakeClock } from '../support/fake-clock.ts';

const test = suite('http server');
const TOKEN = 'gateway-token-for-tests';

interface Running {
  readonly url: string;
  readonly server: HttpServer;
  readonly events: EventBus;
  readonly notReady: string[];
}

async function withServer(token: string | undefined, use: (running: Running) => Promise<void>): Promise<void> {
  const events = new EventBus(new FakeClock());
  const notReady: string[] = [];
  const server = new HttpServer({
    address: { host: '127.0.0.1', port: 0 },
    token,
    logger: pino({ level: 'silent' }),
    calls: new CallRegistry(),
    events,
    metrics: new Registry(),
    readiness: () => ({ notReady, degraded: true }),
    quota: () => ({ limit: 100, used: 3 }),
  });
  const url = await server.listen();
  try {
    await use({ url, server, events, notReady });
  } finally {
    await server.close();
  }
}

async function code(response: Response): Promise<string> {
  return ((await response.json()) as { error: { code: string } }).error.code;
}

test('is ready while the platform is failing, and not ready with the reasons', () =>
  withServer(TOKEN, async ({ url, notReady }) => {
    const ready = await fetch(`${url}/health/ready`);
    assert.is(ready.status, 200);
    assert.equal(await ready.json(), { ready: true, degraded: true, reasons: [] });
    notReady.push('draining');
    const draining = await fetch(`${url}/health/ready`);
    assert.is(draining.status, 503);
    assert.equal(((await draining.json()) as { reasons: string[] }).reasons, ['draining']);
    assert.is((await fetch(`${url}/health/live`)).status, 200);
  }));

test('asks for the bearer token on everything but health', () =>
  withServer(TOKEN, async ({ url }) => {
    for (const path of ['/metrics', '/v1/calls', '/v1/calls/x', '/v1/quota', '/nowhere']) {
      const response = await fetch(url + path);
      assert.is(response.status, 401, path);
      assert.is(await code(response), 'ERR_UNAUTHORIZED');
    }
    const wrong = await fetch(`${url}/v1/calls`, { headers: { authorization: 'Bearer wrong' } });
    assert.is(wrong.status, 401);
    assert.is((await fetch(`${url}/v1/calls?token=${TOKEN}`)).status, 401, 'a token in the query');
    const right = await fetch(`${url}/v1/calls`, { headers: { authorization: `Bearer ${TOKEN}` } });
    assert.equal(await right.json(), { calls: [] });
  }));

test('without a token lets only this machine in, by Host and Origin', () =>
  withServer(undefined, async ({ url }) => {
    assert.is((await fetch(`${url}/v1/calls`)).status, 200);
    assert.is((await fetch(`${url}/v1/calls`, { headers: { origin: 'http://localhost:3000' } })).status, 200);
    assert.is((await fetch(`${url}/v1/calls`, { headers: { origin: 'https://evil.example' } })).status, 401);
    assert.is((await fetch(`${url}/v1/calls`, { headers: { origin: 'null' } })).status, 401);
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/events`, { headers: { host: 'evil.example' } });
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }];
    assert.is(response.statusCode, 401);
    socket.on('error', () => {});
    socket.terminate();
  }));

test('answers unknown routes 404, unknown calls 404, later routes 501 and bad JSON 400', () =>
  withServer(undefined, async ({ url }) => {
    assert.is(await code(await fetch(`${url}/nowhere`)), 'ERR_NOT_FOUND');
    assert.is(await code(await fetch(`${url}/v1/calls/x`)), 'ERR_NOT_FOUND');
    assert.equal(await (await fetch(`${url}/v1/quota`)).json(), { limit: 100, used: 3 });
    const later = await fetch(`${url}/v1/webhooks/dead-letters`);
    assert.is(later.status, 501);
    assert.is(await code(later), 'ERR_NOT_BUILT');
    const bad = await fetch(`${url}/v1/calls`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{',
    });
    assert.is(bad.status, 400);
    assert.is(await code(bad), 'ERR_BAD_REQUEST');
  }));

test('sends every event to every reader, with the token by header or by subprotocol', () =>
  withServer(TOKEN, async ({ url, events, server }) => {
    const address = `${url.replace('http', 'ws')}/v1/events`;
    const byHeader = new WebSocket(address, { headers: { authorization: `Bearer ${TOKEN}` } });
    const byProtocol = new WebSocket(address, ['hamsa-gateway', `token.${TOKEN}`]);
    await Promise.all([once(byHeader, 'open'), once(byProtocol, 'open')]);
    assert.is(byProtocol.protocol, 'hamsa-gateway', 'the token is not echoed');
    assert.is(server.eventReaders, 2);
    const received = Promise.all([once(byHeader, 'message'), once(byProtocol, 'message')]);
    events.emit('platform.event', null, { event: { a: 1 } });
    for (const [data] of await received) {
      assert.equal(JSON.parse(String(data)), {
        type: 'platform.event',
        at: '2023-11-14T22:13:20.000Z',
        callId: null,
        event: { a: 1 },
      });
    }
    const refused = new WebSocket(address, ['hamsa-gateway', 'token.wrong']);
    const [, response] = (await once(refused, 'unexpected-response')) as [unknown, { statusCode: number }];
    assert.is(response.statusCode, 401);
    refused.on('error', () => {});
    for (const socket of [byHeader, byProtocol, refused]) socket.terminate();
  }));

test('answers a command with a result that carries its id', () =>
  withServer(undefined, async ({ url }) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/events`);
    await once(socket, 'open');
    for (const [message, id, expected] of [
      ['{"id":8,"type":"hold","callId":"x"}', 8, 'ERR_NOT_BUILT'],
      ['{"id":7,"type":"speak","callId":"x"}', 7, 'ERR_NOT_FOUND'],
      ['{"id":"a","type":"dance"}', 'a', 'ERR_BAD_REQUEST'],
      ['not json', null, 'ERR_BAD_REQUEST'],
      ['null', null, 'ERR_BAD_REQUEST'],
    ] as const) {
      socket.send(message);
      const [data] = (await once(socket, 'message')) as [Buffer];
      const result = JSON.parse(String(data)) as { type: string; id: unknown; ok: boolean; error: { code: string } };
      assert.is(result.type, 'result');
      assert.is(result.id, id);
      assert.is(result.ok, false);
      assert.is(result.error.code, expected);
    }
    socket.terminate();
  }));

test('closes a reader that falls behind with 1013', () =>
  withServer(undefined, async ({ url, events }) => {
    const slow = new WebSocket(`${url.replace('http', 'ws')}/v1/events`);
    await once(slow, 'open');
    const closed = once(slow, 'close');
    slow.pause();
    const event = 'x'.repeat(1 << 20);
    for (let i = 0; i < 40; i++) {
      events.emit('platform.event', null, { event });
      await new Promise((resolve) => setImmediate(resolve));
    }
    slow.resume();
    assert.is((await closed)[0], 1013);
  }));

test.run();
