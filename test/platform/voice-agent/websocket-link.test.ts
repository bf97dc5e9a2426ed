import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type WebSocket, WebSocketServer } from 'ws';
import type { GatewayError } from '../../../src/core/errors.ts';
import type { AgentLink, AgentLinkHandlers } from '../../../src/platform/voice-agent/agent-link.ts';
import { webSocketLinks } from '../../../src/platform/voice-agent/websocket-link.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { until } from '../../support/until.ts';

interface World {
  readonly clock: FakeClock;
  readonly link: AgentLink;
  readonly socket: WebSocket;
  readonly paths: readonly string[];
  /** What `onClosed` was told, and the round trips. */
  readonly closed: (GatewayError | undefined)[];
  readonly roundTrips: number[];
}

async function withLink(jobId: string, autoPong: boolean, use: (world: World) => Promise<void>): Promise<void> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong });
  await once(server, 'listening');
  const clock = new FakeClock();
  const closed: (GatewayError | undefined)[] = [];
  const roundTrips: number[] = [];
  const paths: string[] = [];
  const sockets: WebSocket[] = [];
  server.on('connection', (socket, request) => {
    sockets.push(socket);
    paths.push(request.url ?? '');
  });
  const ignore = (): void => {};
  const handlers: AgentLinkHandlers = {
    onAudio: ignore,
    onClear: ignore,
    onMark: ignore,
    onTranscription: ignore,
    onAnswer: ignore,
    onInfo: ignore,
    onTools: ignore,
    onCustom: ignore,
    onBadFrame: ignore,
    onRoundTrip: (ms) => roundTrips.push(ms),
    onClosed: (error) => closed.push(error),
  };
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/stream/`;
  const open = webSocketLinks({ url, apiKey: 'key of/the&link', clock });
  const link = await open(jobId, handlers, new AbortController().signal);
  try {
    await until(() => sockets.length === 1, 'the connection');
    await use({ clock, link, socket: sockets[0]!, paths, closed, roundTrips });
  } finally {
    link.drop();
    for (const socket of server.clients) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  }
}

const test = suite('link to an agent over a WebSocket');

test('encodes the job id into the path, and the key into the query', () =>
  withLink('../a b?x', true, async ({ paths }) => {
    assert.equal(paths, ['/stream/..%2Fa%20b%3Fx?api_key=key+of%2Fthe%26link']);
  }));

test('measures the round trip at once and every four seconds', () =>
  withLink('job', true, async ({ clock, roundTrips }) => {
    await until(() => roundTrips.length === 1, 'the first measurement');
    clock.advance(4000);
    await until(() => roundTrips.length === 2, 'the second');
  }));

test('gives up a peer of whom nothing is heard for ten seconds', () =>
  withLink('job', false, async ({ clock, closed, roundTrips }) => {
    clock.advance(8000);
    assert.equal(closed, []);
    clock.advance(4000);
    await until(() => closed.length === 1, 'the end');
    assert.is(closed[0]?.code, 'ERR_PLATFORM_UNAVAILABLE');
    assert.equal(roundTrips, []);
  }));

test('a peer that talks is alive, even if it does not answer pings', () =>
  withLink('job', false, async ({ clock, link, socket, closed }) => {
    for (let i = 0; i < 6; i++) {
      const before = link.bytesReceived;
      socket.send('{"event":"clear"}');
      await until(() => link.bytesReceived > before, 'the message');
      clock.advance(4000);
    }
    assert.equal(closed, []);
  }));

test('tells a goodbye from a failure, and nothing of an end of its own', async () => {
  await withLink('job', true, async ({ socket, closed }) => {
    socket.close(1000);
    await until(() => closed.length === 1, 'the goodbye');
    assert.equal(closed, [undefined]);
  });
  await withLink('job', true, async ({ socket, closed }) => {
    socket.close(4003, 'no funds');
    await until(() => closed.length === 1, 'the failure');
    assert.is(closed[0]?.code, 'ERR_PLATFORM_WALLET');
  });
  await withLink('job', true, async ({ link, socket, closed }) => {
    link.end();
    await once(socket, 'close');
    assert.equal(closed, []);
  });
});

test.run();
