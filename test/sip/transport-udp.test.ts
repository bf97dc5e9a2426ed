import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { SocketAddress } from '../../src/sip/socket-address.ts';
import { UdpTransport } from '../../src/sip/transport-udp.ts';
import { errorOf } from './wire.ts';

const test = suite('UDP transport');

test('carries datagrams both ways and tells who sent them', async () => {
  const transport = new UdpTransport('127.0.0.1', 0);
  const peer = createSocket('udp4');
  peer.bind(0, '127.0.0.1');
  await once(peer, 'listening');
  const arrived = new Promise<[string, SocketAddress]>((resolve) => {
    void transport
      .listen((bytes, source) => resolve([Buffer.from(bytes).toString(), source]))
      .then(({ port }) => peer.send('hello', port, '127.0.0.1'));
  });
  const [text, source] = await arrived;
  assert.is(text, 'hello');
  assert.equal(source, { address: '127.0.0.1', port: peer.address().port });
  const answered = once(peer, 'message');
  transport.send(Buffer.from('back'), source);
  assert.is(String((await answered)[0]), 'back');
  await transport.close();
  peer.close();
});

test('lets what was sent leave before it closes', async () => {
  const transport = new UdpTransport('127.0.0.1', 0);
  await transport.listen(() => {});
  const peer = createSocket('udp4');
  peer.bind(0, '127.0.0.1');
  await once(peer, 'listening');
  const answered = once(peer, 'message');
  transport.send(Buffer.from('last words'), { address: '127.0.0.1', port: peer.address().port });
  await transport.close();
  assert.is(String((await answered)[0]), 'last words');
  await transport.close();
  transport.send(Buffer.from('too late'), { address: '127.0.0.1', port: peer.address().port });
  peer.close();
});

test('tells when the system does not take a datagram', async () => {
  const transport = new UdpTransport('127.0.0.1', 0);
  await transport.listen(() => {});
  await new Promise<void>((resolve) => transport.send(Buffer.from('x'), { address: '127.0.0.1', port: 0 }, resolve));
  await new Promise<void>((resolve) => {
    transport.send(Buffer.alloc(70_000), { address: '127.0.0.1', port: 9 }, resolve);
  });
  await transport.close();
});

test('an address that is taken, or not ours, is ERR_LISTEN', async () => {
  const first = new UdpTransport('127.0.0.1', 0);
  const { port } = await first.listen(() => {});
  for (const transport of [new UdpTransport('127.0.0.1', port), new UdpTransport('203.0.113.1', 0)]) {
    assert.is((await errorOf(transport.listen(() => {}))).code, 'ERR_LISTEN');
    await transport.close();
  }
  await first.close();
});

test('listens on IPv6', async () => {
  const transport = new UdpTransport('::1', 0);
  const peer = createSocket('udp6');
  const arrived = new Promise<SocketAddress>((resolve) => {
    void transport.listen((_, source) => resolve(source)).then(({ port }) => peer.send('x', port, '::1'));
  });
  assert.is((await arrived).address, '::1');
  await transport.close();
  peer.close();
});

test.run();
