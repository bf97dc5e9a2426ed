/**
 * Child of `pacing.ts`: receives every stream with the kernel's time stamps and reports how regular they were. It is a
 * process of its own, so that nothing the sender does can hide in the measurement.
 */
import { constants, setPriority } from 'node:os';
import { loadAddon } from '../../src/core/addon.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createRtpHeader, parseRtp } from '../../src/rtp/packet.ts';
import { type Datagram, toEndpoint } from '../../src/rtp/transport.ts';
import { NativeTransport } from '../../src/rtp/native-transport.ts';
import { percentile } from '../support/report.ts';
import type { PacingMeasurement, ToReceiver } from './pacing.ts';

/** Streams that share a port: few enough that its buffer holds what comes between two drains. */
const STREAMS_PER_PORT = 10;

/** The last packet of one stream. */
interface Last {
  sequenceNumber: number;
  arrivalMs: number;
}

// The kernel has stamped a packet before anybody here looks at it: the receiver may take its time, and must not take the
// sender's. Its threads inherit this.
setPriority(constants.priority.PRIORITY_LOW);
const { addon } = loadAddon();
if (!addon) throw new Error('Expected the native addon; run npm run build:native');
const transport = new NativeTransport({ localAddress: '127.0.0.1', portRange: [0, 0] }, systemClock, addon);
const streams = new Map<number, Last>();
const header = createRtpHeader();
let isMeasuring = false;
let gaps = new Float64Array(0);
let gapCount = 0;
let received = 0;
let lost = 0;

function onRtp({ bytes, offset, length, arrivalMs }: Readonly<Datagram>): void {
  if (parseRtp(bytes, offset, length, header) !== 'ok') return;
  const { ssrc, sequenceNumber } = header;
  const last = streams.get(ssrc);
  if (!last) {
    streams.set(ssrc, { sequenceNumber, arrivalMs });
    return;
  }
  const missing = ((sequenceNumber - last.sequenceNumber) & 0xffff) - 1;
  if (isMeasuring) {
    received += 1;
    lost += missing;
    // A gap with a loss in it counts as it is: it is what the listener gets.
    if (gapCount < gaps.length) gaps[gapCount++] = arrivalMs - last.arrivalMs;
  }
  last.sequenceNumber = sequenceNumber;
  last.arrivalMs = arrivalMs;
}

function measurement(): PacingMeasurement {
  const sorted = gaps.subarray(0, gapCount).sort();
  return {
    received,
    lost,
    streams: streams.size,
    gapMs: {
      p50: percentile(sorted, 0.5),
      p95: percentile(sorted, 0.95),
      p99: percentile(sorted, 0.99),
      p999: percentile(sorted, 0.999),
      max: sorted.at(-1) ?? Number.NaN,
      above25: sorted.filter((gap) => gap > 25).length,
    },
  };
}

process.on('message', (message: ToReceiver) => {
  if (message.type === 'open') {
    void open(message.calls);
  } else if (message.type === 'answer') {
    void answer(message.ports);
  } else if (message.type === 'start') {
    gaps = new Float64Array(message.expectedPackets);
    isMeasuring = true;
  } else {
    isMeasuring = false;
    process.send?.(measurement());
    void transport.close().then(() => process.disconnect());
  }
});

async function open(calls: number): Promise<void> {
  const ports: number[] = [];
  for (let index = 0; index < Math.ceil(calls / STREAMS_PER_PORT); index++) {
    const port = await transport.open();
    port.receive(onRtp, () => {});
    ports.push(port.rtpPort);
  }
  process.send?.(ports);
}

/** Sends a stream to each of `ports`. */
async function answer(ports: readonly number[]): Promise<void> {
  for (const remote of ports) {
    const port = await transport.open();
    port.setRemote(toEndpoint('127.0.0.1', remote), undefined);
    port.startSending({
      ssrc: remote,
      initialSequenceNumber: 0,
      initialTimestamp: 0,
      ptimeMs: 20,
      timestampStep: 160,
      silencePayload: new Uint8Array(160).fill(0xff),
      silencePayloadType: 0,
      onSent: () => {},
      onTick: () => {},
    });
  }
}
