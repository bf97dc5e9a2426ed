import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711 } from '../../src/audio/g711.ts';
import { encodeWav, parseWav, type WavHeader, WavHeaderSniffer, wavHeader, wavToPcm } from '../../src/audio/wav.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { withSeed } from './prng.ts';

const test = suite('WAV');

const PCM = Int16Array.of(0, 1, -1, 32767, -32768, 1234);
const WAVE_GUID_TAIL = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

function u16(value: number): number[] {
  return [value & 255, value >> 8];
}

function u32(value: number): number[] {
  return [...u16(value & 0xffff), ...u16(value >>> 16)];
}

function text(characters: string): number[] {
  return [...Buffer.from(characters, 'latin1')];
}

/** A chunk with its pad byte; `size` may lie. */
function chunk(id: string, body: number[], size: number = body.length): number[] {
  return [...text(id), ...u32(size), ...body, ...(body.length % 2 === 1 ? [0] : [])];
}

function format(tag: number, channels: number, sampleRate: number, bits: number, more: number[] = []): number[] {
  const frameBytes = (channels * bits) / 8;
  return [
    ...u16(tag),
    ...u16(channels),
    ...u32(sampleRate),
    ...u32(sampleRate * frameBytes),
    ...u16(frameBytes),
    ...u16(bits),
    ...more,
  ];
}

function riff(chunks: number[][], size?: number): Uint8Array {
  const body = chunks.flat();
  return Uint8Array.from([...text('RIFF'), ...u32(size ?? body.length + 4), ...text('WAVE'), ...body]);
}

function bytesOf(pcm: Int16Array): number[] {
  return [...new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength)];
}

const LINEAR_8K = chunk('fmt ', format(1, 1, 8000, 16));
const DATA = chunk('data', bytesOf(PCM));

function refuses(bytes: Uint8Array, found: RegExp): void {
  try {
    parseWav(bytes);
  } catch (error) {
    assert.ok(error instanceof GatewayError && error.code === 'ERR_WAV_INVALID', String(error));
    assert.match(error.found, found);
    assert.ok(error.needed);
    return;
  }
  assert.unreachable(`accepted what has ${found}`);
}

test('a linear16 header is the 44 bytes everyone writes', () => {
  const header = wavHeader({ format: 'linear16', sampleRate: 16000, dataBytes: 1000 });
  assert.equal(header, riff([chunk('fmt ', format(1, 1, 16000, 16)), chunk('data', [], 1000)], 1036));
});

test('a mulaw header has tag 7, an empty extension and a fact chunk, and counts the pad byte', () => {
  const header = wavHeader({ format: 'mulaw', sampleRate: 8000, dataBytes: 161 });
  const chunks = [chunk('fmt ', format(7, 1, 8000, 8, u16(0))), chunk('fact', u32(161)), chunk('data', [], 161)];
  assert.equal(header, riff(chunks, 50 + 162));
});

test('a streaming header has sizes of all ones, and a stereo one its frame size', () => {
  const header = wavHeader({ format: 'linear16', sampleRate: 8000, dataBytes: 0, streaming: true, channels: 2 });
  assert.equal(header, riff([chunk('fmt ', format(1, 2, 8000, 16)), chunk('data', [], 0xffffffff)], 0xffffffff));
});

test('refuses a length that no WAV can tell', () => {
  for (const dataBytes of [-1, 1.5, 2 ** 31, Number.NaN]) {
    assert.throws(() => wavHeader({ format: 'linear16', sampleRate: 8000, dataBytes }), RangeError);
  }
});

test('what is encoded parses back, from a view at an odd offset too', () => {
  const bytes = encodeWav(PCM.subarray(1), 16000);
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const wav = parseWav(shifted.subarray(3));
  const { data, ...rest } = wav;
  assert.equal(rest, { format: 'linear16', formatTag: 1, channels: 1, sampleRate: 16000, bitsPerSample: 16 });
  assert.is(data.buffer, shifted.buffer);
  assert.equal(wavToPcm(wav), PCM.subarray(1).slice());
});

test('skips LIST, fact and unknown chunks, with the pad byte of odd ones', () => {
  const wav = parseWav(
    riff([
      chunk('LIST', text('INFOx')),
      LINEAR_8K,
      chunk('fact', u32(6)),
      chunk('odd ', [1]),
      DATA,
      chunk('LIST', text('tail')),
    ]),
  );
  assert.equal(wavToPcm(wav), PCM);
});

