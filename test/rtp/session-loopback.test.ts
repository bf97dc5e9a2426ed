import { createSocket } from 'node:dgram';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/core/clock.ts';
import { DgramTransport } from '../../src/rtp/dgram-transport.ts';
import { RtpSession } from '../../src/rtp/session.ts';
import type { Endpoint, MediaPort } from '../../src/rtp/transport.ts';
import { toEndpoint } from '../../src/rtp/transport.ts';
import { rtpPacket } from './builders.ts';

const test = suite('rtp session over loopback');
const HOST = '127.0.0.1';

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A session on `port` that talks to `remote`; its log holds speech frames (not silence) and digits. */
function join(port: MediaPort, remote: Endpoint) {
  const log: string[] = [];
  const session = new RtpSession({
    port,
    clock: systemClock,
    remote: { rtp: remote },
    payloadTypes: { audio: [0], telephoneEvent: 101 },
    sending: { ptimeMs: 10, silencePayload: new Uint8Array(80).fill(0xff), silencePayloadType: 0 },
    events: {
      onAudio({ bytes, offset }) {
        if (bytes[offset] !== 0xff) log.push(`${bytes[offset]}`);
      },
      onDigit: ({ digit }) => log.push(digit),
    },
  });
  return { session, log };
}

test('two sessions hear each other, digits included, and a spoofer neither', async () => {
  const transport = new DgramTransport({ localAddress: HOST, portRange: [0, 0] }, systemClock);
  const [portA, portB] = [await transport.open(), await transport.open()];
  const a = join(portA, toEndpoint(HOST, portB.rtpPort));
  const b = join(portB, toEndpoint(HOST, portA.rtpPort));
  const spoofer = createSocket('udp4');
  await pass(60);
  for (const frame of [1, 2, 3, 4, 5]) a.session.sender.write(new Uint8Array(80).fill(frame), 0, 80, 0, 0);
  b.session.sendDigits('7#', 50);
  for (let number = 0; number < 40; number++) {
    const packet = rtpPacket({ sequenceNumber: number, timestamp: number * 80, payload: new Uint8Array(80).fill(99) });
    spoofer.send(packet, portB.rtpPort, HOST);
    spoofer.send(packet, portA.rtpPort, HOST);
    await pass(10);
  }
  const [statisticsA, statisticsB] = [a.session.statistics, b.session.statistics];
  a.session.close();
  await pass(20);
  const farewell = b.session.statistics.rtcpReceived;
  b.session.close();
  spoofer.close();
  await transport.close();
  assert.equal(b.log, ['1', '2', '3', '4', '5']);
  assert.equal(a.log, ['7', '#']);
  for (const { fromWrongSource, lost, late, malformed, transportErrors } of [statisticsA, statisticsB]) {
    assert.equal(
      { fromWrongSource, lost, late, malformed, transportErrors },
      { fromWrongSource: 40, lost: 0, late: 0, malformed: 0, transportErrors: 0 },
    );
  }
  assert.ok(farewell >= 1, 'the BYE leaves before the port is closed');
  assert.is(transport.openPorts, 0);
});

test.run();
