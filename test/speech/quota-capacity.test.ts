import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { endSilenceMs, quotaPressure } from '../../src/speech/end-silence.ts';
import { makeRandom } from '../audio/prng.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LIMITER_KINDS, type Limiter } from '../support/limiters.ts';
import { QuotaWorld } from './quota-world.ts';
import { callerFragments, segment } from './turn-taking.ts';

const DURATION_MS = 10 * 60_000;
const MIN_SILENCE_MS = 250;
const MAX_SILENCE_MS = 900;
const PRESSURE_PERIOD_MS = 100;
const GOAL_MS = 1_500;

interface Outcome {
  /** 95th percentile from the end of a turn to its request on the wire; infinite when too many were never sent. */
  readonly p95Ms: number;
  readonly refused: number;
}

function outcome(turns: number, waitsMs: number[], refused: number): Outcome {
  const sorted = waitsMs.sort((a, b) => a - b);
  return { p95Ms: sorted[Math.floor(turns * 0.95)] ?? Number.POSITIVE_INFINITY, refused };
}

/** The naive gateway: one request per fragment, one connection per call, tried again every second when refused. */
function runNaive(calls: number, limiter: Limiter, seed: number): Outcome {
  const random = makeRandom(seed);
  const clock = new FakeClock();
  const waitsMs: number[] = [];
  let turns = 0;
  let refused = 0;
  for (let call = 0; call < calls; call++) {
    limiter.take(clock.wallMs());
    segment(
      callerFragments(DURATION_MS, random),
      clock,
      () => MIN_SILENCE_MS,
      ({ endMs, endsTurn }) => {
        if (endsTurn) turns++;
        const send = (): void => {
          if (!limiter.take(clock.wallMs()).allowed) {
            refused++;
            clock.after(1_000, send);
          } else if (endsTurn) {
            waitsMs.push(clock.nowMs() - endMs);
          }
        };
        send();
      },
    );
  }
  clock.advance(DURATION_MS);
  return outcome(turns, waitsMs, refused);
}

async function runGateway(calls: number, limiter: Limiter, seed: number): Promise<Outcome> {
  const random = makeRandom(seed);
  const world = new QuotaWorld({ limiter, random });
  const { clock, scheduler, transcriber } = world;
  let silenceMs = MIN_SILENCE_MS;
  clock.every(PRESSURE_PERIOD_MS, () => {
    const pressure = quotaPressure(scheduler.usage, scheduler.pressure.waiting);
    silenceMs = endSilenceMs(pressure, MIN_SILENCE_MS, MAX_SILENCE_MS);
  });
  transcriber.warm();
  const waitsMs: number[] = [];
  let turns = 0;
  let number = 0;
  for (let call = 0; call < calls; call++) {
    segment(
      callerFragments(DURATION_MS, random),
      clock,
      () => silenceMs,
      ({ startMs, endMs, endsTurn }) => {
        if (endsTurn) turns++;
        const decidedAtMs = clock.nowMs();
        void world.submit(++number, `call-${call}`, startMs, endMs).then(({ sttQueueMs }) => {
          if (endsTurn) waitsMs.push(decidedAtMs + sttQueueMs - endMs);
        });
      },
    );
  }
  await world.run(DURATION_MS);
  return outcome(turns, waitsMs, world.refused);
}

const test = suite('calls carried at a quota of 100');

test('two and a half times as many as by a naive gateway, each turn on its way within 1.5 s of its end', async () => {
  let naiveCalls = 1;
  while (runNaive(naiveCalls + 1, LIMITER_KINDS[0]!(), 1).p95Ms <= GOAL_MS) naiveCalls++;
  assert.ok(naiveCalls >= 7, `the naive gateway carries ${naiveCalls}, which is too few to be true`);
  for (const [kind, seed] of [
    [0, 1],
    [2, 2],
    [5, 3],
  ] as const) {
    const calls = 2.5 * naiveCalls;
    const { p95Ms, refused } = await runGateway(calls, LIMITER_KINDS[kind]!(), seed);
    console.log(
      `# ${LIMITER_KINDS[kind]!().name}: ${calls} calls with p95 ${p95Ms.toFixed(0)} ms, ${refused} refused; naive ${naiveCalls} calls`,
    );
    assert.is(refused, 0);
    assert.ok(p95Ms <= GOAL_MS, `p95 ${p95Ms} ms with ${calls} calls`);
  }
});

test('the end of speech is decided early while the quota is plentiful, late while it is scarce', () => {
  const usage = (used: number) => ({
    limit: 100,
    used,
    available: 100 - used,
    paceMs: 600,
    burst: 10,
    refusals: 0,
    blockedMs: 0,
  });
  assert.is(quotaPressure(usage(0), 0), 0);
  assert.is(quotaPressure(usage(30), 0), 0);
  assert.is(Math.round(quotaPressure(usage(50), 0) * 100), 50);
  assert.is(quotaPressure(usage(95), 0), 1);
  assert.is(quotaPressure(usage(0), 1), 1);
  assert.equal(
    [-1, 0, 0.5, 1, 2].map((pressure) => endSilenceMs(pressure, 250, 900)),
    [250, 250, 575, 900, 900],
  );
});

test.run();
