/**
 * Child of `pacing.ts`: receives every stream with the kernel's time stamps and reports how regular they were. It is a
 * process of its own, so that nothing the sender does can hide in the measurement.
 */
import { constants, setPriority } from 'node:os';
import { loadAddon } from '../../src/core/addon.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createRtpHeader, parseRtp } from '../../src/rtp/packet.ts';
import { type Datagram, type MediaPort, toEndpoint } from '../../src/rtp/transport.ts';
import { NativeTransport } from '../../src/rtp/native-transport.ts';
import { percentile } from '../support/report.ts';
import type { PacingMeasurement, ToReceiver, WorstMoment } from './pacing.ts';

/** Streams that share a port: few enough that its buffer holds what comes between two drains. */
const STREAMS_PER_PORT = 10;

const WORST_MOMENTS = 3;
const PTIME_MS = 20;

/** One stream, with the longest gap in front of a packet of it and the arrival of that packet. */
interface Stream {
  sequenceNumber: number;
  arrivalMs: number;
  longestMs: number;
  longestAtMs: number;
}

const { addon } = loadAddon();
if (!addon) throw new Error('Expected the native addon; run npm run build:native');
const transport = new NativeTransport({ localAddress: '127.0.0.1', portRange: [0, 0] }, systemClock, addon);
const ports: MediaPort[] = [];
const streams = new Map<number, Stream>();
const header = createRtpHeader();
let isMeasuring = false;
let startMs = 0;
let gaps = new Float64Array(0);
let gapCount = 0;
let received = 0;
let lost = 0;

function onRtp({ bytes, offset, length, arrivalMs }: Readonly<Datagram>): void {
  if (parseRtp(bytes, offset, length, header) !== 'ok') return;
  const { ssrc, sequenceNumber } = header;
  const last = streams.get(ssrc);
  if (!last) {
    streams.set(ssrc, { sequenceNumber, arrivalMs, longestMs: 0, longestAtMs: 0 });
    return;
  }
  const missing = ((sequenceNumber - last.sequenceNumber) & 0xffff) - 1;
  if (isMeasuring) {
    received += 1;
    lost += missing;
    // A gap with a loss in it counts as it is: it is what the listener gets.
    const gapMs = arrivalMs - last.arrivalMs;
    if (gapCount < gaps.length) gaps[gapCount++] = gapMs;
    if (gapMs > last.longestMs) {
      last.longestMs = gapMs;
      last.longestAtMs = arrivalMs;
    }
  }
  last.sequenceNumber = sequenceNumber;
  last.arrivalMs = arrivalMs;
}

/** The streams by the packet time in which their longest gap ended. */
function worstMoments(): WorstMoment[] {
  const moments = new Map<number, WorstMoment>();
  for (const { longestMs, longestAtMs } of streams.values()) {
    const key = Math.floor(longestAtMs / PTIME_MS);
    const found = moments.get(key) ?? { atMs: longestAtMs - startMs, longestMs: 0, streams: 0 };
    moments.set(key, { ...found, longestMs: Math.max(found.longestMs, longestMs), streams: found.streams + 1 });
  }
  return [...moments.values()].toSorted((a, b) => b.longestMs - a.longestMs).slice(0, WORST_MOMENTS);
}

function measurement(): PacingMeasurement {
  const sorted = gaps.subarray(0, gapCount).sort();
  return {
    received,
    lost,
    lostByReceiver: ports.reduce((sum, { errors }) => sum + errors, 0),
    streams: streams.size,
    gapMs: {
      p50: percentile(sorted, 0.5),
      p95: percentile(sorted, 0.95),
      p99: percentile(sorted, 0.99),
      p999: percentile(sorted, 0.999),
      max: sorted.at(-1) ?? Number.NaN,
      above25: sorted.filter((gap) => gap > 25).length,
    },
    worst: worstMoments(),
  };
}

process.on('message', (message: ToReceiver) => {
  if (message.type === 'open') {
    // The kernel has stamped a packet before anybody here looks at it: the receiver may take its time, and must not take
    // the sender's. Among hogs it would get too little to keep up.
    if (!message.isMachineBusy) setPriority(constants.priority.PRIORITY_LOW);
    void open(message.calls);
  } else if (message.type === 'answer') {
    void answer(message.ports);
  } else if (message.type === 'start') {
    gaps = new Float64Array(message.expectedPackets);
    startMs = systemClock.nowMs();
    isMeasuring = true;
  } else {
    isMeasuring = false;
    process.send?.(measurement());
    void transport.close().then(() => process.disconnect());
  }
});

async function open(calls: number): Promise<void> {
  for (let index = 0; index < Math.ceil(calls / STREAMS_PER_PORT); index++) {
    const port = await transport.open();
    port.receive(onRtp, () => {});
    ports.push(port);
  }
  process.send?.(ports.map(({ rtpPort }) => rtpPort));
}

/** Sends a stream to each of `ports`. */
async function answer(remotes: readonly number[]): Promise<void> {
  for (const remote of remotes) {
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
