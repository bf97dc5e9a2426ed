import { createServer, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GatewayError } from '../../../src/core/errors.ts';
import type { PlatformError } from '../../../src/platform/platform-errors.ts';
import type { HamsaClient } from '../../../src/platform/rest/hamsa-client.ts';
import { makeRandom, pickSeed } from '../../audio/prng.ts';
import { rejection, until } from '../../support/until.ts';
import { data, type Handler, KEY, reply, ScriptedApi } from './scripted-api.ts';

interface World {
  api: ScriptedApi;
  client: HamsaClient;
}

const test = suite<World>('bad answers');
test.before.each(async (world) => {
  world.api = await ScriptedApi.start();
  world.client = world.api.client({ maxAttempts: 1, breaker: { failures: 1_000_000 } });
});
test.after.each(({ api }) => api.close());

async function failure(client: HamsaClient): Promise<PlatformError> {
  return (await rejection(client.voiceAgents.get('a'))) as PlatformError;
}

test('every shape of a refusal becomes the error of its family, with its fields', async ({ api, client }) => {
  const shapes: [Handler, string, Partial<PlatformError>][] = [
    [
      reply(401, { success: false, error: { code: 10403, message: 'Invalid API key', details: { a: 1 } } }),
      'AuthenticationError',
      { status: 401, joinedCode: 10403, part: 10, details: { a: 1 }, retryable: false },
    ],
    [
      reply(403, { success: false, error: { code: '10403', message: 'Missing API key' } }),
      'AuthenticationError',
      { status: 403, joinedCode: 10403 },
    ],
    [reply(403, { code: 10403, message: 'Not in your plan' }), 'PermissionError', { status: 403, part: 10 }],
    [reply(404, { code: '10404', message: 'gone' }), 'NotFoundError', { status: 404, joinedCode: 10404 }],
    [reply(400, { error: { code: 'ERROR_CODE', message: 'bad' } }), 'ValidationError', { reason: 'ERROR_CODE' }],
    [reply(422, { message: ['a is missing', 'b is missing'] }), 'ValidationError', { status: 422, part: undefined }],
    [
      reply(429, { error: 'Too many requests' }, { 'retry-after': '3' }),
      'RateLimitError',
      { retryAfterMs: 3000, retryable: true, status: 429 },
    ],
    [reply(429, { message: 'Usage limit exceeded' }), 'WalletError', { retryable: false }],
    [reply(402, ''), 'WalletError', {}],
    [reply(500, 'Internal error', { 'x-request-id': 'r-1' }), 'ServerError', { status: 500, requestId: 'r-1' }],
    [reply(503, '<html>nginx</html>', { 'content-type': 'text/html' }), 'ServerError', { retryable: true }],
    [reply(504, ''), 'TimeoutError', { status: 504 }],
    [
      reply(200, { success: false, error: { code: '10404', message: 'gone' } }),
      'NotFoundError',
      { status: 404, part: 10 },
    ],
    [reply(200, { success: false, message: 'Insufficient funds' }), 'WalletError', {}],
    [reply(200, { success: false, data: { id: 'a' } }), 'ProtocolError', {}],
    [reply(200, { code: 10429, message: 'slow down' }), 'RateLimitError', { status: 429 }],
    [reply(200, { code: 'ERROR_CODE', message: 'bad' }), 'ProtocolError', { reason: 'ERROR_CODE' }],
    [reply(200, { error: { message: 'Invalid API key' } }), 'AuthenticationError', {}],
    [reply(200, { error: 'Invalid payload' }), 'ValidationError', {}],
    [({ response }) => response.end('Rate limit exceeded'), 'RateLimitError', {}],
    [reply(302, '', { location: 'https://elsewhere.example/' }), 'ProtocolError', { status: 302 }],
    [({ response }) => response.destroy(), 'NetworkError', { status: undefined, retryable: true }],
  ];
  for (const [handler, name, fields] of shapes) {
    api.script = [handler];
    const error = await failure(client);
    assert.is(error.name, name, error.message);
    for (const [field, value] of Object.entries(fields)) {
      assert.equal(error[field as keyof PlatformError], value, `${name}.${field}: ${error.message}`);
    }
  }
});

