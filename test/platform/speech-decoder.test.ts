import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711 } from '../../src/audio/g711.ts';
import { wavHeader } from '../../src/audio/wav.ts';
import type { GatewayError } from '../../src/core/errors.ts';
import { SpeechDecoder } from '../../src/platform/speech-decoder.ts';
import { withSeed } from '../audio/prng.ts';
import { assertSamples } from '../support/samples.ts';

const test = suite('speech decoder');
const pcm = Int16Array.from({ length: 4000 }, (_, i) => 9000 * Math.sin(i / 7));
const bytes = Buffer.from(pcm.buffer);

/** All that comes out of `chunks`. */
function decodeAll(decoder: SpeechDecoder, chunks: readonly Uint8Array[]): number[] {
  const out = chunks.flatMap((chunk) => [...decoder.push(chunk)]);
  decoder.end();
  return out;
}

function cutAtRandom(whole: Uint8Array, random: () => number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < whole.length; ) {
    const length = Math.floor(random() ** 3 * 700);
    chunks.push(whole.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as GatewayError).code;
  }
  return 'no error';
}

test('bare samples come out whole, however odd the chunks', () => {
  withSeed((random) => {
    for (let round = 0; round < 50; round++) {
      const decoder = new SpeechDecoder({ sampleRate: 16_000 });
      assertSamples(decodeAll(decoder, cutAtRandom(bytes, random)), pcm);
      assert.is(decoder.sampleRate, 16_000);
    }
  });
});

test('a RIFF header with unknown sizes is taken off, and its rate wins', () => {
  withSeed((random) => {
    const header = wavHeader({ format: 'linear16', sampleRate: 24_000, dataBytes: 0, streaming: true });
    for (let round = 0; round < 50; round++) {
      const decoder = new SpeechDecoder({ sampleRate: 16_000 });
      assertSamples(decodeAll(decoder, cutAtRandom(Buffer.concat([header, bytes]), random)), pcm);
      assert.is(decoder.sampleRate, 24_000);
    }
  });
});

test('bare mulaw is decoded at 8 kHz, and so is mulaw in a WAV that was not asked for', () => {
  const codes = Uint8Array.from({ length: 2000 }, (_, i) => i * 31);
  const expected = new Int16Array(codes.length);
  G711.decodeUlaw(codes, expected);
  const bare = new SpeechDecoder({ sampleRate: 16_000, mulaw: true });
  assertSamples(decodeAll(bare, [codes.subarray(0, 777), codes.subarray(777)]), expected);
  assert.is(bare.sampleRate, 8000);
  const header = wavHeader({ format: 'mulaw', sampleRate: 8000, dataBytes: codes.length });
  const wav = new SpeechDecoder({ sampleRate: 16_000 });
  assertSamples(decodeAll(wav, [header, codes]), expected);
  assert.is(wav.sampleRate, 8000);
});

test('what follows the samples of a WAV is not played', () => {
  const header = wavHeader({ format: 'linear16', sampleRate: 16_000, dataBytes: bytes.length });
  const trailer = Buffer.from('LIST\x10\0\0\0INFO noise here!');
  const decoder = new SpeechDecoder({ sampleRate: 16_000 });
  assertSamples(decodeAll(decoder, [header, bytes, trailer]), pcm);
});

test('a WAV with less than its header promised is torn', () => {
  const header = wavHeader({ format: 'linear16', sampleRate: 16_000, dataBytes: bytes.length + 2 });
  const decoder = new SpeechDecoder({ sampleRate: 16_000 });
  assertSamples([...decoder.push(Buffer.concat([header, bytes]))], pcm);
  assert.is(
    codeOf(() => decoder.end()),
    'ERR_TTS_TORN',
  );
});

test('no audio, a lone byte and exactly 20 ms are empty; one sample more is not', () => {
  for (const length of [0, 1, 2, 640]) {
    const decoder = new SpeechDecoder({ sampleRate: 16_000 });
    assert.is(decoder.push(bytes.subarray(0, length)).length, 0);
    assert.is(
      codeOf(() => decoder.end()),
      'ERR_TTS_EMPTY',
    );
  }
  const decoder = new SpeechDecoder({ sampleRate: 16_000 });
  assertSamples(decodeAll(decoder, [bytes.subarray(0, 640), bytes.subarray(640, 642)]), pcm.subarray(0, 321));
});

test('a header alone is empty', () => {
  const decoder = new SpeechDecoder({ sampleRate: 16_000 });
  decoder.push(wavHeader({ format: 'linear16', sampleRate: 16_000, dataBytes: 0, streaming: true }));
  assert.is(
    codeOf(() => decoder.end()),
    'ERR_TTS_EMPTY',
  );
});

test('a JSON body is the error that it is, in one piece or several', () => {
  const body = Buffer.from('{"success":false,"error":{"code":10429,"message":"Too many requests – slow down"}}');
  for (const chunks of [[body], [body.subarray(0, 1), body.subarray(1, 20), body.subarray(20)]]) {
    const decoder = new SpeechDecoder({ sampleRate: 16_000 });
    assert.is(
      codeOf(() => decodeAll(decoder, chunks)),
      'ERR_PLATFORM_RATE',
    );
  }
});

test('samples that begin like JSON are played once they are no text', () => {
  const loud = Int16Array.from(pcm);
  loud.set([0x227b, 0x6161, 0x6262]);
  const decoder = new SpeechDecoder({ sampleRate: 16_000 });
  const whole = Buffer.from(loud.buffer);
  assertSamples(decodeAll(decoder, [whole.subarray(0, 5), whole.subarray(5)]), loud);
});

test('stereo and other formats are refused', () => {
  const stereo = wavHeader({ format: 'linear16', sampleRate: 16_000, dataBytes: 4000, channels: 2 });
  assert.is(
    codeOf(() => new SpeechDecoder({ sampleRate: 16_000 }).push(stereo)),
    'ERR_PLATFORM_PROTOCOL',
  );
  const mp3 = wavHeader({ format: 'linear16', sampleRate: 16_000, dataBytes: 4000 });
  mp3[20] = 0x55;
  assert.is(
    codeOf(() => new SpeechDecoder({ sampleRate: 16_000 }).push(mp3)),
    'ERR_WAV_INVALID',
  );
});

test.run();