test('decodes mu-law and A-law', () => {
  const codes = Uint8Array.of(0, 0x7f, 0x80, 0xd5, 0x2a);
  for (const [tag, law, name] of [
    [7, 'ulaw', 'mulaw'],
    [6, 'alaw', 'alaw'],
  ] as const) {
    const wav = parseWav(riff([chunk('fmt ', format(tag, 1, 8000, 8, u16(0))), chunk('data', [...codes])]));
    assert.equal([wav.format, wav.formatTag, wav.bitsPerSample, wav.data.length], [name, tag, 8, 5]);
    const expected = new Int16Array(5);
    G711.decode(law, codes, expected);
    assert.equal(wavToPcm(wav), expected);
  }
});

test('mixes channels down by averaging', () => {
  const stereo = Int16Array.of(100, 200, -100, 100, 32767, 32767, -32768, -32768, 1, 2);
  const wav = parseWav(riff([chunk('fmt ', format(1, 2, 8000, 16)), chunk('data', bytesOf(stereo))]));
  assert.is(wav.channels, 2);
  assert.equal(wavToPcm(wav), Int16Array.of(150, 0, 32767, -32768, 2));
});

test('resolves WAVE_FORMAT_EXTENSIBLE and refuses its other sub-formats', () => {
  const extension = (tag: number, tail: number[]): number[] => [
    ...u16(22),
    ...u16(16),
    ...u32(4),
    ...u16(tag),
    ...tail,
  ];
  const extensible = (tag: number, tail = WAVE_GUID_TAIL): Uint8Array =>
    riff([chunk('fmt ', format(0xfffe, 1, 48000, 16, extension(tag, tail))), DATA]);
  const wav = parseWav(extensible(1));
  assert.equal([wav.format, wav.formatTag, wav.sampleRate], ['linear16', 1, 48000]);
  assert.equal(wavToPcm(wav), PCM);
  refuses(extensible(3), /format tag 3/);
  refuses(extensible(1, WAVE_GUID_TAIL.with(13, 0)), /format tag 65534/);
});

test('a size that was not known when the header was written means: to the end', () => {
  for (const size of [0, 0xffffffff, 0x7ffff000]) {
    for (const riffSize of [0, 0xffffffff, 36]) {
      const wav = parseWav(riff([LINEAR_8K, chunk('data', bytesOf(PCM), size)], riffSize));
      assert.equal(wavToPcm(wav), PCM, `data size ${size}, RIFF size ${riffSize}`);
    }
  }
});

test('an empty file with chunks after its samples is empty', () => {
  assert.is(parseWav(riff([LINEAR_8K, chunk('data', []), chunk('LIST', text('tail'))])).data.length, 0);
  assert.is(parseWav(encodeWav(new Int16Array(0), 8000)).data.length, 0);
});

test('takes the whole frames there are of samples that are cut off', () => {
  const whole = riff([LINEAR_8K, DATA]);
  assert.equal(wavToPcm(parseWav(whole.subarray(0, whole.length - 3))), PCM.subarray(0, 4));
  const stereo = riff([chunk('fmt ', format(1, 2, 8000, 16)), chunk('data', [...bytesOf(PCM), 9, 9], 1000)]);
  assert.is(parseWav(stereo).data.length, 12);
});

test('refuses every truncation of a header', () => {
  const whole = riff([LINEAR_8K, DATA]);
  for (let length = 0; length < 44; length++) refuses(whole.subarray(0, length), /cut off/);
  assert.is(parseWav(whole.subarray(0, 44)).data.length, 0);
});

