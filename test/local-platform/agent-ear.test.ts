import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { VoiceActivity } from '../../src/audio/voice-activity.ts';
import { CallerEar } from '../../src/local-platform/agent/caller-ear.ts';
import { padded, recordingOf } from './sound.ts';

const test = suite('ear of the voice agent');

interface Heard {
  readonly ear: CallerEar;
  readonly utterances: Int16Array[];
  readonly onsets: () => number;
}

async function withEar(run: (heard: Heard) => void): Promise<void> {
  await VoiceActivity.load();
  const utterances: Int16Array[] = [];
  let onsets = 0;
  const ear = new CallerEar({ onSpeech: () => onsets++, onUtterance: (pcm) => utterances.push(pcm) });
  try {
    run({ ear, utterances, onsets: () => onsets });
  } finally {
    ear.close();
  }
}

test('finds one utterance for each sentence, with its first and last sound', () =>
  withEar(({ ear, utterances, onsets }) => {
    for (const index of [0, 1, 2]) {
      const recording = recordingOf(index);
      ear.hear(padded(recording, 1000, 1000));
      assert.is(utterances.length, index + 1);
      assert.is(onsets(), index + 1);
      const lostMs = (recording.length - utterances[index]!.length) / 16 + 600;
      assert.ok(lostMs < 200, `${lostMs} ms of sentence ${index} are missing`);
    }
  }));

test('does not mind how the audio is cut', () =>
  withEar(({ ear, utterances }) => {
    const audio = padded(recordingOf(3), 500, 800);
    for (let from = 0; from < audio.length; from += 128) ear.hear(audio.subarray(from, from + 128));
    ear.hear(audio);
    assert.is(utterances.length, 2);
    assert.ok(Math.abs(utterances[0]!.length - utterances[1]!.length) <= 320 * 15);
  }));

test('hears nothing in silence and in a click', () =>
  withEar(({ ear, utterances, onsets }) => {
    const click = new Int16Array(16_000);
    click.fill(20_000, 8000, 8400);
    ear.hear(click);
    ear.hear(new Int16Array(32_000));
    assert.is(onsets(), 0);
    ear.flush();
    assert.is(utterances.length, 0);
  }));

test('takes what was said so far when the audio stops', () =>
  withEar(({ ear, utterances }) => {
    ear.hear(padded(recordingOf(4), 500, 0).subarray(0, 24_000));
    assert.ok(ear.isSpeaking);
    ear.flush();
    assert.is(utterances.length, 1);
    assert.not.ok(ear.isSpeaking);
  }));

test('ends an utterance that does not end before it is too long to be transcribed', () =>
  withEar(({ ear, utterances }) => {
    const speech = recordingOf(5).subarray(3000, 35_000);
    for (let second = 0; second < 70; second += 2) ear.hear(speech);
    assert.is(utterances[0]!.length, 59 * 16_000);
  }));

test.run();
