import { createSocket } from 'node:dgram';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/core/clock.ts';
import { DgramTransport } from '../../src/rtp/dgram-transport.ts';
import { toEndpoint } from '../../src/rtp/transport.ts';
import { transportContract } from './transport-contract.ts';

transportContract('dgram', (options) => new DgramTransport(options, systemClock));

const test = suite('dgram pacing');

test('on an idle event loop packets leave every 20 ms and do not drift', async () => {
  const transport = new DgramTransport({ localAddress: '127.0.0.1', portRange: [0, 0] }, systemClock);
  const peer = createSocket('udp4');
  await new Promise<void>((resolve) => peer.bind(0, '127.0.0.1', resolve));
  const arrivals: number[] = [];
  /** How long after its timestamp says each packet came, up to a constant. */
  const lateness: number[] = [];
  const done = new Promise<void>((resolve) => {
    peer.on('message', (bytes) => {
      const nowMs = performance.now();
      arrivals.push(nowMs);
      lateness.push(nowMs - bytes.readUInt32BE(4) / 8);
      if (arrivals.length === 76) resolve();
    });
  });
  const port = await transport.open();
  port.setRemote(toEndpoint('127.0.0.1', peer.address().port), undefined);
  port.startSending({
    ssrc: 1,
    initialSequenceNumber: 0,
    initialTimestamp: 0,
    ptimeMs: 20,
    timestampStep: 160,
    silencePayload: new Uint8Array(160),
    silencePayloadType: 0,
    onSent: () => {},
    onTick: () => {},
  });
  await done;
  await transport.close();
  peer.close();
  const gaps = arrivals.slice(1).map((arrivalMs, index) => arrivalMs - arrivals[index]!);
  gaps.sort((a, b) => a - b);
  const medianMs = gaps[Math.floor(gaps.length / 2)]!;
  // The most punctual packets of the end against those of the start: load delays packets, only drift delays them all.
  const driftMs = Math.min(...lateness.slice(-20)) - Math.min(...lateness.slice(0, 20));
  console.log(
    `# pacing: gap median ${medianMs.toFixed(2)} ms, p5 ${gaps[4]!.toFixed(2)}, p95 ${gaps[71]!.toFixed(2)}, max ${gaps[74]!.toFixed(2)}, drift ${driftMs.toFixed(2)} ms in 1.5 s`,
  );
  assert.ok(Math.abs(medianMs - 20) < 2, `median gap ${medianMs} ms`);
  assert.ok(Math.abs(driftMs) < 5, `drift ${driftMs} ms`);
});

test.run();
