import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeWav, parseWav, wavToPcm } from '../../src/audio/wav.ts';
import { WavWriter } from '../../src/audio/wav-writer.ts';

const test = suite<{ folder: string }>('WavWriter');

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'wav-writer-'));
});
test.after.each(async (context) => {
  await rm(context.folder, { recursive: true });
});

const PCM = Int16Array.from({ length: 1000 }, (_, index) => index * 60 - 30_000);

test('writes the same file as encodeWav, piece by piece and without waiting', async ({ folder }) => {
  const path = join(folder, 'call.wav');
  const writer = await WavWriter.create(path, { format: 'linear16', sampleRate: 8000 });
  await Promise.all([
    writer.write(PCM.subarray(0, 333)),
    writer.write(PCM.subarray(333, 334)),
    writer.write(PCM.subarray(334)),
  ]);
  assert.is(writer.dataBytes, 2000);
  await writer.close();
  assert.equal(new Uint8Array(await readFile(path)), encodeWav(PCM, 8000));
});

test('a file that was never closed can be read', async ({ folder }) => {
  const path = join(folder, 'crash.wav');
  const writer = await WavWriter.create(path, { format: 'linear16', sampleRate: 8000, channels: 2 });
  await writer.write(PCM);
  const wav = parseWav(await readFile(path));
  await writer.close();
  assert.is(wav.channels, 2);
  assert.equal(new Uint8Array(wav.data), new Uint8Array(PCM.buffer));
});

test('pads an odd number of mu-law codes', async ({ folder }) => {
  const path = join(folder, 'odd.wav');
  const writer = await WavWriter.create(path, { format: 'mulaw', sampleRate: 8000 });
  await writer.write(Uint8Array.of(1, 2, 3));
  await writer.close();
  const bytes = await readFile(path);
  assert.is(bytes.length, 58 + 4);
  assert.is(bytes.readUInt32LE(4), bytes.length - 8);
  assert.is(wavToPcm(parseWav(bytes)).length, 3);
});

test('an empty recording is a valid file', async ({ folder }) => {
  const path = join(folder, 'empty.wav');
  const writer = await WavWriter.create(path, { format: 'linear16', sampleRate: 16000 });
  await writer.close();
  assert.equal(new Uint8Array(await readFile(path)), encodeWav(new Int16Array(0), 16000));
});

test('rejects with the error of the file system', async ({ folder }) => {
  try {
    await WavWriter.create(join(folder, 'missing', 'x.wav'), { format: 'linear16', sampleRate: 8000 });
  } catch (error) {
    assert.is((error as NodeJS.ErrnoException).code, 'ENOENT');
    return;
  }
  assert.unreachable();
});

test.run();