test('says what is wrong with a format it can not use', () => {
  const withFormat = (...fields: Parameters<typeof format>): Uint8Array =>
    riff([chunk('fmt ', format(...fields)), DATA]);
  refuses(withFormat(1, 1, 8000, 24), /linear16 WAV with 24 bits/);
  refuses(withFormat(1, 1, 8000, 8), /8 bits/);
  refuses(withFormat(7, 1, 8000, 16), /mulaw WAV with 16 bits/);
  refuses(withFormat(3, 1, 8000, 32), /format tag 3/);
  refuses(withFormat(1, 0, 8000, 16), /0 channels/);
  refuses(withFormat(1, 1, 0, 16), /0 Hz/);
  refuses(riff([chunk('fmt ', [1, 0, 1, 0]), DATA]), /fmt chunk of 4 bytes/);
  refuses(riff([DATA, LINEAR_8K]), /before their format/);
  refuses(Uint8Array.from(text('OggS, not a WAV file at all')), /RIFF header/);
  refuses(Uint8Array.from(text('RIFF....AVI LIST')), /RIFF header/);
});

function sniff(
  bytes: Uint8Array,
  cuts: number[],
): { result: WavHeader | 'needMore' | 'notWav'; sniffer: WavHeaderSniffer } {
  const sniffer = new WavHeaderSniffer();
  let result: WavHeader | 'needMore' | 'notWav' = 'needMore';
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    // The chunk's memory is used again, as a socket does.
    const piece = bytes.slice(from, to);
    result = sniffer.push(piece);
    piece.fill(0xee);
    from = to;
    if (result !== 'needMore') break;
  }
  return { result, sniffer };
}

test('a stream torn anywhere is sniffed like a whole one', () => {
  const bytes = riff([chunk('LIST', text('INFOx')), LINEAR_8K, chunk('data', bytesOf(PCM), 0xffffffff)], 0xffffffff);
  const dataOffset = bytes.length - PCM.byteLength;
  withSeed((random) => {
    for (let round = 0; round < 300; round++) {
      const cuts = Array.from({ length: round % 60 }, () => Math.floor(random() * (bytes.length + 1)));
      const { result, sniffer } = sniff(
        bytes,
        cuts.toSorted((a, b) => a - b),
      );
      assert.equal(result, {
        format: 'linear16',
        formatTag: 1,
        channels: 1,
        sampleRate: 8000,
        bitsPerSample: 16,
        dataOffset,
        dataBytes: undefined,
      });
      assert.equal(sniffer.bytes, bytes.slice(0, sniffer.bytes.length));
      assert.ok(sniffer.bytes.length >= dataOffset);
    }
  });
});

test('the sniffer waits byte by byte and knows the promised length', () => {
  const bytes = riff([LINEAR_8K, DATA]);
  const sniffer = new WavHeaderSniffer();
  for (let i = 0; i < 43; i++) assert.is(sniffer.push(bytes.subarray(i, i + 1)), 'needMore');
  const header = sniffer.push(bytes.subarray(43, 44));
  assert.ok(typeof header === 'object');
  assert.is(header.dataBytes, PCM.byteLength);
});

test('the sniffer takes no size that was only written for want of a better one for a promise', () => {
  for (const size of [0, 0x7ffff000, 0xffffffff]) {
    const { result } = sniff(riff([LINEAR_8K, chunk('data', bytesOf(PCM), size)]), []);
    assert.ok(typeof result === 'object');
    assert.is(result.dataBytes, undefined);
  }
});

test('bare samples are told at the first byte that can not be a header', () => {
  assert.is(sniff(Uint8Array.of(0), []).result, 'notWav');
  assert.is(sniff(Uint8Array.from(text('RIF')), [1, 2]).result, 'needMore');
  const { result, sniffer } = sniff(Uint8Array.from(text('RIFX')), [1, 2, 3]);
  assert.is(result, 'notWav');
  assert.equal(sniffer.bytes, Uint8Array.from(text('RIFX')));
  assert.is(sniff(Uint8Array.from(text('RIFF....WAVX')), [5]).result, 'notWav');
});

test('the sniffer refuses a WAV that can not be played and one whose samples never begin', () => {
  assert.throws(() => sniff(riff([chunk('fmt ', format(1, 1, 8000, 24)), DATA]), []), /24 bits/);
  const endless = riff([LINEAR_8K, chunk('LIST', [], 0xfffffff0)]);
  const sniffer = new WavHeaderSniffer();
  assert.is(sniffer.push(endless), 'needMore');
  let pushed = 0;
  assert.throws(() => {
    for (; pushed < 1000; pushed++) sniffer.push(new Uint8Array(1000));
  }, /no samples begin/);
  assert.ok(pushed < 70, `gave up after ${pushed} kB`);
});

test.run();