test('what is not an answer is a broken protocol', async ({ api, client }) => {
  const answers: Record<string, Handler> = {
    'broken JSON': reply(200, '{"success":true,"data":{"id":'),
    'broken JSON, unlabelled': ({ response }) => response.end('{"id":'),
    'a page': reply(200, '<!doctype html><p>Log in', { 'content-type': 'text/html' }),
    nothing: reply(200, ''),
    null: reply(200, 'null'),
    'a number': reply(200, '17'),
    'a list': data(['a']),
    'no id': data({ name: 'A' }),
    'an id that is none': data({ id: { $oid: 'a' } }),
    'a name that is none': data({ id: 'a', name: 5 }),
  };
  for (const [what, handler] of Object.entries(answers)) {
    api.script = [handler];
    const error = await failure(client);
    assert.is(error.code, 'ERR_PLATFORM_PROTOCOL', `${what}: ${error.message}`);
    assert.ok(error.message.length < 400, what);
  }
});

test('a compressed answer is refused unread, though nobody asked for one', async ({ api, client }) => {
  const bomb = gzipSync(Buffer.alloc(1_048_576, ' '));
  api.script = [({ response }) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)];
  assert.match((await failure(client)).message, "encoded as 'gzip'");
  assert.match((await rejection(client.realtime.tts({ text: 'a' }))).message, "encoded as 'gzip'");
});

test('a redirect is not followed, and the key goes nowhere else', async ({ api, client }) => {
  const other = await ScriptedApi.start();
  for (const status of [301, 302, 303, 307, 308]) {
    api.script = [reply(status, '', { location: `${other.url}/stolen` })];
    assert.is((await failure(client)).status, status);
    assert.is(((await rejection(client.realtime.ttsStream({ text: 'a' }))) as PlatformError).status, status);
  }
  assert.is(other.seen.length, 0);
  await other.close();
});

const GIBIBYTE = 1_073_741_824;

/** Answers a gigabyte for as long as somebody reads; `progress` tells what was taken until the connection closed. */
function flood(status: number, headers: Record<string, string> = {}): { handler: Handler; progress: Progress } {
  const chunk = Buffer.alloc(65_536, ' ');
  const progress = { bytes: 0, isClosed: false };
  const handler: Handler = ({ response }) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.on('close', () => {
      progress.isClosed = true;
    });
    const write = (): void => {
      while (!response.destroyed && progress.bytes < GIBIBYTE) {
        progress.bytes += chunk.length;
        if (!response.write(chunk)) break;
      }
    };
    response.on('drain', write);
    write();
  };
  return { handler, progress };
}

interface Progress {
  readonly bytes: number;
  readonly isClosed: boolean;
}

test('a gigabyte is cut off at 16 MiB, with a length and without', async ({ api, client }) => {
  for (const headers of [undefined, { 'content-length': String(GIBIBYTE) }]) {
    const { handler, progress } = flood(200, headers);
    api.script = [handler];
    const before = process.memoryUsage.rss();
    const error = await failure(client);
    assert.is(error.code, 'ERR_PLATFORM_OVERSIZE');
    assert.not.ok(error.retryable);
    await until(() => progress.isClosed, 'the connection to be closed');
    assert.ok(progress.bytes < 64 * 1_048_576, `${progress.bytes} bytes were taken`);
    assert.ok(process.memoryUsage.rss() - before < 256 * 1_048_576);
  }
});

test('a refusal of a gigabyte is still that refusal', async ({ api, client }) => {
  const { handler, progress } = flood(404);
  api.script = [handler];
  assert.is((await failure(client)).name, 'NotFoundError');
  await until(() => progress.isClosed, 'the connection to be closed');
  assert.ok(progress.bytes < 16 * 1_048_576, `${progress.bytes} bytes were taken`);
});

test('a body that is shorter than promised is no answer', async ({ api, client }) => {
  api.script = [
    ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{"id":"a"}');
      setImmediate(() => response.destroy());
    },
  ];
  assert.is((await failure(client)).name, 'NetworkError');
});

