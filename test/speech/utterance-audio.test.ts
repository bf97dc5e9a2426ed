import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Resampler } from '../../src/audio/resampler.ts';
import { Ring } from '../../src/audio/ring.ts';
import { UtteranceAudio } from '../../src/speech/utterance-audio.ts';
import { withSeed } from '../audio/prng.ts';
import { assertSamples } from '../support/samples.ts';

const test = suite('utterance audio');
const RATES = [
  [8000, 16000],
  [16000, 8000],
  [8000, 8000],
] as const;

function noise(random: () => number, samples: number): Int16Array {
  return Int16Array.from({ length: samples }, () => Math.floor(random() * 20_000) - 10_000);
}

/**
 * An utterance of `pcm` from `startSample` to `endSample` that is heard through a ring of one second, frame by frame; its
 * end is decided at the end of `pcm`.
 */
function hear(pcm: Int16Array, inputRate: 8000 | 16000, outputRate: 8000 | 16000, start: number, end: number) {
  const ring = new Ring({ capacitySamples: inputRate });
  const utterance = new UtteranceAudio({ ring, inputRate, outputRate });
  const frameSamples = inputRate / 50;
  let isOpen = false;
  for (let at = 0; at < pcm.length; at += frameSamples) {
    ring.write(pcm.subarray(at, at + frameSamples));
    if (!isOpen && ring.headSample >= start) {
      utterance.begin(start);
      isOpen = true;
    }
    const takenSample = utterance.take(ring.headSample);
    // What lies less than half a second back may become the start of an utterance.
    ring.release(Math.max(ring.tailSample, Math.min(takenSample, ring.headSample - inputRate / 2)));
  }
  assert.is(ring.overrunSamples, 0);
  return utterance.end(end);
}

for (const [from, to] of RATES) {
  test(`${from} to ${to} Hz is what resampling the whole at once gives, whatever lies behind its end`, () => {
    withSeed((random) => {
      for (const seconds of [0.3, 1.3, 6.5]) {
        const pcm = noise(random, from * seconds);
        const start = Math.floor(random() * from * 0.2);
        for (const end of [pcm.length, pcm.length - 1, pcm.length - 7, Math.floor(pcm.length - from * 0.05)]) {
          const heard = hear(pcm, from, to, start, end);
          // The filter looks less than 100 samples ahead.
          const whole = Resampler.resample(pcm.subarray(start, end + 100), from, to);
          assertSamples(heard, whole.subarray(0, Math.round(((end - start) * to) / from)));
        }
      }
    });
  });
}

test('an utterance leaves nothing of itself in the next', () => {
  const ring = new Ring({ capacitySamples: 16_000 });
  const utterance = new UtteranceAudio({ ring, inputRate: 8000, outputRate: 16000 });
  const pcm = Int16Array.from({ length: 4000 }, (_, i) => ((i * 7919) % 20_000) - 10_000);
  ring.write(pcm);
  ring.write(pcm);
  utterance.begin(0);
  utterance.take(4000);
  const first = utterance.end(3900);
  utterance.begin(4000);
  const second = utterance.end(7900);
  assertSamples(second, first);
});

test('while it goes on, no more than 100 ms are left to do at its end', () => {
  const ring = new Ring({ capacitySamples: 8000 });
  const utterance = new UtteranceAudio({ ring, inputRate: 8000, outputRate: 16000 });
  ring.write(new Int16Array(8000));
  assert.is(utterance.take(160), 160, 'nothing is kept while none is open');
  utterance.begin(320);
  for (let until = 480; until <= 8000; until += 160) {
    const takenSample = utterance.take(until);
    assert.ok(takenSample <= until && until - takenSample < 800, `${takenSample} of ${until}`);
  }
  utterance.end(8000);
  assert.is(utterance.take(8000), 8000);
});

test.run();
