import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Resampler } from '../../src/audio/resampler.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import type { SpeechRequest, SpeechStream } from '../../src/platform/speech-stream.ts';
import { SENTENCE_END } from '../../src/speech/playout.ts';
import { Synthesizer } from '../../src/speech/synthesizer.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { assertSamples } from '../support/samples.ts';
import { rejection } from '../support/until.ts';

type Answer = Error | { readonly sampleRate: number; readonly chunks: readonly Int16Array[]; readonly end?: Error };

interface World {
  readonly clock: FakeClock;
  readonly synthesizer: Synthesizer;
  readonly requests: SpeechRequest[];
}

/** A synthesizer whose requests are answered one after the other. */
function makeWorld(...answers: Answer[]): World {
  const clock = new FakeClock();
  const requests: SpeechRequest[] = [];
  const openSpeech = async (
    request: SpeechRequest,
    { signal }: { readonly signal?: AbortSignal | undefined },
  ): Promise<SpeechStream> => {
    requests.push(request);
    if (signal?.aborted) throw new GatewayError('ERR_ABORTED', 'given up');
    const answer = answers.shift();
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer is left');
    const { sampleRate, chunks, end } = answer;
    async function* stream(): AsyncGenerator<Int16Array> {
      yield* chunks;
      if (end) throw end;
    }
    return { sampleRate, [Symbol.asyncIterator]: stream };
  };
  const synthesizer = new Synthesizer({ openSpeech, clock, voice: 'Salem', dialect: 'irq' });
  return { clock, synthesizer, requests };
}

async function hear(speech: AsyncIterable<Int16Array | symbol>): Promise<number[]> {
  const samples: number[] = [];
  for await (const chunk of speech) if (typeof chunk !== 'symbol') samples.push(...chunk);
  return samples;
}

/** Counts instead of keeping: for long texts. */
async function listen(speech: AsyncIterable<Int16Array | symbol>): Promise<{ samples: number; marks: number }> {
  let samples = 0;
  let marks = 0;
  for await (const item of speech) {
    if (typeof item === 'symbol') marks++;
    else samples += item.length;
  }
  return { samples, marks };
}

const tone = Int16Array.from({ length: 3200 }, (_, i) => 8000 * Math.sin((2 * Math.PI * 500 * i) / 16_000));
const torn = new GatewayError('ERR_TTS_TORN', 'the audio broke off');
const unavailable = new PlatformError('ERR_PLATFORM_UNAVAILABLE', 'down');

const test = suite('synthesizer');

test('asks for 16 kHz in the voice and dialect of the gateway, or in the voice that is named', async () => {
  const { synthesizer, requests } = makeWorld(
    { sampleRate: 16_000, chunks: [tone] },
    { sampleRate: 16_000, chunks: [tone] },
  );
  await hear(synthesizer.speak('مرحبا', { sampleRate: 16_000 }));
  await hear(synthesizer.speak('hello', { sampleRate: 16_000, voice: 'Lana' }));
  assert.equal(requests, [
    { text: 'مرحبا', voice: 'Salem', dialect: 'irq', sampleRate: 16_000 },
    { text: 'hello', voice: 'Lana', dialect: 'irq', sampleRate: 16_000 },
  ]);
});

test('passes audio of the wanted rate through as it comes', async () => {
  const { synthesizer } = makeWorld({ sampleRate: 8000, chunks: [tone.subarray(0, 100), tone.subarray(100)] });
  assertSamples(await hear(synthesizer.speak('a', { sampleRate: 8000 })), tone);
});

test('resamples to the rate of the leg without a delay, whatever the chunks', async () => {
  for (const rate of [16_000, 22_050, 24_000, 44_100, 48_000]) {
    const chunks = [tone.subarray(0, 1), tone.subarray(1, 700), tone.subarray(700, 713), tone.subarray(713)];
    const { synthesizer } = makeWorld({ sampleRate: rate, chunks });
    const heard = await hear(synthesizer.speak('a', { sampleRate: 8000 }));
    const whole = Resampler.resample(tone, rate, 8000);
    assertSamples(heard.slice(0, whole.length), whole);
    assert.ok(heard.length - whole.length <= 1);
  }
});

test('audio that breaks off is heard to its last sample, resampled too', async () => {
  const { synthesizer } = makeWorld({ sampleRate: 16_000, chunks: [tone], end: torn });
  const samples: number[] = [];
  let marks = 0;
  const error = await rejection(
    (async () => {
      for await (const chunk of synthesizer.speak('a', { sampleRate: 8000 })) {
        if (chunk === SENTENCE_END) marks++;
        else samples.push(...chunk);
      }
    })(),
  );
  assert.is(error, torn);
  assertSamples(samples.slice(0, 1600), Resampler.resample(tone, 16_000, 8000));
  assert.is(marks, 0, 'a sentence that broke off was not played');
  assert.is(synthesizer.statistics.failed, 1);
});

