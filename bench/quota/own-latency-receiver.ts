/**
 * The platform of `own-latency.ts`, in a process of its own: answers each request with the moments at which its first and
 * its last byte were read. It never sleeps, since how long a process takes to wake up is not the gateway's.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';

/** In ns of the machine's monotonic clock, which all processes have in common. */
export interface Arrival {
  readonly firstByteNs: string;
  readonly lastByteNs: string;
}

let firstByteNs: bigint | undefined;

function watch(stream: Duplex): void {
  stream.on('data', () => {
    firstByteNs ??= process.hrtime.bigint();
  });
}

const server = createServer();
server.on('upgrade', (_request, stream) => watch(stream));
const sockets = new WebSocketServer({ server, maxPayload: 16 * 1_048_576 });
sockets.on('connection', (socket) =>
  socket.on('message', () => {
    const lastByteNs = process.hrtime.bigint();
    const arrival: Arrival = { firstByteNs: String(firstByteNs ?? lastByteNs), lastByteNs: String(lastByteNs) };
    firstByteNs = undefined;
    socket.send(`heard ${JSON.stringify(arrival)}`);
  }),
);
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit());

function spin(): void {
  setImmediate(spin);
}
spin();
