import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GatewayError } from '../../src/core/errors.ts';
import { SENTENCE_END } from '../../src/speech/playout.ts';
import { Synthesizer } from '../../src/speech/synthesizer.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { rejection } from '../support/until.ts';
import { FakeSpeechSource } from './speech-source.ts';

const RATE = 16_000;
/** 45 letters: no voice says it in half a second. */
const TEXT = 'The train to the airport leaves in twenty-five minutes.';

interface World {
  clock: FakeClock;
  source: FakeSpeechSource;
  synthesizer: Synthesizer;
  heard: number;
  marks: number;
  hear: (text?: string) => Promise<void>;
}

const test = suite<World>('audio that is too short for its text');

test.before.each((world) => {
  world.clock = new FakeClock();
  world.source = new FakeSpeechSource(RATE);
  world.synthesizer = new Synthesizer({ openSpeech: world.source.open, clock: world.clock, voice: 'Salem' });
  world.heard = 0;
  world.marks = 0;
  world.hear = async (text = TEXT) => {
    for await (const item of world.synthesizer.speak(text, { sampleRate: RATE })) {
      if (item === SENTENCE_END) world.marks++;
      else world.heard += item.length / (RATE / 1000);
    }
  };
});

const audio = (ms: number): Int16Array => new Int16Array((ms * RATE) / 1000).fill(900);

/** Waits until everything that follows of itself has happened, then lets the pause before another attempt pass. */
async function pass(clock: FakeClock): Promise<void> {
  await setImmediate();
  clock.advance(200);
}

test('nothing of it is heard, it is asked for again and counted', async (world) => {
  const { source, clock } = world;
  for (const cutMs of [21, 40, 100, 290]) {
    Object.assign(world, { heard: 0, marks: 0 });
    const before = source.requests.length;
    const hearing = world.hear();
    const cut = await source.request(before + 1);
    cut.give(audio(cutMs));
    cut.end();
    await pass(clock);
    assert.is(world.heard, 0, `${cutMs} ms`);
    const whole = await source.request(before + 2);
    whole.give(audio(3000));
    whole.end();
    await hearing;
    assert.equal([world.heard, world.marks], [3000, 1]);
  }
  assert.equal(world.synthesizer.statistics, { requests: 8, retries: 4, short: 4, failed: 0 });
});

test('so is a cut reply whose end comes a little later than its audio', async (world) => {
  const { source, clock } = world;
  const hearing = world.hear();
  const cut = await source.request(1);
  cut.give(audio(100));
  await setImmediate();
  clock.advance(5);
  await setImmediate();
  cut.end();
  await pass(clock);
  assert.is(world.heard, 0);
  const whole = await source.request(2);
  whole.give(audio(3000));
  whole.end();
  await hearing;
});

test('three times short is an error, and nothing was heard', async (world) => {
  const { source, clock } = world;
  const failure = rejection(world.hear());
  for (let number = 1; number <= 3; number++) {
    const cut = await source.request(number);
    cut.give(audio(60));
    cut.end();
    await pass(clock);
  }
  const error = (await failure) as GatewayError;
  assert.is(error.code, 'ERR_TTS_SHORT');
  assert.match(error.message, /60 ms/);
  assert.ok(error.retryable);
  assert.equal([world.heard, world.marks, source.requests.length], [0, 0, 3]);
  assert.equal(world.synthesizer.statistics, { requests: 3, retries: 2, short: 3, failed: 1 });
});

test('no audio at all is the same', async (world) => {
  const { source, clock } = world;
  const failure = rejection(world.hear());
  for (let number = 1; number <= 3; number++) {
    (await source.request(number)).end(new GatewayError('ERR_TTS_EMPTY', 'no audio'));
    await pass(clock);
  }
  assert.is(((await failure) as GatewayError).code, 'ERR_TTS_EMPTY');
  assert.is(world.synthesizer.statistics.short, 3);
});

test('audio that breaks off before anything was released is asked for again', async (world) => {
  const { source, clock } = world;
  const hearing = world.hear();
  const torn = await source.request(1);
  torn.give(audio(100));
  await setImmediate();
  torn.end(new GatewayError('ERR_TTS_TORN', 'broke off'));
  await pass(clock);
  const whole = await source.request(2);
  whole.give(audio(2500));
  whole.end();
  await hearing;
  assert.is(world.heard, 2500);
});

test('speech is released with the chunk that makes it long enough, without any wait', async (world) => {
  const { source } = world;
  const hearing = world.hear();
  const speech = await source.request(1);
  speech.give(audio(200));
  await setImmediate();
  assert.is(world.heard, 0);
  speech.give(audio(100));
  await setImmediate();
  assert.is(world.heard, 300);
  speech.give(audio(2000));
  speech.end();
  await hearing;
});

test('speech that comes slowly is released after 6 ms, whatever has come', async (world) => {
  const { source, clock } = world;
  const hearing = world.hear();
  const speech = await source.request(1);
  speech.give(audio(60));
  await setImmediate();
  clock.advance(6);
  await setImmediate();
  assert.is(world.heard, 60);
  assert.is(clock.timers, 0);
  speech.give(audio(2000));
  speech.end();
  await hearing;
});

test('an end that comes too early after all is an error, never a short sentence in silence', async (world) => {
  const { source, clock } = world;
  const failure = rejection(world.hear());
  const speech = await source.request(1);
  speech.give(audio(60));
  await setImmediate();
  clock.advance(6);
  await setImmediate();
  speech.give(audio(60));
  speech.end();
  assert.is(((await failure) as GatewayError).code, 'ERR_TTS_SHORT');
  assert.equal([world.heard, world.marks, source.requests.length], [120, 0, 1]);
  assert.equal([world.synthesizer.statistics.short, world.synthesizer.statistics.failed], [1, 1]);
});

test('a truthful voice is not refused, however fast it is', async (world) => {
  const { source } = world;
  const fast: [string, number][] = [
    // 27 ms a letter is espeak-ng at 450 words a minute.
    [TEXT, 45 * 27],
    ['OK', 90],
    ['نعم', 110],
    ['مرحبا بك في خدمة العملاء', 600],
    ['1000000', 350],
    ['٢٥', 200],
    ['…!', 0],
    ['你好', 150],
    ['See https://example.com/a/very/long/path/that/no/voice/reads/letter/by/letter?x=1234567890', 350],
  ];
  for (const [text, ms] of fast) {
    const before = source.requests.length;
    const hearing = world.hear(text);
    if (ms > 0) {
      const speech = await source.request(before + 1);
      speech.give(audio(ms));
      speech.end();
    }
    await hearing;
  }
  assert.equal([world.synthesizer.statistics.short, world.synthesizer.statistics.failed], [0, 0]);
});

test.run();
