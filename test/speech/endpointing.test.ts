import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { VoiceActivity } from '../../src/audio/voice-activity.ts';
import type { Background } from '../audio/background.ts';
import { corpus } from '../audio/corpus.ts';
import { scoreEndpointing } from './endpointing-score.ts';

const test = suite('endpointing');
const { studio, arabic } = corpus('endpointing', 40);

test.before(() => VoiceActivity.load());

for (const [language, recordings] of [
  ['English', studio],
  ['Arabic', arabic],
] as const) {
  for (const kind of ['white', 'pink', 'hum'] as const satisfies Background[]) {
    test(`no utterance is missed and ends are where they are: ${language}, ${kind} noise 20 dB below`, () => {
      const score = scoreEndpointing(recordings, { speechDbov: -26, noise: { kind, snrDb: 20 }, endSilenceMs: 500 });
      assert.ok(score.stretches >= recordings.length);
      assert.is(score.missed, 0);
      assert.is(score.spurious, 0);
      const far = score.endErrorsMs.filter((error) => Math.abs(error) > 60);
      assert.ok(far.length <= 0.15 * score.endErrorsMs.length, `far off: ${far.join(', ')} ms`);
    });
  }
}

test('the default end silence bridges the pauses of Arabic sentences', () => {
  const { pausesMs } = scoreEndpointing(arabic, { speechDbov: -26, endSilenceMs: 500 });
  assert.ok(pausesMs.length > 20);
  const bridged = pausesMs.filter((pause) => pause <= 500).length;
  assert.ok(bridged >= 0.98 * pausesMs.length, `${bridged} of ${pausesMs.length}`);
});

test.run();
