// timeout: 300 s
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BuiltInEars, BuiltInVoice } from '../../src/local-platform/engines/built-in.ts';
import { needs } from '../support/needs.ts';
import { FliteVoice } from '../../src/local-platform/engines/flite.ts';
import { findProgram } from '../../src/local-platform/engines/programs.ts';
import { amplified, noise, noisy, overTelephone, padded, SENTENCES } from './sound.ts';

const test = suite('built-in engines');
const ears = new BuiltInEars(SENTENCES);
const voice = new BuiltInVoice(SENTENCES);
const never = new AbortController().signal;

async function hearsEach(change: (pcm: Int16Array) => Int16Array): Promise<void> {
  for (const { text, pcm } of SENTENCES) assert.is(await ears.transcribe(change(pcm)), text);
}

test('hears every sentence as it was recorded', () => hearsEach((pcm) => pcm));

test('hears every sentence over a telephone line', () => hearsEach(overTelephone));

test('hears every sentence 10 dB louder and softer', async () => {
  await hearsEach((pcm) => overTelephone(amplified(pcm, 10)));
  await hearsEach((pcm) => overTelephone(amplified(pcm, -10)));
});

test('hears every sentence with up to 300 ms more silence around it, or none', async () => {
  await hearsEach((pcm) => overTelephone(padded(pcm, 300, 300)));
  await hearsEach((pcm) => overTelephone(padded(pcm, 137, 0)));
  // The recordings begin and end with 80 ms of silence.
  await hearsEach((pcm) => overTelephone(pcm.subarray(80 * 16, pcm.length - 80 * 16)));
});

test('hears every sentence that lost 120 ms of speech at each end', () =>
  hearsEach((pcm) => overTelephone(pcm.subarray(200 * 16, pcm.length - 200 * 16))));

test('hears every sentence over noise 25 dB below it', () =>
  hearsEach((pcm) => overTelephone(noisy(padded(pcm, 300, 300), -25, 7))));

test('hears every sentence in which 10 ms were repeated ten times, as a jitter buffer does', () =>
  hearsEach((pcm) => {
    const parts: number[] = [];
    const step = Math.floor(pcm.length / 11);
    for (let at = 0; at < pcm.length; at += step) {
      if (at > 0) parts.push(...pcm.subarray(at - 160, at));
      parts.push(...pcm.subarray(at, at + step));
    }
    return overTelephone(Int16Array.from(parts));
  }));

test('hears sentences that follow each other, in their order', async () => {
  const [first, second, third] = [5, 0, 3].map((index) => SENTENCES[index]!);
  const together = [first!, second!, third!].flatMap(({ pcm }) => [...padded(pcm, 0, 250)]);
  const heard = await ears.transcribe(overTelephone(Int16Array.from(together)));
  assert.is(heard, [first, second, third].map((sentence) => sentence!.text).join(' '));
});

test('does not hear a sentence in half of it', async () => {
  for (const { pcm } of SENTENCES) {
    assert.is(await ears.transcribe(pcm.subarray(0, pcm.length / 2)), '');
    assert.is(await ears.transcribe(pcm.subarray(pcm.length / 2)), '');
    assert.is(await ears.transcribe(padded(pcm.subarray(0, pcm.length / 2), 300, 2000)), '');
  }
});

test('hears nothing in noise, silence, a tone or no sound at all', async () => {
  const source = noise(3);
  assert.is(await ears.transcribe(new Int16Array(48_000).map(() => 5000 * source.next().value)), '');
  assert.is(await ears.transcribe(new Int16Array(48_000)), '');
  assert.is(await ears.transcribe(new Int16Array(48_000).map((_, index) => 8000 * Math.sin(index / 5))), '');
  assert.is(await ears.transcribe(new Int16Array(0)), '');
  assert.is(await ears.transcribe(new Int16Array(100)), '');
});

test('hears nothing in a sentence played backwards', async () => {
  for (const { pcm } of SENTENCES) assert.is(await ears.transcribe(pcm.slice().reverse()), '');
});

const OTHER = [
  'Could you tell me the price of the next train to London?',
  'I would like to speak with the manager.',
  'My computer is broken and I need a new one.',
  'What time does the last bus leave for Paris?',
  'How long will it take to get there?',
];

if (needs('hears nothing in other sentences of the same voice', 'flite')) {
  test('hears nothing in other sentences of the same voice', async () => {
    const flite = new FliteVoice({ flite: findProgram('flite')!, espeak: undefined });
    for (const text of OTHER) {
      const { pcm } = await flite.speak(text, never);
      assert.is(await ears.transcribe(overTelephone(pcm)), '', text);
    }
  });
}

test('speaks its sentences, however they are written', async () => {
  const { text, pcm } = SENTENCES[0]!;
  for (const spelling of [text, text.toUpperCase(), `  ${text.replace(/[?.]$/, '')} `]) {
    const spoken = await voice.speak(spelling);
    assert.is(spoken.engine, 'built-in');
    assert.equal(spoken.pcm, pcm);
    assert.is.not(spoken.pcm, pcm);
  }
});

test('refuses to speak anything else and says why', async () => {
  const error = await voice.speak('good morning').then(
    () => undefined,
    (thrown: unknown) => thrown as { status: number; message: string },
  );
  assert.is(error?.status, 400);
  assert.match(error?.message ?? '', /knows only the sentences of fixtures\/speech/);
});

test.run();