/** A server that speaks no HTTP at all. */
async function rawServer(onSocket: (socket: Socket) => void): Promise<{ server: Server; url: string }> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as { port: number }).port}` };
}

test('what is not HTTP, and any random bytes, are typed errors and never a hang', async ({ api }) => {
  const seed = pickSeed();
  const random = makeRandom(seed);
  const pieces = [
    'HTTP/1.1 200 OK\r\n',
    'content-length: 5\r\n',
    'transfer-encoding: chunked\r\n',
    '\r\n',
    '{"id":"a"}',
    'zz',
  ];
  const fixed = [
    'SSH-2.0-OpenSSH\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n',
    `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`,
    'HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nab',
    '\0\0\0',
    '',
  ];
  const made = Array.from({ length: 40 }, () =>
    Array.from({ length: 1 + Math.floor(random() * 6) }, () => pieces[Math.floor(random() * pieces.length)]).join(''),
  );
  for (const bytes of [...fixed, ...made]) {
    const { server, url } = await rawServer((socket) => {
      socket.once('data', () => socket.end(bytes));
    });
    const client = api.client({ baseUrl: url, maxAttempts: 1, attemptTimeoutMs: 5_000 });
    const outcome = await client.voiceAgents.get('a').then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (outcome !== undefined) assert.instance(outcome, GatewayError, `seed ${seed}: ${JSON.stringify(bytes)}`);
    await client.close();
    await new Promise((resolve) => server.close(resolve));
  }
});

test('random JSON is an agent or a typed error', async ({ api, client }) => {
  const seed = pickSeed();
  const random = makeRandom(seed);
  const keys = ['success', 'data', 'id', 'error', 'code', 'message', 'items', '__proto__'];
  const make = (depth: number): unknown => {
    const kind = Math.floor(random() * (depth > 3 ? 5 : 7));
    if (kind < 5) return [null, true, false, 10_404, 'text'][kind];
    const length = Math.floor(random() * 4);
    if (kind === 5) return Array.from({ length }, () => make(depth + 1));
    return Object.fromEntries(
      Array.from({ length }, () => [keys[Math.floor(random() * keys.length)], make(depth + 1)]),
    );
  };
  for (let i = 0; i < 300; i++) {
    const body = JSON.stringify(make(0));
    api.script = [reply(random() < 0.7 ? 200 : 400 + Math.floor(random() * 130), body)];
    for (const call of [client.voiceAgents.get('a'), client.jobs.list(), client.campaigns.pause('c')]) {
      const outcome = await call.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (outcome !== undefined) assert.instance(outcome, GatewayError, `seed ${seed}: ${body}`);
    }
  }
});

test('deep and wide JSON is survived', async ({ api, client }) => {
  for (const body of [
    '['.repeat(1_000_000) + ']'.repeat(1_000_000),
    `${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}`,
  ]) {
    api.script = [reply(200, body)];
    assert.instance(await failure(client), GatewayError);
    api.script = [reply(400, body)];
    assert.instance(await failure(client), GatewayError);
  }
});

test('neither an error nor what it carries holds the key, though the platform echoes it', async ({ api, client }) => {
  const handlers = [
    reply(400, { error: { code: KEY, message: `bad header Token ${KEY}`, details: { headers: { key: KEY } } } }),
    reply(401, `Authorization: Token ${KEY}`, { 'content-type': 'text/plain', 'x-request-id': KEY }),
    reply(200, `{"id": "${KEY}`),
  ];
  for (const handler of handlers) {
    api.script = [handler];
    const error = await failure(client);
    const all = JSON.stringify([error, error.message, error.stack, error.cause]);
    assert.not.match(all, KEY);
  }
});

test('a base URL is HTTPS, or on this machine, or allowed', async ({ api }) => {
  const refused = [
    'http://api.example.com',
    'ftp://127.0.0.1',
    'https://user:sk_live_secret_word@api.example.com',
    'https://api.example.com?key=sk_live_secret_word',
    'not a url',
  ];
  for (const baseUrl of refused) {
    let thrown: unknown;
    try {
      await api.client({ baseUrl }).close();
    } catch (error) {
      thrown = error;
    }
    assert.is((thrown as GatewayError).code, 'ERR_SETTINGS_INVALID', baseUrl);
    assert.not.match((thrown as GatewayError).message, 'secret');
  }
  for (const baseUrl of ['https://api.example.com', 'http://localhost:1', 'http://[::1]:1', 'http://127.8.9.1']) {
    await api.client({ baseUrl }).close();
  }
  await api.client({ baseUrl: 'http://api.example.com', allowInsecure: true }).close();
});

test('keys and headers that could break out of their line are misuse', ({ api }) => {
  for (const options of [
    { apiKey: 'a\r\nx: y' },
    { apiKey: '' },
    { headers: { 'x-a': 'b\r\nc: d' } },
    { headers: { 'x a': 'b' } },
    { headers: { Authorization: 'Basic x' } },
  ]) {
    assert.throws(
      () => api.client(options),
      (thrown: unknown) => thrown instanceof TypeError,
      JSON.stringify(options),
    );
  }
});

test.run();
