/**
 * Child of `calls.ts`: the least that a media server in Node can do. Each call is a socket of node:dgram that sends what
 * comes back to where it came from, without looking at it.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { RelayCount, ToRelay } from './calls.ts';

let packets = 0;

async function open(calls: number): Promise<void> {
  const ports: number[] = [];
  for (let call = 0; call < calls; call++) {
    const socket = createSocket('udp4');
    socket.on('message', (packet, { port, address }) => {
      packets += 1;
      socket.send(packet, port, address);
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    ports.push(socket.address().port);
  }
  process.send?.(ports);
}

process.on('message', (message: ToRelay) => {
  if (message.type === 'open') {
    void open(message.calls);
    return;
  }
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system, packets } satisfies RelayCount);
});

process.on('disconnect', () => process.exit());
