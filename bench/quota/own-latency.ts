/**
 * From the end of speech decided to its request on the wire, without pressure: utterances of 5 s of a telephone, one
 * every 50 ms, half of the quota in use, over a real socket. The wire is where another process reads the first byte; the
 * clock is the machine's, which both read.
 *
 * `node --import tsx bench/quota/own-latency.ts [--utterances 300] [--json FILE]`
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Ring } from '../../src/audio/ring.ts';
import { systemClock as clock } from '../../src/core/clock.ts';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import { QuotaGovernor } from '../../src/platform/quota-governor.ts';
import { RealtimeAuth } from '../../src/platform/realtime-auth.ts';
import { RealtimeConnection, RealtimeCounters } from '../../src/platform/realtime-connection.ts';
import { buildSttRequest } from '../../src/platform/stt-request.ts';
import { isAudible } from '../../src/speech/loudness.ts';
import { QuotaScheduler } from '../../src/speech/quota-scheduler.ts';
import { Transcriber } from '../../src/speech/transcriber.ts';
import { UtteranceAudio } from '../../src/speech/utterance-audio.ts';
import { endChild, startChild } from '../support/child.ts';
import { describeMachine, jsonFileOption, percentile, printMachine, writeJson } from '../support/report.ts';
import type { Arrival } from './own-latency-receiver.ts';

const CALLER_RATE = 8_000;
const STT_RATE = 16_000;
const FRAME = 160;
const UTTERANCE_SAMPLES = 5 * CALLER_RATE;
/** More often than a quota of a hundred a minute allows; back to back the collector would be measured. */
const PERIOD_MS = 50;
/** The quota turns over as much faster as the utterances come, so that half of it is in use all the time. */
const QUOTA = { limit: 100, windowMs: 50 * PERIOD_MS };
/** The first ones open the connection and are slow until the code is compiled. */
const WARM_UP = 100;
const GOAL_MS = 1;

/** Where the time goes: each stage begins where the one before it ends. */
const STAGES = ['audio complete', 'quota slot', 'request built', 'first byte read', 'last byte read'] as const;

const { values } = parseArgs({ options: { utterances: { type: 'string', default: '300' } }, strict: false });
const machine = describeMachine();
printMachine(machine);

const receiver = startChild(new URL('./own-latency-receiver.ts', import.meta.url));
const [port] = (await once(receiver, 'message')) as [number];
const auth = new RealtimeAuth('key-of-the-bench');
const counters = new RealtimeCounters();
let slotAtNs = 0n;
let builtAtNs = 0n;
const transcriber = new Transcriber({
  clock,
  guard: new AccountGuard(),
  scheduler: new QuotaScheduler({ clock, quota: new QuotaGovernor(QUOTA) }),
  connect: (onClosed) => RealtimeConnection.open({ url: `ws://127.0.0.1:${port}`, auth, clock, counters, onClosed }),
  encode: (pcm, sampleRate) => {
    slotAtNs = process.hrtime.bigint();
    const request = buildSttRequest(pcm, sampleRate, { language: 'ar', format: 'linear16-16000' });
    builtAtNs = process.hrtime.bigint();
    return request;
  },
});

const ring = new Ring({ capacitySamples: CALLER_RATE, windowSamples: CALLER_RATE / 2 });
const audio = new UtteranceAudio({ ring, inputRate: CALLER_RATE, outputRate: STT_RATE });
const speech = Int16Array.from({ length: UTTERANCE_SAMPLES }, (_, i) => (i * 37) % 20_000);

/** Says one utterance, and ends just before its end of speech is decided. @returns where it ends. */
function say(): number {
  audio.begin(ring.headSample);
  for (let start = 0; start < UTTERANCE_SAMPLES; start += FRAME) {
    ring.write(speech.subarray(start, start + FRAME));
    ring.release(audio.take(ring.headSample));
  }
  return ring.headSample;
}

const stageMs = STAGES.map((): number[] => []);
const toWireMs: number[] = [];
for (let number = -WARM_UP; number < Number(values.utterances); number++) {
  const endSample = say();
  await sleep(PERIOD_MS);
  const decidedAtNs = process.hrtime.bigint();
  const decidedAtMs = clock.nowMs();
  const pcm = audio.end(endSample);
  if (!isAudible(pcm, STT_RATE)) throw new Error('Expected speech');
  const completeAtNs = process.hrtime.bigint();
  const place = { id: String(number), callId: 'call', startMs: 0, endMs: 5_000 };
  const { text } = await transcriber.submit({ ...place, pcm, sampleRate: STT_RATE, decidedAtMs });
  const { firstByteNs, lastByteNs } = JSON.parse(text.slice('heard '.length)) as Arrival;
  if (number < 0) continue;
  const moments = [decidedAtNs, completeAtNs, slotAtNs, builtAtNs, BigInt(firstByteNs), BigInt(lastByteNs)];
  for (const [index, times] of stageMs.entries()) times.push(toMs(moments[index + 1]! - moments[index]!));
  toWireMs.push(toMs(BigInt(firstByteNs) - decidedAtNs));
}
transcriber.close();
await endChild(receiver);

const stages = Object.fromEntries(STAGES.map((name, index) => [name, summary(stageMs[index]!)]));
const { p50Ms, p95Ms, p99Ms } = summary(toWireMs);
console.table(stages);
console.log(
  `decided → on the wire, ${toWireMs.length} utterances of 5 s: p50 ${p50Ms} ms, p95 ${p95Ms} ms, p99 ${p99Ms} ms ` +
    `(goal p95 ${GOAL_MS} ms)`,
);
writeJson(jsonFileOption(), { machine, utterances: toWireMs.length, p50Ms, p95Ms, p99Ms, stages });
process.exitCode = p95Ms <= GOAL_MS ? 0 : 1;

function toMs(ns: bigint): number {
  return Number(ns) / 1e6;
}

function summary(times: readonly number[]): { p50Ms: number; p95Ms: number; p99Ms: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (fraction: number): number => Math.round(percentile(sorted, fraction) * 1000) / 1000;
  return { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}