test('a rate that can not be resampled is a broken protocol', async () => {
  const { synthesizer } = makeWorld({ sampleRate: 22_051, chunks: [tone] });
  const error = await rejection(hear(synthesizer.speak('a', { sampleRate: 8000 })));
  assert.is((error as GatewayError).code, 'ERR_PLATFORM_PROTOCOL');
});

test('a request that fails before its first audio is made once more', async () => {
  const { synthesizer, requests, clock } = makeWorld(unavailable, { sampleRate: 8000, chunks: [tone] });
  const heard = hear(synthesizer.speak('a', { sampleRate: 8000 }));
  await setImmediate();
  assert.is(requests.length, 1);
  clock.advance(200);
  assertSamples(await heard, tone);
  assert.equal(synthesizer.statistics, { requests: 2, retries: 1, short: 0, failed: 0 });
});

test('a second failure is the end of it', async () => {
  const again = new PlatformError('ERR_PLATFORM_TIMEOUT', 'still down');
  const { synthesizer, requests, clock } = makeWorld(unavailable, again, { sampleRate: 8000, chunks: [tone] });
  const failure = rejection(hear(synthesizer.speak('a', { sampleRate: 8000 })));
  await setImmediate();
  clock.advance(200);
  assert.is(await failure, again);
  assert.is(requests.length, 2);
});

test('a refusal is not asked for again', async () => {
  for (const code of ['ERR_PLATFORM_AUTH', 'ERR_PLATFORM_WALLET', 'ERR_PLATFORM_REQUEST'] as const) {
    const refusal = new PlatformError(code, 'no');
    const { synthesizer, requests } = makeWorld(refusal, { sampleRate: 8000, chunks: [tone] });
    assert.is(await rejection(hear(synthesizer.speak('a', { sampleRate: 8000 }))), refusal);
    assert.is(requests.length, 1);
  }
});

test('audio that breaks off after its start is not asked for again', async () => {
  const { synthesizer, requests } = makeWorld(
    { sampleRate: 8000, chunks: [tone], end: torn },
    { sampleRate: 8000, chunks: [tone] },
  );
  assert.is(await rejection(hear(synthesizer.speak('a', { sampleRate: 8000 }))), torn);
  assert.is(requests.length, 1);
});

test('a short rate limit is waited for, a long one is not', async () => {
  const short = new PlatformError('ERR_PLATFORM_RATE', 'slow down', { retryAfterMs: 2_000 });
  const patient = makeWorld(short, { sampleRate: 8000, chunks: [tone] });
  const heard = hear(patient.synthesizer.speak('a', { sampleRate: 8000 }));
  await setImmediate();
  patient.clock.advance(1_999);
  await setImmediate();
  assert.is(patient.requests.length, 1);
  patient.clock.advance(1);
  assertSamples(await heard, tone);
  const long = new PlatformError('ERR_PLATFORM_RATE', 'slow down', { retryAfterMs: 20_000 });
  const { synthesizer } = makeWorld(long);
  assert.is(await rejection(hear(synthesizer.speak('a', { sampleRate: 8000 }))), long);
});

test('an abort ends the wait for the second attempt', async () => {
  const { synthesizer, clock, requests } = makeWorld(unavailable);
  const controller = new AbortController();
  const failure = rejection(hear(synthesizer.speak('a', { sampleRate: 8000, signal: controller.signal })));
  await setImmediate();
  controller.abort();
  assert.is(((await failure) as GatewayError).code, 'ERR_ABORTED');
  assert.is(clock.timers, 0);
  assert.is(requests.length, 1);
  assert.is(synthesizer.statistics.failed, 0);
});

test('a text beyond 2000 characters goes in several requests, whole sentences each', async () => {
  const sentence = `${'word '.repeat(198).trim()}. `;
  const whole = { sampleRate: 8000, chunks: [new Int16Array(8000 * 60)] };
  const { synthesizer, requests } = makeWorld(whole, whole, whole, whole, whole);
  await listen(synthesizer.speak(sentence.repeat(5), { sampleRate: 8000 }));
  assert.ok(requests.every(({ text }) => text.length <= 2000 && text.endsWith('.')));
  assert.is(requests.map(({ text }) => text).join(' '), sentence.repeat(5).trim());
});

test('blanks, points and faces ask for nothing', async () => {
  const { synthesizer, requests } = makeWorld();
  for (const text of [' \n', '... !', '؟', '👍🏽']) {
    assert.equal(await hear(synthesizer.speak(text, { sampleRate: 8000 })), []);
  }
  assert.is(requests.length, 0);
});

test.run();
