import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { prompts } from '../audio/speech.ts';
import { makeRandom, pickSeed } from '../audio/prng.ts';
import { tone } from '../audio/tone.ts';
import {
  fixedDelayConcealedPercent,
  neteqResults,
  playTrace,
  readTrace,
  ulawPayloads,
} from '../support/jitter-trace.ts';
import type { Arrivals, TraceResult } from '../support/jitter-trace.ts';

const test = suite('jitter buffer on network traces');
const PACKET_MS = 20;
const PACKET_SAMPLES = 160;

function noise(seed: number): Int16Array {
  const random = makeRandom(seed);
  return Int16Array.from({ length: 80_000 }, () => (random() - 0.5) * 6000);
}

/** What is spoken over the traces. Noise and tones have no pauses and no pitch of their own, so they bracket speech. */
const MATERIALS = new Map<string, Uint8Array[]>([
  ['noise', ulawPayloads(noise(1), PACKET_SAMPLES)],
  ['a tone', ulawPayloads(tone(440, 8000, 80_000, 8000), PACKET_SAMPLES)],
]);
const recordings = prompts('speech over traces', 12);
if (recordings.length > 0) {
  const speech = Int16Array.from(recordings.flatMap(({ pcm }) => [...pcm]));
  MATERIALS.set('speech', ulawPayloads(speech, PACKET_SAMPLES));
}

function describe(result: TraceResult): string {
  const { delayMs, concealedPercent, stretchedPercent, removedPercent } = result;
  return `${delayMs.toFixed(1)} ms, ${concealedPercent.toFixed(2)} % concealed, +${stretchedPercent.toFixed(2)} -${removedPercent.toFixed(2)} %`;
}

for (const [name, peer] of Object.entries(neteqResults())) {
  const arrivals = readTrace(name);
  for (const [material, payloads] of MATERIALS) {
    test(`has no more delay and conceals no more than NetEq: ${material} over ${name}`, () => {
      const result = playTrace({ arrivals, payloads, packetMs: PACKET_MS });
      assert.ok(result.delayMs <= 1.03 * peer.delayMs, describe(result));
      assert.ok(result.concealedPercent <= 1.03 * peer.concealedPercent, describe(result));
      assert.ok(result.stretchedPercent < 2 && result.removedPercent < 3.5, describe(result));
    });
  }
}

/** Delays of packets sent every 20 ms over networks of random parameters. */
const NETWORKS: Record<string, (random: () => number) => (sentMs: number) => number> = {
  'exponential jitter and loss': (random) => {
    const meanMs = 4 + 25 * random();
    const loss = 0.03 * random();
    return () => (random() < loss ? -1 : -meanMs * Math.log(1 - random()));
  },
  stalls: (random) => {
    const rate = 0.002 + 0.01 * random();
    const lengthMs = 60 + 120 * random();
    let endMs = 0;
    return (sentMs) => {
      if (sentMs > endMs && random() < rate) endMs = sentMs + lengthMs * (0.5 + random());
      return Math.max(endMs - sentMs, -4 * Math.log(1 - random()));
    };
  },
  'a drifting clock and jitter': (random) => {
    const ppm = 600 * (random() - 0.5);
    return (sentMs) => 100 + sentMs * ppm * 1e-6 - 6 * Math.log(1 - random());
  },
  steps: (random) => {
    let levelMs = 50;
    return (sentMs) => {
      if (sentMs % 12_000 === 0) levelMs = 120 * random();
      return levelMs - 5 * Math.log(1 - random());
    };
  },
};

for (const [name, create] of Object.entries(NETWORKS)) {
  test(`does about as well as the best fixed delay in hindsight, or better: ${name}`, () => {
    const seed = pickSeed();
    const random = makeRandom(seed);
    for (let round = 0; round < 3; round++) {
      const delayOf = create(random);
      const arrivals: Arrivals = Array.from({ length: 6000 }, (_, index) => {
        const delayMs = delayOf(index * PACKET_MS);
        return delayMs < 0 ? -1 : index * PACKET_MS + 40 + delayMs;
      });
      const result = playTrace({ arrivals, payloads: MATERIALS.get('noise')!, packetMs: PACKET_MS });
      const fixed = fixedDelayConcealedPercent(arrivals, PACKET_MS, result.delayMs);
      assert.ok(
        result.concealedPercent <= 1.1 * fixed + 0.15,
        `SEED=${seed}: fixed ${fixed.toFixed(2)} %, ${describe(result)}`,
      );
      assert.ok(result.stretchedPercent < 2.5 && result.removedPercent < 4, `SEED=${seed}: ${describe(result)}`);
    }
  });
}

test.run();
