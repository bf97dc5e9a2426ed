import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FixedWindow } from '../../src/local-platform/fixed-window.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { KEY, withPlatform } from './platform.ts';
import { SocketClient } from './socket-client.ts';

const test = suite('rate limit');
/** A whole minute, 20 s later. */
const START_MS = 1_700_000_040_000;
const NOW_MS = START_MS + 20_000;

test('allows as many requests in a window as its limit and starts anew with the next window', () => {
  const window = new FixedWindow(2);
  const resetAtMs = START_MS + 60_000;
  assert.equal(window.take(NOW_MS), { allowed: true, limit: 2, remaining: 1, resetAtMs });
  assert.equal(window.take(NOW_MS + 1), { allowed: true, limit: 2, remaining: 0, resetAtMs });
  assert.equal(window.take(resetAtMs - 1), { allowed: false, limit: 2, remaining: 0, resetAtMs });
  assert.equal(window.take(resetAtMs), { allowed: true, limit: 2, remaining: 1, resetAtMs: resetAtMs + 60_000 });
});

test('allows nothing with a limit of 0 and refuses one that is no number of requests', () => {
  assert.is(new FixedWindow(0).take(NOW_MS).allowed, false);
  for (const limit of [-1, 0.5, Number.NaN]) assert.throws(() => new FixedWindow(limit), /Expected a whole number/);
});

test('allows 100 realtime requests a minute over HTTP, refuses more with 429 until the minute is over', async () => {
  const clock = new FakeClock(NOW_MS);
  await withPlatform(
    async ({ post }) => {
      const request = (): Promise<Response> => post('/v1/realtime/stt', { audioList: [0] });
      const first = await request();
      assert.is(first.status, 200);
      assert.is(first.headers.get('x-ratelimit-limit'), '100');
      assert.is(first.headers.get('x-ratelimit-remaining'), '99');
      assert.is(first.headers.get('x-ratelimit-reset'), String((START_MS + 60_000) / 1000));
      assert.is(first.headers.get('retry-after'), null);
      for (let i = 2; i <= 99; i++) await (await request()).body?.cancel();
      assert.is((await request()).headers.get('x-ratelimit-remaining'), '0');

      const refused = await request();
      assert.is(refused.status, 429);
      assert.is(refused.headers.get('retry-after'), '40');
      assert.is(refused.headers.get('x-ratelimit-remaining'), '0');
      const { success, error } = (await refused.json()) as { success: boolean; error: { code: string } };
      assert.is(success, false);
      assert.is(error.code, '10429');

      clock.advance(40_000);
      assert.is((await request()).status, 200);
    },
    { clock },
  );
});

test('counts connections, messages and HTTP requests together', async () => {
  const clock = new FakeClock(NOW_MS);
  await withPlatform(
    async ({ url, post }) => {
      const client = await SocketClient.greeted(url);
      const other = await SocketClient.greeted(url);
      assert.is(await client.transcribe({ audioList: [0] }), '');
      const third = await post('/v1/realtime/stt', { audioList: [0] });
      assert.is(third.headers.get('x-ratelimit-remaining'), '1');
      assert.is(await other.errorFor('x'), 'Invalid message format');

      assert.match(await client.errorFor('x'), /^Rate limit/);
      assert.match(await other.errorFor('x'), /^Rate limit/);
      const refused = await SocketClient.refused(url);
      assert.is(refused.status, 429);
      assert.is(refused.headers['retry-after'], '40');
      assert.is(refused.headers['x-ratelimit-remaining'], '0');
      assert.is((JSON.parse(refused.body) as { error: { code: string } }).error.code, '10429');

      clock.advance(40_000);
      assert.is(await client.transcribe({ audioList: [0] }), '');
      await client.close();
      await other.close();
    },
    { clock, realtimeQuota: 5 },
  );
});

test('tells what is left in the answer to the handshake', () =>
  withPlatform(async ({ url }) => {
    const { WebSocket } = await import('ws');
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/realtime/ws`, { headers: { 'X-Api-Key': KEY } });
    const headers = await new Promise<NodeJS.Dict<string | string[]>>((resolve) =>
      socket.once('upgrade', (response) => resolve(response.headers)),
    );
    assert.is(headers['x-ratelimit-limit'], '100');
    assert.is(headers['x-ratelimit-remaining'], '99');
    socket.terminate();
  }));

test('spends nothing on requests without the key, to control routes or to unknown ones', () =>
  withPlatform(
    async ({ url, post }) => {
      const answers = [
        await fetch(`${url}/v1/realtime/stt`, { method: 'POST' }),
        await post('/v1/nothing', {}),
        await fetch(`${url}/__control/faults`, { headers: { 'x-api-key': KEY } }),
      ];
      assert.equal(
        answers.map(({ status }) => status),
        [401, 404, 200],
      );
      await (await SocketClient.connect(url, { headers: {} })).closed;
      assert.is((await post('/v1/realtime/stt', { audioList: [0] })).headers.get('x-ratelimit-remaining'), '0');
    },
    { realtimeQuota: 1 },
  ));

test.run();
