import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SENTENCE_END } from '../../src/speech/playout.ts';
import { SpeechPace } from '../../src/speech/speech-duration.ts';
import { markSentences } from '../../src/speech/sentence-marks.ts';
import { rejection } from '../support/until.ts';
import { readSpeechFixture } from './fixtures.ts';

const RATE = 8000;

const test = suite('sentence marks');

async function* inChunks(pcm: Int16Array, samples: number, end?: Error): AsyncGenerator<Int16Array> {
  for (let at = 0; at < pcm.length; at += samples) yield pcm.subarray(at, at + samples);
  if (end) throw end;
}

/** Where the marks are, in ms, and how much audio there was. */
async function marksOf(
  speech: AsyncIterable<Int16Array>,
  sentences: readonly string[],
  pace = new SpeechPace(),
): Promise<{ marksMs: number[]; samples: number }> {
  const marksMs: number[] = [];
  let samples = 0;
  for await (const item of markSentences(speech, sentences, RATE, pace)) {
    if (item === SENTENCE_END) marksMs.push((samples * 1000) / RATE);
    else samples += item.length;
  }
  return { marksMs, samples };
}

/** Noise that is spoken for `ms`, or silence. */
function parts(...ms: [number, 'speech' | 'pause'][]): Int16Array {
  return Int16Array.from(
    ms.flatMap(([duration, kind]) =>
      Array.from({ length: (duration * RATE) / 1000 }, (_, i) => (kind === 'pause' ? 0 : 8000 * Math.sin(i))),
    ),
  );
}

test('one sentence ends with its audio', async () => {
  const pcm = parts([1000, 'speech'], [500, 'pause'], [1000, 'speech']);
  const { marksMs, samples } = await marksOf(inChunks(pcm, 160), ['A sentence of one request.']);
  assert.equal([marksMs, samples], [[2500], pcm.length]);
});

test('recorded sentences end in the pauses between them, whatever the chunks', async () => {
  const spoken = await readSpeechFixture(['passport.wav', 'doctor.wav', 'last-train.wav', 'computer.wav'], RATE, 400);
  for (const chunk of [1, 160, 3333, 1_000_000]) {
    const { marksMs, samples } = await marksOf(inChunks(spoken.pcm, chunk), spoken.texts);
    assert.is(samples, spoken.pcm.length);
    assert.is(marksMs.length, 4);
    for (const [index, { startMs, endMs }] of spoken.pauses.entries()) {
      const markMs = marksMs[index]!;
      assert.ok(markMs > startMs && markMs <= endMs, `mark ${index} at ${markMs}, pause ${startMs}-${endMs} ms`);
    }
    assert.is(marksMs[3], (samples * 1000) / RATE);
  }
});

test('a short pause in the middle of a sentence is none of its end', async () => {
  const sentences = ['Well then, let us go to the market. ', 'It is late already, my friends.'];
  const pcm = parts([900, 'speech'], [150, 'pause'], [1000, 'speech'], [300, 'pause'], [1800, 'speech']);
  const { marksMs } = await marksOf(inChunks(pcm, 160), sentences);
  assert.is(marksMs.length, 2);
  assert.ok(marksMs[0]! > 2050 && marksMs[0]! <= 2350, `${marksMs[0]}`);
});

test('a voice without pauses has a mark for every sentence all the same', async () => {
  const sentences = ['This is the first. ', 'This is the second. ', 'This is the third.'];
  const pcm = parts([4000, 'speech']);
  const { marksMs } = await marksOf(inChunks(pcm, 500), sentences);
  assert.is(marksMs.length, 3);
  assert.equal(
    marksMs,
    [...marksMs].sort((a, b) => a - b),
  );
});

test('less audio than was expected still has all marks, the rest of them at its end', async () => {
  const sentences = ['This is a first sentence. ', 'This is a second sentence. ', 'This is a third sentence.'];
  const { marksMs } = await marksOf(inChunks(parts([900, 'speech']), 100), sentences);
  assert.equal(marksMs, [900, 900, 900]);
});

test('the pace of a voice is learned', async () => {
  const sentences = ['Slow voices take their time. ', 'They end where they end, not where others do.'];
  const pace = new SpeechPace();
  // 150 ms a letter, with a pause of 210 ms in the middle of the first sentence.
  const pcm = parts([1300, 'speech'], [210, 'pause'], [2000, 'speech'], [210, 'pause'], [5000, 'speech']);
  for (let text = 0; text < 8; text++) await marksOf(inChunks(pcm, 160), sentences, pace);
  const { marksMs } = await marksOf(inChunks(pcm, 160), sentences, pace);
  assert.ok(marksMs[0]! > 3510 && marksMs[0]! <= 3720, `${marksMs[0]}`);
});

test('a sentence that breaks off has no mark, those before it have', async () => {
  const sentences = ['This is the first one. ', 'And this is the second one.'];
  const pcm = parts([1200, 'speech'], [300, 'pause'], [500, 'speech']);
  const marks: number[] = [];
  const failure = await rejection(
    (async () => {
      for await (const item of markSentences(
        inChunks(pcm, 160, new Error('torn')),
        sentences,
        RATE,
        new SpeechPace(),
      )) {
        if (item === SENTENCE_END) marks.push(1);
      }
    })(),
  );
  assert.is(failure.message, 'torn');
  assert.is(marks.length, 1);
});

test.run();
