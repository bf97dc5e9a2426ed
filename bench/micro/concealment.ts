/**
 * How intelligible speech stays when 20 ms frames are lost at random: the concealer beside zeros in place of what is
 * lost and beside the figures that were asked for, as mean STOI over ten seeds. And what concealing costs.
 *
 * `node --import tsx bench/micro/concealment.ts [--json FILE]`
 */
import { Concealer } from '../../src/audio/concealer.ts';
import { makeRandom } from '../../test/audio/prng.ts';

import { stoi } from '../../test/support/stoi.ts';
import { describeMachine, jsonFileOption, percentile, printMachine, writeJson } from '../support/report.ts';
import { telephoneSpeech } from '../support/telephone-speech.ts';

const FRAME_SAMPLES = 160;
const SEEDS = 10;
const TARGETS = [
  { lossPercent: 1, target: 0.993 },
  { lossPercent: 5, target: 0.959 },
  { lossPercent: 10, target: 0.933 },
  { lossPercent: 20, target: 0.889 },
] as const;

const machine = describeMachine();
printMachine(machine);
const speech = telephoneSpeech();
const clean = speech.pcm.slice(0, Math.min(speech.pcm.length, 40 * 8000));
const frames = Math.floor(clean.length / FRAME_SAMPLES);
const concealMicroseconds: number[] = [];

/** What is heard when each frame is lost with a probability of `loss`. */
function hear(seed: number, loss: number, isConcealed: boolean): Int16Array {
  const random = makeRandom(seed);
  const concealer = new Concealer({ sampleRate: 8000 });
  const heard = clean.slice();
  for (let frame = 0; frame < frames; frame++) {
    const part = heard.subarray(frame * FRAME_SAMPLES, (frame + 1) * FRAME_SAMPLES);
    if (random() >= loss) {
      if (isConcealed) concealer.good(part);
      continue;
    }
    part.fill(0);
    if (!isConcealed) continue;
    const start = performance.now();
    concealer.conceal(part);
    concealMicroseconds.push((performance.now() - start) * 1000);
  }
  return heard;
}

function meanStoi(loss: number, isConcealed: boolean): number {
  let sum = 0;
  for (let seed = 1; seed <= SEEDS; seed++) sum += stoi(clean, hear(seed, loss, isConcealed), 8000);
  return sum / SEEDS;
}

const rows = TARGETS.map(({ lossPercent, target }) => ({
  lossPercent,
  target,
  concealed: meanStoi(lossPercent / 100, true),
  zeros: meanStoi(lossPercent / 100, false),
}));

console.log(`speech: ${speech.name}, ${((frames * FRAME_SAMPLES) / 8000).toFixed(1)} s; n = ${SEEDS} seeds`);
console.table(
  rows.map((row) => ({
    'lost %': row.lossPercent,
    'STOI concealed': row.concealed.toFixed(4),
    target: row.target.toFixed(3),
    'STOI of zeros': row.zeros.toFixed(4),
    'harm left': `${((100 * (1 - row.concealed)) / (1 - row.zeros)).toFixed(0)} %`,
  })),
);

concealMicroseconds.sort((a, b) => a - b);
const cost = {
  p50: percentile(concealMicroseconds, 0.5),
  p95: percentile(concealMicroseconds, 0.95),
  p99: percentile(concealMicroseconds, 0.99),
};
console.log(
  `concealing 20 ms: p50 ${cost.p50.toFixed(1)} µs, p95 ${cost.p95.toFixed(1)}, p99 ${cost.p99.toFixed(1)}, n = ${concealMicroseconds.length}`,
);
writeJson(jsonFileOption(), { machine, speech: speech.name, seeds: SEEDS, rows, concealMicroseconds: cost });
