import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Transcript } from '../../src/speech/transcriber.ts';
import { makeRandom } from '../audio/prng.ts';
import { LIMITER_KINDS } from '../support/limiters.ts';
import { QuotaWorld } from './quota-world.ts';

const MINUTE_MS = 60_000;

function makeWorld(kind = 2, seed = 1): QuotaWorld {
  return new QuotaWorld({ limiter: LIMITER_KINDS[kind]!(), random: makeRandom(seed) });
}

/** Uses up what may go at once. */
async function exhaust(world: QuotaWorld): Promise<void> {
  for (let i = 0; i < 10; i++) {
    void world.scheduler.acquire('tts', { priority: 'turn', deadlineMs: MINUTE_MS }).then((slot) => {
      slot.sent();
      slot.answered();
    });
  }
  await setImmediate();
}

const test = suite('transcriber under a quota');

test('what a call says while it waits for the quota goes as one request, its audio in order', async () => {
  const world = makeWorld();
  const first = world.submit(1, 'call', 0, 1_000);
  await world.run(3_000);
  assert.is((await first).text, '1');
  // More than there are slots for, and all of it older.
  const others = Array.from({ length: 15 }, (_, i) => world.submit(100 + i, `call-${i}`, 0, 500));
  const [second, third, fourth] = [
    world.submit(2, 'call', 4_000, 5_000),
    world.submit(3, 'call', 6_000, 6_500),
    world.submit(4, 'call', 6_500, 7_000),
  ];
  await world.run(20_000);
  const parts = [
    { id: '2', startMs: 4_000, endMs: 5_000 },
    { id: '3', startMs: 6_000, endMs: 6_500 },
    { id: '4', startMs: 6_500, endMs: 7_000 },
  ];
  for (const transcript of await Promise.all([second, third, fourth])) {
    assert.is(transcript.text, '2 3 4');
    assert.equal(transcript.parts, parts);
  }
  await Promise.all(others);
  const { merged, requests } = world.transcriber.statistics;
  assert.equal([merged, requests], [2, 17]);
});

test('without a wait for the quota every utterance is a request of its own', async () => {
  const world = makeWorld();
  const transcripts = [1, 2, 3].map((number) => world.submit(number, 'call', number * 1_000, number * 1_000 + 800));
  await world.run(5_000);
  assert.equal(
    (await Promise.all(transcripts)).map(({ text }) => text),
    ['1', '2', '3'],
  );
  assert.is(world.transcriber.statistics.merged, 0);
});

test('one request carries at most a minute of audio', async () => {
  const world = makeWorld();
  await exhaust(world);
  const lengths = [14_000, 15_000, 15_000, 15_000, 15_000];
  const transcripts = lengths.map((ms, index) => world.submit(index + 1, 'call', index * 15_000, index * 15_000 + ms));
  await world.run(10_000);
  assert.equal(
    (await Promise.all(transcripts)).map(({ text }) => text),
    [...Array<string>(4).fill('1 2 3 4'), '5'],
  );
});

test('an utterance of nobody who waits goes behind those of callers', async () => {
  const world = makeWorld();
  world.transcriber.warm();
  await world.run(3_000);
  await exhaust(world);
  const order: string[] = [];
  const submit = (id: string, priority: 'turn' | 'batch'): Promise<void> =>
    world.transcriber
      .submit({
        id,
        callId: id,
        pcm: new Int16Array(80).fill(1),
        sampleRate: 8000,
        startMs: 0,
        endMs: 10,
        decidedAtMs: world.clock.nowMs(),
        priority,
      })
      .then(() => void order.push(id));
  const all = [submit('file', 'batch'), submit('caller', 'turn'), submit('other caller', 'turn')];
  await world.run(10_000);
  await Promise.all(all);
  assert.equal(order.at(-1), 'file');
});

test('a connection waits for the quota like everything else', async () => {
  const world = makeWorld();
  await exhaust(world);
  world.transcriber.warm();
  await world.run(300);
  assert.is(world.transcriber.statistics.sockets, 0);
  assert.is(world.allowed, 0);
  await world.run(3_000);
  assert.is(world.transcriber.statistics.sockets, 1);
});

test('what is no speech costs nothing and is counted', () => {
  const { transcriber } = makeWorld();
  const part = { id: 'cough', startMs: 10, endMs: 90 };
  assert.equal(transcriber.skip(part), { text: '', parts: [part], sttQueueMs: 0, sttMs: 0 });
  assert.is(transcriber.statistics.skipped, 1);
});

test('three times more speech than the quota carries: all of it is transcribed, in order, and every call gets its turn', async () => {
  const CALLS = 40;
  const PERIOD_MS = 8_000;
  for (const [kind, seed] of [
    [2, 1],
    [3, 2],
    [5, 3],
  ] as const) {
    const world = makeWorld(kind, seed);
    const waitsMs: number[][] = Array.from({ length: CALLS }, () => []);
    const expected: string[][] = Array.from({ length: CALLS }, () => []);
    const heard: string[][] = Array.from({ length: CALLS }, () => []);
    const failures: Error[] = [];
    let number = 0;
    const onTranscript = (call: number, id: string, transcript: Transcript): void => {
      waitsMs[call]!.push(transcript.sttQueueMs);
      // One text for all of its utterances: it counts once, with the last of them.
      if (transcript.parts.at(-1)?.id === id) heard[call]!.push(...transcript.text.split(' '));
    };
    for (let call = 0; call < CALLS; call++) {
      const speak = (): void => {
        const nowMs = world.clock.nowMs();
        if (nowMs >= 10 * MINUTE_MS) return;
        const id = String(++number);
        expected[call]!.push(id);
        const result = world.submit(number, `call-${call}`, nowMs, nowMs + 2_000);
        result.then((transcript) => onTranscript(call, id, transcript)).catch((error: Error) => failures.push(error));
        world.clock.after(PERIOD_MS, speak);
      };
      world.clock.after((call * PERIOD_MS) / CALLS, speak);
    }
    await world.run(11 * MINUTE_MS);
    const sorted = waitsMs.flat().sort((a, b) => a - b);
    const p95Ms = sorted[Math.floor(sorted.length * 0.95)]!;
    const means = waitsMs.map((waits) => waits.reduce((sum, ms) => sum + ms, 0) / waits.length).sort((a, b) => a - b);
    const ratio = means.at(-1)! / means[CALLS / 2]!;
    console.log(
      `# ${LIMITER_KINDS[kind]!().name}: ${number} utterances in ${world.transcriber.statistics.requests} requests, ` +
        `p95 wait ${(p95Ms / 1000).toFixed(1)} s, worst call ${ratio.toFixed(2)} of the median, ${world.refused} refused`,
    );
    assert.equal(failures, []);
    assert.equal(heard, expected);
    assert.is(world.refused, 0);
    assert.ok(p95Ms <= 25_000, `p95 wait ${p95Ms} ms`);
    assert.ok(ratio <= 1.5, `the worst call waits ${ratio} times as long as the median one`);
  }
});

test.run();
