import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../src/core/errors.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import type { SpeechRequest, SpeechStream } from '../../src/platform/speech-stream.ts';
import { VoicePreloader } from '../../src/platform/voice-preloader.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { rejection } from '../support/until.ts';

const CLONED = '0a1B2c3D-0000-4000-8000-00000000000f';

interface World {
  clock: FakeClock;
  /** What happened, in order. */
  told: string[];
  /** What the next loads and requests meet. */
  loads: (Error | Promise<void>)[];
  answers: Error[];
  voices: VoicePreloader;
  open: (voice: string, signal?: AbortSignal) => Promise<SpeechStream>;
}

const test = suite<World>('voice preloader');

test.before.each((world) => {
  const clock = new FakeClock();
  const told: string[] = [];
  const loads: World['loads'] = [];
  const answers: Error[] = [];
  const voices = new VoicePreloader({
    clock,
    preload: async (voiceId) => {
      told.push(`load ${voiceId}`);
      const load = loads.shift();
      if (load instanceof Error) throw load;
      await load;
    },
    onError: (_, error) => told.push(error.message),
  });
  const openSpeech = voices.wrap(async ({ voice }: SpeechRequest) => {
    told.push(`speak ${voice}`);
    const answer = answers.shift();
    if (answer) throw answer;
    return { sampleRate: 16_000, async *[Symbol.asyncIterator]() {} };
  });
  const open: World['open'] = (voice, signal) => openSpeech({ text: 'a', voice, sampleRate: 16_000 }, { signal });
  Object.assign(world, { clock, told, loads, answers, voices, open });
});

test('a cloned voice is loaded before it first speaks, once', async ({ open, told, voices }) => {
  await Promise.all([voices.ready(CLONED), open(CLONED), open(CLONED)]);
  await open(CLONED);
  assert.equal(told, [`load ${CLONED}`, `speak ${CLONED}`, `speak ${CLONED}`, `speak ${CLONED}`]);
});

test('other voices are not loaded', async ({ open, told, voices }) => {
  for (const voice of ['Salem', 'voice_abc']) {
    await voices.ready(voice);
    await open(voice);
  }
  assert.equal(told, ['speak Salem', 'speak voice_abc']);
});

test('a voice that the platform has forgotten is loaded again, and speaks', async ({ open, told, answers }) => {
  for (const prose of [
    'Voice 0a1b is not loaded',
    'custom voice not ready, call preload first',
    'Please preload the voice',
  ]) {
    answers.push(new PlatformError('ERR_PLATFORM_REQUEST', `the platform answered 400: '${prose}'`));
    told.length = 0;
    await open(CLONED);
    assert.equal(told.slice(-3), [`speak ${CLONED}`, `load ${CLONED}`, `speak ${CLONED}`], prose);
  }
});

test('a voice that is still not loaded then is an error, and so is any other failure', async (world) => {
  const { open, told, answers } = world;
  const forgotten = new PlatformError('ERR_PLATFORM_REQUEST', 'voice not loaded');
  answers.push(forgotten, forgotten);
  assert.is(await rejection(open(CLONED)), forgotten);
  assert.is(told.filter((what) => what.startsWith('load')).length, 2);
  const unknown = new PlatformError('ERR_PLATFORM_NOT_FOUND', 'the voice was not found');
  answers.push(unknown);
  assert.is(await rejection(open(CLONED)), unknown);
  assert.is(told.filter((what) => what.startsWith('load')).length, 2);
});

test('a voice that can not be loaded speaks all the same, and is tried again after a minute', async (world) => {
  const { open, told, loads, clock } = world;
  loads.push(new Error('404'));
  await open(CLONED);
  clock.advance(59_999);
  await open(CLONED);
  assert.equal(told, [`load ${CLONED}`, '404', `speak ${CLONED}`, `speak ${CLONED}`]);
  clock.advance(1);
  await open(CLONED);
  assert.equal(told.slice(4), [`load ${CLONED}`, `speak ${CLONED}`]);
});

test('an abort ends the wait for a voice, not the loading', async ({ open, told, loads }) => {
  let finish = (): void => {};
  loads.push(
    new Promise((resolve) => {
      finish = resolve;
    }),
  );
  const controller = new AbortController();
  const failure = rejection(open(CLONED, controller.signal));
  await setImmediate();
  controller.abort();
  assert.is(((await failure) as GatewayError).code, 'ERR_ABORTED');
  finish();
  await open(CLONED);
  assert.equal(told, [`load ${CLONED}`, `speak ${CLONED}`]);
});

test.run();
