import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayError } from '../../src/core/errors.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import { SENTENCE_END } from '../../src/speech/playout.ts';
import { Synthesizer } from '../../src/speech/synthesizer.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { rejection, until } from '../support/until.ts';
import { FakeSpeechSource } from './speech-source.ts';

const RATE = 8000;
const SENTENCE = 'Every sentence of this text has about forty letters in all. ';
/** Twelve sentences, 720 characters. */
const TEXT = SENTENCE.repeat(12).trim();
/** Longer than any request of it needs to be. */
const speech = (seconds = 30): Int16Array => new Int16Array(seconds * RATE).fill(500);

interface World {
  source: FakeSpeechSource;
  synthesizer: Synthesizer;
}

const test = suite<World>('speech ahead');

test.before.each((world) => {
  world.source = new FakeSpeechSource(RATE);
  world.synthesizer = new Synthesizer({ openSpeech: world.source.open, clock: new FakeClock(), voice: 'Salem' });
});

test('the next request is made when the first audio of the one before has come, and never two ahead', async (world) => {
  const { source, synthesizer } = world;
  const items = synthesizer.speak(TEXT, { sampleRate: RATE });
  const first = items.next();
  const one = await source.request(1);
  await setImmediate();
  assert.is(source.requests.length, 1, 'nothing is asked for before it is known that the platform speaks');
  one.give(speech());
  await first;
  const two = await source.request(2);
  two.give(speech());
  await setImmediate();
  assert.is(source.requests.length, 2, 'the third waits for the second');
  one.end();
  while (source.requests.length < 3) await items.next();
  assert.is(source.requests.length, 3);
  await items.return(undefined);
});

test('what is asked for ahead is heard in order, although it comes first', async ({ source, synthesizer }) => {
  const heard: number[] = [];
  const hearing = (async () => {
    for await (const item of synthesizer.speak(TEXT, { sampleRate: RATE })) {
      if (item !== SENTENCE_END) heard.push(item[0]!);
    }
  })();
  const one = await source.request(1);
  one.give(new Int16Array(20 * RATE).fill(1));
  const two = await source.request(2);
  two.give(new Int16Array(20 * RATE).fill(2));
  two.end();
  await setImmediate();
  assert.ok(heard.every((value) => value === 1));
  one.give(new Int16Array(RATE).fill(1));
  one.end();
  const three = await source.request(3);
  three.give(new Int16Array(30 * RATE).fill(3));
  three.end();
  const four = await source.request(4);
  four.give(new Int16Array(30 * RATE).fill(4));
  four.end();
  await hearing;
  assert.equal(
    heard,
    [...heard].sort((a, b) => a - b),
  );
  assert.equal(new Set(heard), new Set([1, 2, 3, 4]));
});

test('the first request is short, each next one longer, and together they are the text', async (world) => {
  const { source, synthesizer } = world;
  const hearing = (async () => {
    for await (const _ of synthesizer.speak(TEXT, { sampleRate: RATE }));
  })();
  for (let number = 1; number <= 4; number++) {
    const request = await source.request(number);
    request.give(speech());
    request.end();
  }
  await hearing;
  const texts = source.requests.map(({ request }) => request.text);
  assert.equal(
    texts.map(({ length }) => length),
    [59, 179, 359, 119],
  );
  assert.is(texts.join(' '), TEXT);
});

test('an abort ends what plays and what is asked for ahead', async ({ source, synthesizer }) => {
  const controller = new AbortController();
  const failure = rejection(
    (async () => {
      for await (const _ of synthesizer.speak(TEXT, { sampleRate: RATE, signal: controller.signal }));
    })(),
  );
  (await source.request(1)).give(speech());
  await source.request(2);
  controller.abort();
  assert.is(((await failure) as GatewayError).code, 'ERR_ABORTED');
  assert.ok(source.requests.every(({ isAborted }) => isAborted));
  assert.is(source.requests.length, 2);
  assert.is(synthesizer.statistics.failed, 0);
});

test('leaving the loop ends all requests, too', async ({ source, synthesizer }) => {
  const items = synthesizer.speak(TEXT, { sampleRate: RATE });
  const first = items.next();
  (await source.request(1)).give(speech());
  await first;
  await source.request(2);
  await items.return(undefined);
  assert.ok(source.requests.every(({ isAborted }) => isAborted));
});

test('a failure ahead is told after what came before it was heard', async ({ source, synthesizer }) => {
  let samples = 0;
  const refused = new PlatformError('ERR_PLATFORM_REQUEST', 'not this text');
  const failure = rejection(
    (async () => {
      for await (const item of synthesizer.speak(TEXT, { sampleRate: RATE })) {
        if (item !== SENTENCE_END) samples += item.length;
      }
    })(),
  );
  const one = await source.request(1);
  one.give(speech(10));
  (await source.request(2)).end(refused);
  await setImmediate();
  one.give(speech(1));
  one.end();
  assert.is(await failure, refused);
  assert.is(samples, 11 * RATE);
  assert.is(source.requests.length, 2);
});

test('a reply of ten seconds is one request, whose audio has a mark for each sentence', async (world) => {
  const { source, synthesizer } = world;
  let marks = 0;
  const hearing = (async () => {
    for await (const item of synthesizer.speak('One is here. Two is here. Three is here.', { sampleRate: RATE })) {
      if (item === SENTENCE_END) marks++;
    }
  })();
  const request = await source.request(1);
  request.give(speech(3));
  request.end();
  await hearing;
  assert.is(source.requests.length, 1);
  assert.is(marks, 3);
});

test('the requests of many texts at once do not mix', async ({ source, synthesizer }) => {
  const hear = async (text: string): Promise<number[]> => {
    const values: number[] = [];
    for await (const item of synthesizer.speak(text, { sampleRate: RATE })) {
      if (item !== SENTENCE_END) values.push(item[0]!);
    }
    return values;
  };
  const all = Promise.all(['a one', 'b two', 'c three'].map(hear));
  await until(() => source.requests.length === 3, 'three requests');
  for (const answer of [...source.requests].reverse()) {
    answer.give(new Int16Array(RATE).fill(answer.request.text.charCodeAt(0)));
    answer.end();
  }
  assert.equal(await all, [[97], [98], [99]]);
});

test.run();
