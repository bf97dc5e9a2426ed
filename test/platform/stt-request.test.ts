import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711 } from '../../src/audio/g711.ts';
import { parseWav, type Wav } from '../../src/audio/wav.ts';
import { buildSttRequest } from '../../src/platform/stt-request.ts';
import { withSeed } from '../audio/prng.ts';
import { assertSamples } from '../support/samples.ts';

const test = suite('stt request');

interface Message {
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

function parse(message: Buffer): Message {
  return JSON.parse(message.toString()) as Message;
}

function wavOf(message: Buffer): Wav {
  return parseWav(Buffer.from(String(parse(message).payload['audioBase64']), 'base64'));
}

function samplesOf(wav: Wav): Int16Array {
  return new Int16Array(Uint8Array.from(wav.data).buffer);
}

/** A tone of 1 kHz. */
function tone(sampleRate: number, samples: number): Int16Array {
  return Int16Array.from({ length: samples }, (_, i) => 8000 * Math.sin((2 * Math.PI * 1000 * i) / sampleRate));
}

test('is one stt frame with the audio, the language and the end of speech decided', () => {
  const message = parse(buildSttRequest(tone(8000, 800), 8000, { language: 'ar', format: 'linear16-16000' }));
  assert.is(message.type, 'stt');
  assert.equal(Object.keys(message.payload), ['audioBase64', 'language', 'isEosEnabled']);
  assert.is(message.payload['language'], 'ar');
  assert.is(message.payload['isEosEnabled'], false);
});

test('carries model and threshold only where they are set, and escapes what it is given', () => {
  const { payload } = parse(
    buildSttRequest(tone(8000, 8), 8000, { language: 'ع"\\', format: 'linear16-8000', model: 's3', eosThreshold: 0 }),
  );
  assert.equal(
    { ...payload, audioBase64: '' },
    { audioBase64: '', language: 'ع"\\', isEosEnabled: true, eosThreshold: 0, model: 's3' },
  );
});

test('holds every sample of linear16 at its own rate, whatever the length', () => {
  withSeed((random) => {
    for (const samples of [0, 1, 2, 3, 4, 5, 6, 160, 6_121, 6_122, 6_123, 6_144, 6_145, 120_000]) {
      const pcm = Int16Array.from({ length: samples }, () => (random() - 0.5) * 65_535);
      const wav = wavOf(buildSttRequest(pcm, 8000, { language: 'ar', format: 'linear16-8000' }));
      assert.is(wav.sampleRate, 8000);
      assert.is(wav.formatTag, 1);
      assertSamples(samplesOf(wav), pcm, `an utterance of ${samples} samples`);
    }
  });
});

test('takes a view into a larger buffer for what it is', () => {
  const pcm = tone(8000, 1000);
  const wav = wavOf(buildSttRequest(pcm.subarray(101, 301), 8000, { language: 'ar', format: 'linear16-8000' }));
  assertSamples(samplesOf(wav), pcm.subarray(101, 301));
});

test('resamples a telephone line to 16 kHz', () => {
  const wav = wavOf(buildSttRequest(tone(8000, 8000), 8000, { language: 'ar', format: 'linear16-16000' }));
  assert.is(wav.sampleRate, 16_000);
  const samples = samplesOf(wav);
  assert.is(samples.length, 16_000);
  const expected = tone(16_000, 16_000);
  for (let i = 1000; i < 15_000; i++) assert.ok(Math.abs(samples[i]! - expected[i]!) < 40, `sample ${i}`);
});

test('mulaw is tag 7 at 8 kHz, with a pad byte behind an odd number of samples', () => {
  for (const samples of [799, 800]) {
    const pcm = tone(8000, samples);
    const message = buildSttRequest(pcm, 8000, { language: 'ar', format: 'mulaw-8000' });
    const wav = wavOf(message);
    assert.is(wav.formatTag, 7);
    assert.is(wav.sampleRate, 8000);
    const codes = new Uint8Array(samples);
    G711.encodeUlaw(pcm, codes);
    assertSamples(wav.data, codes);
    assert.is(Buffer.from(String(parse(message).payload['audioBase64']), 'base64').length % 2, 0);
  }
});

test('wideband audio comes down to mulaw at 8 kHz', () => {
  const wav = wavOf(buildSttRequest(tone(16_000, 16_000), 16_000, { language: 'ar', format: 'mulaw-8000' }));
  assert.is(wav.data.length, 8000);
});

test.run();
