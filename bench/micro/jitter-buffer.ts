/**
 * Plays the traces of `fixtures/traces` through the jitter buffer, beside what WebRTC's NetEq makes of them, and times
 * it: telephone prompts where they are installed, else the recordings of `fixtures/speech`.
 *
 * Delay is from `insert()` to `pull()`, averaged over the samples played; a sample that no packet brought is concealed.
 * CPU is that of inserting and decoding one 20 ms packet and pulling two frames.
 *
 * `node --import tsx bench/micro/jitter-buffer.ts [--json FILE]`
 */

import {
  deliveriesOf,
  fixedDelayConcealedPercent,
  neteqResults,
  playTrace,
  readTrace,
  ulawPayloads,
} from '../../test/support/jitter-trace.ts';
import { describeMachine, jsonFileOption, percentile, printMachine, writeJson } from '../support/report.ts';
import { telephoneSpeech } from '../support/telephone-speech.ts';

const PACKET_MS = 20;
const PACKET_SAMPLES = 160;
const WARM_UP_ROUNDS = 5;
const ROUNDS = 40;
/** Of NetEq's C++ code, per 20 ms packet, for comparison; measured elsewhere with the same traces. */
const NETEQ_MICROSECONDS = 1.6;

const machine = describeMachine();
printMachine(machine);
const speech = telephoneSpeech();
const payloads = ulawPayloads(speech.pcm, PACKET_SAMPLES);
console.log(`speech: ${speech.name}, ${(payloads.length * PACKET_MS) / 1000} s, µ-law in packets of ${PACKET_MS} ms`);

const rows = Object.entries(neteqResults()).map(([trace, neteq]) => {
  const plan = { arrivals: readTrace(trace), payloads, packetMs: PACKET_MS };
  const deliveries = deliveriesOf(plan);
  const microseconds: number[] = [];
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    playTrace(plan, deliveries);
    const { user } = process.cpuUsage(before);
    if (round >= 0) microseconds.push(user / plan.arrivals.length);
  }
  microseconds.sort((a, b) => a - b);
  const { delayMs, concealedPercent, stretchedPercent, removedPercent } = playTrace(plan);
  return {
    trace,
    delayMs,
    concealedPercent,
    stretchedPercent,
    removedPercent,
    fixedConcealedPercent: fixedDelayConcealedPercent(plan.arrivals, PACKET_MS, delayMs),
    neteq,
    cpuMicroseconds: {
      p50: percentile(microseconds, 0.5),
      p95: percentile(microseconds, 0.95),
      p99: percentile(microseconds, 0.99),
    },
  };
});

console.log(`n = ${ROUNDS} rounds a trace; NetEq takes ${NETEQ_MICROSECONDS} µs of CPU a packet`);
console.table(
  rows.map((row) => ({
    trace: row.trace,
    'delay ms': row.delayMs.toFixed(1),
    'NetEq ms': row.neteq.delayMs.toFixed(1),
    'concealed %': row.concealedPercent.toFixed(2),
    'NetEq %': row.neteq.concealedPercent.toFixed(2),
    'fixed delay %': row.fixedConcealedPercent.toFixed(2),
    'stretched %': row.stretchedPercent.toFixed(2),
    'removed %': row.removedPercent.toFixed(2),
    'CPU µs p50': row.cpuMicroseconds.p50.toFixed(2),
    p95: row.cpuMicroseconds.p95.toFixed(2),
    p99: row.cpuMicroseconds.p99.toFixed(2),
  })),
);
writeJson(jsonFileOption(), {
  machine,
  speech: speech.name,
  rounds: ROUNDS,
  neteqCpuMicroseconds: NETEQ_MICROSECONDS,
  rows,
});
