/**
 * From the end of speech decided to its request on the wire, without pressure: utterances of 5 s, one every 50 ms,
 * over a real socket to a server in the same process. The wire is where the server reads the request's first byte.
 *
 * `node --import tsx bench/quota/own-latency.ts [--utterances 300] [--json FILE]`
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { systemClock as clock } from '../../src/core/clock.ts';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import { QuotaGovernor } from '../../src/platform/quota-governor.ts';
import { RealtimeAuth } from '../../src/platform/realtime-auth.ts';
import { RealtimeConnection, RealtimeCounters } from '../../src/platform/realtime-connection.ts';
import { buildSttRequest } from '../../src/platform/stt-request.ts';
import { QuotaScheduler } from '../../src/speech/quota-scheduler.ts';
import { Transcriber } from '../../src/speech/transcriber.ts';
import { describeMachine, jsonFileOption, percentile, printMachine, writeJson } from '../support/report.ts';

const SAMPLE_RATE = 16_000;
const UTTERANCE_MS = 5_000;
/** More often than a quota of a hundred a minute allows; back to back the collector would be measured. */
const PERIOD_MS = 50;
/** The first ones open the connection and are slow until the code is compiled. */
const WARM_UP = 50;
const GOAL_MS = 1;

const { values } = parseArgs({ options: { utterances: { type: 'string', default: '300' } }, strict: false });
const machine = describeMachine();
printMachine(machine);

let firstByteAtMs: number | undefined;
const server = createServer();
const sockets = new WebSocketServer({ server, maxPayload: 16 * 1_048_576 });
server.on('upgrade', (_request, socket) => {
  socket.on('data', () => {
    firstByteAtMs ??= clock.nowMs();
  });
});
sockets.on('connection', (socket) => socket.on('message', () => socket.send('heard')));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

const auth = new RealtimeAuth('key-of-the-bench');
const counters = new RealtimeCounters();
const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
const transcriber = new Transcriber({
  clock,
  guard: new AccountGuard(),
  scheduler: new QuotaScheduler({ clock, quota: new QuotaGovernor({ limit: 1_000_000 }) }),
  connect: (onClosed) => RealtimeConnection.open({ url, auth, clock, counters, onClosed }),
  encode: (pcm, sampleRate) => buildSttRequest(pcm, sampleRate, { language: 'ar', format: 'linear16-16000' }),
});
const samples = Int16Array.from({ length: (SAMPLE_RATE * UTTERANCE_MS) / 1000 }, (_, index) => (index * 37) % 20_000);
const toWireMs: number[] = [];
for (let number = -WARM_UP; number < Number(values.utterances); number++) {
  await sleep(PERIOD_MS);
  const pcm = samples.slice();
  firstByteAtMs = undefined;
  const decidedAtMs = clock.nowMs();
  const place = { id: String(number), callId: 'call', startMs: 0, endMs: UTTERANCE_MS };
  await transcriber.submit({ ...place, pcm, sampleRate: SAMPLE_RATE, decidedAtMs });
  if (number >= 0) toWireMs.push((firstByteAtMs ?? Number.POSITIVE_INFINITY) - decidedAtMs);
}
transcriber.close();
sockets.close();
server.close();

const sorted = toWireMs.toSorted((a, b) => a - b);
const [p50Ms, p95Ms, p99Ms] = [percentile(sorted, 0.5), percentile(sorted, 0.95), percentile(sorted, 0.99)];
console.log(
  `decided → on the wire, ${sorted.length} utterances of ${UTTERANCE_MS / 1000} s: ` +
    `p50 ${p50Ms.toFixed(2)} ms, p95 ${p95Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms (goal p95 ${GOAL_MS} ms)`,
);
writeJson(jsonFileOption(), { machine, utterances: sorted.length, p50Ms, p95Ms, p99Ms });
process.exitCode = p95Ms <= GOAL_MS ? 0 : 1;
