import { readFileSync } from 'node:fs';
import { G711 } from '../../src/audio/g711.ts';
import { JitterBuffer } from '../../src/rtp/jitter-buffer.ts';
import type { JitterBufferPacket } from '../../src/rtp/jitter-buffer.ts';

const FOLDER = new URL('../../fixtures/traces/', import.meta.url);
const PULL_MS = 10;

/** When each packet arrived, in order of sending and in ms of the sender's clock; -1 if it was lost. */
export type Arrivals = readonly number[];

export interface PeerResult {
  readonly delayMs: number;
  readonly concealedPercent: number;
}

/** What NetEq makes of each trace of `fixtures/traces`. */
export function neteqResults(): Record<string, PeerResult> {
  return JSON.parse(readFileSync(new URL('neteq.json', FOLDER), 'utf8')) as Record<string, PeerResult>;
}

export function readTrace(name: string): Arrivals {
  const lines = readFileSync(new URL(`${name}.txt`, FOLDER), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => Number(line.split(' ')[1]));
}

/** Cuts speech into µ-law payloads; a rest shorter than a packet is left out. */
export function ulawPayloads(pcm: Int16Array, samplesPerPacket: number): Uint8Array[] {
  const codes = new Uint8Array(pcm.length);
  G711.encodeUlaw(pcm, codes);
  return Array.from({ length: Math.floor(codes.length / samplesPerPacket) }, (_, index) =>
    codes.subarray(index * samplesPerPacket, (index + 1) * samplesPerPacket),
  );
}

export interface TraceResult extends PeerResult {
  readonly stretchedPercent: number;
  readonly removedPercent: number;
}

export interface TracePlan {
  readonly arrivals: Arrivals;
  /** µ-law, repeated as often as needed. */
  readonly payloads: readonly Uint8Array[];
  readonly packetMs: number;
}

export interface Delivery {
  readonly atMs: number;
  readonly packet: JitterBufferPacket;
}

/** The packets of the trace in the order in which they arrived. */
export function deliveriesOf(plan: TracePlan): Delivery[] {
  const { arrivals, payloads, packetMs } = plan;
  const deliveries = arrivals.map((atMs, index) => ({
    atMs,
    packet: {
      sequenceNumber: index & 0xffff,
      timestamp: (index * packetMs * 8) >>> 0,
      payloadType: 0,
      payload: payloads[index % payloads.length]!,
    },
  }));
  return deliveries.filter(({ atMs }) => atMs >= 0).toSorted((a, b) => a.atMs - b.atMs);
}

/** Plays a call over a network like that of the trace: packets inserted at their arrival, 10 ms pulled every 10 ms. */
export function playTrace(plan: TracePlan, deliveries: readonly Delivery[] = deliveriesOf(plan)): TraceResult {
  const buffer = new JitterBuffer({ clockRate: 8000 });
  const endMs = (plan.arrivals.length + 2) * plan.packetMs;
  let pulledSamples = 0;
  let next = 0;
  for (let nowMs = 0; nowMs < endMs; nowMs += PULL_MS) {
    for (; next < deliveries.length && deliveries[next]!.atMs <= nowMs; next++) {
      buffer.insert(deliveries[next]!.packet, deliveries[next]!.atMs);
    }
    const frame = buffer.pull(nowMs);
    if (next > 0) pulledSamples += frame.length;
  }
  const { statistics } = buffer;
  const percent = (samples: number) => (100 * samples) / pulledSamples;
  return {
    delayMs: statistics.delaySum / statistics.playedSamples,
    concealedPercent: percent(statistics.concealed),
    stretchedPercent: percent(statistics.stretched),
    removedPercent: percent(statistics.removed),
  };
}

/**
 * What the best fixed delay, chosen in hindsight, would have concealed if it gave the same mean delay: packets that
 * arrive after their first or second half is due lose that half. A buffer that is worth its trouble is below it.
 */
export function fixedDelayConcealedPercent(arrivals: Arrivals, packetMs: number, meanDelayMs: number): number {
  const delays = arrivals.map((arrivalMs, index) =>
    arrivalMs < 0 ? Number.POSITIVE_INFINITY : arrivalMs - index * packetMs,
  );
  const halfMs = packetMs / 2;
  const at = (playoutMs: number): { delayMs: number; concealed: number } => {
    let sum = 0;
    let played = 0;
    for (const delayMs of delays) {
      for (const dueMs of [playoutMs, playoutMs + halfMs]) {
        if (delayMs > dueMs) continue;
        sum += dueMs - delayMs;
        played += 1;
      }
    }
    return { delayMs: sum / played, concealed: 100 * (1 - played / (2 * delays.length)) };
  };
  let low = Math.min(...delays);
  let high = low + 1000;
  while (high - low > 0.1) {
    const middle = (low + high) / 2;
    if (at(middle).delayMs < meanDelayMs) low = middle;
    else high = middle;
  }
  return at(high).concealed;
}
