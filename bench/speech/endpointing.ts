/**
 * Where utterances end, and whether any is missed: English and Arabic speech in the band of a telephone, through µ-law,
 * with noise 20 dB below. Goals: at most 0.5 % missed, 95 of 100 ends within 60 ms of the last voiced sample of the
 * clean speech. Then the pauses of both languages, from which the end silence is chosen.
 *
 * `--every N` of the telephone prompts (8), `--json FILE`.
 */
import { parseArgs } from 'node:util';
import { VoiceActivity } from '../../src/audio/voice-activity.ts';
import type { Background } from '../../test/audio/background.ts';
import { corpus } from '../../test/audio/corpus.ts';
import { type EndpointScore, scoreEndpointing } from '../../test/speech/endpointing-score.ts';
import { describeMachine, jsonFileOption, percentile, printMachine, writeJson } from '../support/report.ts';

const { values } = parseArgs({ options: { every: { type: 'string', default: '8' }, json: { type: 'string' } } });
const machine = describeMachine();
printMachine(machine);
await VoiceActivity.load();
// People who read into a microphone at home are no clean signal to compare with.
const { studio, arabic } = corpus('endpointing', Number(values.every));
const languages = { English: studio, Arabic: arabic };

const rows: Record<string, string | number>[] = [];
let isMet = true;
for (const [language, recordings] of Object.entries(languages)) {
  const scores: EndpointScore[] = [];
  for (const kind of ['white', 'pink', 'hum', 'fan', 'car'] as const satisfies Background[]) {
    for (const speechDbov of [-20, -32]) {
      const score = scoreEndpointing(recordings, { speechDbov, noise: { kind, snrDb: 20 }, endSilenceMs: 500 });
      scores.push(score);
      rows.push(row(`${language}, ${speechDbov} dBov, ${kind}`, [score]));
    }
  }
  rows.push(row(`${language}, all`, scores));
  const errors = scores.flatMap(({ endErrorsMs }) => endErrorsMs.map(Math.abs)).sort((a, b) => a - b);
  const missed = sum(scores, ({ missed }) => missed) / sum(scores, ({ stretches }) => stretches);
  if (percentile(errors, 0.95) > 60 || missed > 0.005) isMet = false;
}
console.table(rows);

for (const [language, recordings] of Object.entries(languages)) {
  const { pausesMs } = scoreEndpointing(recordings, { speechDbov: -26, endSilenceMs: 900 });
  const sorted = pausesMs.filter((pause) => pause > 80).sort((a, b) => a - b);
  const bridged = [250, 300, 400, 500, 600, 700, 900].map((ms) => {
    const within = sorted.filter((pause) => pause <= ms).length;
    return `${ms} ms ${((100 * within) / sorted.length).toFixed(0)} %`;
  });
  console.log(`${language}: ${sorted.length} pauses within recordings; bridged by ${bridged.join(', ')}`);
}
writeJson(jsonFileOption(), { machine, rows });
if (!isMet) process.exitCode = 1;

function row(line: string, scores: readonly EndpointScore[]): Record<string, string | number> {
  const errors = scores.flatMap(({ endErrorsMs }) => endErrorsMs).sort((a, b) => a - b);
  const sizes = errors.map(Math.abs).sort((a, b) => a - b);
  return {
    line,
    stretches: sum(scores, ({ stretches }) => stretches),
    missed: sum(scores, ({ missed }) => missed),
    spurious: sum(scores, ({ spurious }) => spurious),
    'end error ms p5 / p50 / p95': [0.05, 0.5, 0.95].map((share) => percentile(errors, share).toFixed(0)).join(' / '),
    'size ms p95 / max': [0.95, 1].map((share) => percentile(sizes, share).toFixed(0)).join(' / '),
  };
}

function sum(scores: readonly EndpointScore[], of: (score: EndpointScore) => number): number {
  return scores.reduce((total, score) => total + of(score), 0);
}
