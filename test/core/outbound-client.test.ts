import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/core/clock.ts';
import { OutboundClient, type OutboundClientOptions, type OutboundRequest } from '../../src/core/outbound-client.ts';
import type { GatewayError } from '../../src/core/errors.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { rejection, until } from '../support/until.ts';

interface World {
  server: Server;
  port: number;
  seen: IncomingMessage[];
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  clients: OutboundClient[];
  client: (options?: Partial<OutboundClientOptions>) => OutboundClient;
}

const test = suite<World>('outbound client');
test.before.each(async (world) => {
  world.seen = [];
  world.clients = [];
  world.answer = (_, response) => response.end('hello');
  world.server = createServer((request, response) => {
    world.seen.push(request);
    request.resume();
    world.answer(request, response);
  });
  await new Promise<void>((resolve) => world.server.listen(0, '127.0.0.1', resolve));
  world.port = (world.server.address() as AddressInfo).port;
  world.client = (options = {}) => {
    const client = new OutboundClient({ clock: systemClock, ...options });
    world.clients.push(client);
    return client;
  };
});
test.after.each(async ({ server, clients }) => {
  for (const client of clients) await client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function codeOf(client: OutboundClient, request: OutboundRequest): Promise<string> {
  const error = (await rejection(client.request(request))) as GatewayError;
  assert.not.match(error.message, request.url);
  return error.code;
}

test('calls nothing that is not of the web or leads to a private address, however it is written', async (world) => {
  const client = world.client();
  const { port } = world;
  for (const url of [
    `http://127.0.0.1:${port}/`,
    `http://localhost:${port}/`,
    `http://LOCALHOST:${port}/`,
    `http://2130706433:${port}/`,
    `http://0x7f.1:${port}/`,
    `http://0177.0.0.1:${port}/`,
    `http://127.1:${port}/`,
    `http://0:${port}/`,
    `http://[::1]:${port}/`,
    `http://[::ffff:127.0.0.1]:${port}/`,
    `http://[::ffff:7f00:1]:${port}/`,
    'http://169.254.169.254/latest/meta-data/',
    'http://[fd00:ec2::254]/',
    'http://10.0.0.1/',
    'file:///etc/passwd',
    'ftp://8.8.8.8/',
    'data:text/plain,hello',
    'http://user:password@example.com/',
    'nonsense',
  ]) {
    assert.is(await codeOf(client, { url }), 'ERR_URL_REFUSED', url);
  }
  assert.is(world.seen.length, 0);
});

test('a name is refused for any private address among its own, and resolved once for each connection', async (world) => {
  let resolved = 0;
  const addresses = [
    { address: '8.8.8.8', family: 4 },
    { address: '127.0.0.1', family: 4 },
  ];
  const client = world.client({
    resolve: async () => {
      resolved++;
      return addresses;
    },
  });
  assert.is(await codeOf(client, { url: `http://rebind.example:${world.port}/` }), 'ERR_URL_REFUSED');
  assert.is(resolved, 1);
  assert.is(world.seen.length, 0);
});

test('the connection goes to the address that was checked', async (world) => {
  let resolved = 0;
  const client = world.client({
    allowPrivate: true,
    // The second answer would lead elsewhere.
    resolve: async () => [{ address: resolved++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }],
  });
  const { status, body } = await client.request({ url: `http://name.example:${world.port}/path?a=1` });
  assert.is(status, 200);
  assert.is(Buffer.from(body).toString(), 'hello');
  assert.is(world.seen[0]?.headers.host, `name.example:${world.port}`);
  assert.is(world.seen[0]?.url, '/path?a=1');
  assert.is(resolved, 1);
});

test('a redirect is checked like the first URL, and takes no header to another origin', async (world) => {
  const { port } = world;
  const client = world.client({ allowPrivate: true });
  const headers = { authorization: 'Bearer secret', 'x-api-key': 'secret' };
  const redirect =
    (status: number, location: string): World['answer'] =>
    ({ url }, response) => {
      if (url === '/') response.writeHead(status, { location }).end();
      else response.end('there');
    };
  world.answer = redirect(302, '/there');
  await client.request({ url: `http://127.0.0.1:${port}/`, method: 'POST', body: 'x', headers });
  assert.equal([world.seen[1]?.method, world.seen[1]?.headers.authorization], ['GET', 'Bearer secret']);
  world.answer = redirect(307, `http://localhost:${port}/there`);
  await client.request({ url: `http://127.0.0.1:${port}/`, method: 'POST', body: 'x', headers });
  const last = world.seen.at(-1)!;
  assert.equal([last.method, last.headers.authorization, last.headers['x-api-key']], ['POST', undefined, undefined]);
  world.answer = redirect(302, 'file:///etc/passwd');
  assert.is(await codeOf(client, { url: `http://127.0.0.1:${port}/` }), 'ERR_URL_REFUSED');
  world.answer = (_, response) => response.writeHead(302, { location: '/again' }).end();
  const before = world.seen.length;
  assert.is(await codeOf(client, { url: `http://127.0.0.1:${port}/` }), 'ERR_URL_FAILED');
  assert.is(world.seen.length - before, 4);
  assert.is((await client.request({ url: `http://127.0.0.1:${port}/`, maxRedirects: 0 })).status, 302);
});

test('an answer is bounded in time and size, and can be given up', async (world) => {
  const clock = new FakeClock();
  const client = world.client({ allowPrivate: true, clock });
  const url = `http://127.0.0.1:${world.port}/`;
  world.answer = (_, response) => response.write('a');
  const slow = rejection(client.request({ url, timeoutMs: 500 }));
  await until(() => world.seen.length === 1, 'the request to come');
  clock.advance(500);
  assert.is(((await slow) as GatewayError).code, 'ERR_URL_FAILED');
  const gone = new AbortController();
  const aborted = rejection(client.request({ url, signal: gone.signal }));
  await until(() => world.seen.length === 2, 'the second request to come');
  gone.abort();
  assert.is(((await aborted) as GatewayError).code, 'ERR_ABORTED');
  assert.is(((await rejection(client.request({ url, signal: gone.signal }))) as GatewayError).code, 'ERR_ABORTED');
  let written = 0;
  world.answer = (_, response) => {
    const write = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536))) written += 65_536;
    };
    response.on('drain', write);
    write();
  };
  assert.is(await codeOf(client, { url, maxBytes: 100_000 }), 'ERR_URL_FAILED');
  assert.ok(written < 32 * 1_048_576, `${written} bytes were taken`);
  world.answer = (_, response) => response.destroy();
  assert.is(await codeOf(client, { url }), 'ERR_URL_FAILED');
  assert.is(clock.timers, 0);
});

test.run();
