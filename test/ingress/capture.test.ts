import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DecodeBatch } from '../../src/audio/decode-batch.ts';
import { G711 } from '../../src/audio/g711.ts';
import { SpeechPower } from '../../src/audio/speech-power.ts';
import { Capture } from '../../src/ingress/capture.ts';
import { createAudioPacket } from '../../src/rtp/packet.ts';
import { withSeed } from '../audio/prng.ts';

const test = suite('capture');
const FRAME = 160;

function frame(value: number): Int16Array {
  return new Int16Array(FRAME).fill(value);
}

/** A capture whose reader keeps everything, or with `releases` nothing, of what it is told. */
function create(releases = false): Capture {
  const capture: Capture = new Capture({
    sampleRate: 8000,
    capacityMs: 20_000,
    startMs: 1000,
    onAudio: () => {
      if (releases) capture.ring.release(capture.ring.headSample);
    },
  });
  return capture;
}

test('places the first packet by its arrival, counted from the answer', () => {
  const capture = create();
  capture.write(frame(7), 50_000, 1120);
  assert.is(capture.ring.headSample, 120 * 8);
  assert.is(
    capture.ring.view(0, 800).every((sample) => sample === 0),
    true,
  );
  assert.is(
    capture.ring.view(800, 960).every((sample) => sample === 7),
    true,
  );
  assert.is(capture.toMs(960), 120);
});

test('places further packets by timestamp, whatever their jitter', () => {
  const capture = create();
  capture.write(frame(1), 0, 1020);
  capture.write(frame(2), 160, 1300);
  capture.write(frame(3), 320, 1300);
  assert.is(capture.ring.headSample, 480);
  assert.equal(
    [...capture.ring.view(0, 480)].filter((_s, i) => i % FRAME === 0),
    [1, 2, 3],
  );
});

test('fills a gap that is no loss with silence of the right length', () => {
  const capture = create();
  capture.write(frame(1), 0, 1020);
  capture.write(frame(2), 160 + 8 * 100, 1140);
  assert.is(capture.ring.headSample, 320 + 800);
  assert.is(
    capture.ring.view(160, 960).every((sample) => sample === 0),
    true,
  );
  assert.is(capture.concealedSamples, 0);
});

test('conceals a short loss with the voice before it, and leads over to the voice after it', () => {
  const tone = Int16Array.from({ length: 8000 }, (_, i) => Math.round(8000 * Math.sin((2 * Math.PI * 200 * i) / 8000)));
  const capture = create();
  for (let i = 0; i < 50; i++) {
    if (i === 30 || i === 31) continue;
    capture.write(tone.slice(i * FRAME, (i + 1) * FRAME), i * FRAME, 1020 + i * 20);
  }
  assert.is(capture.ring.headSample, 8000);
  assert.is(capture.concealedSamples, 2 * FRAME);
  const heard = Int16Array.of(...capture.ring.view(0, 4000), ...capture.ring.view(4000, 8000));
  let step = 0;
  for (let i = 1; i < heard.length; i++) step = Math.max(step, Math.abs(heard[i]! - heard[i - 1]!));
  assert.ok(step < 3000, `a step of ${step} is a click`);
  const lost = heard.subarray(30 * FRAME, 31 * FRAME);
  const error = Math.sqrt(lost.reduce((sum, sample, i) => sum + (sample - tone[30 * FRAME + i]!) ** 2, 0) / FRAME);
  assert.ok(error < 2000, `the first 20 ms are off by ${error}`);
});

test('drops what was played already, and keeps the rest of a packet that overlaps', () => {
  const capture = create();
  capture.write(frame(1), 0, 1020);
  capture.write(frame(9), 0, 1021);
  assert.is(capture.ring.headSample, 160);
  capture.write(frame(2), 80, 1040);
  assert.is(capture.ring.headSample, 240);
  assert.is(capture.ring.view(159, 160)[0], 1);
  assert.is(capture.ring.view(160, 161)[0], 2);
});

test('lets its reader make room within a gap that is longer than the ring', () => {
  const capture = create(true);
  capture.write(frame(1), 0, 1020);
  capture.write(frame(2), 8000 * 300, 301_020);
  assert.is(capture.ring.headSample, 8000 * 300 + FRAME);
  assert.is(capture.ring.overrunSamples, 0);
});

test('a reader that takes nothing loses its own audio, is told how much, and nobody else loses any', () => {
  const codes = new Uint8Array(FRAME);
  const batch = new DecodeBatch({ codes, capacityStreams: 2, capacityJobs: 8 });
  const read = new Int16Array(FRAME);
  const heard: number[] = [];
  let isReading = false;
  const deaf: Capture = new Capture({
    sampleRate: 8000,
    capacityMs: 1000,
    startMs: 0,
    batch,
    onAudio: () => {
      if (isReading) deaf.ring.release(deaf.frameEndSample);
    },
  });
  const healthy: Capture = new Capture({
    sampleRate: 8000,
    capacityMs: 1000,
    startMs: 0,
    batch,
    onAudio: () => {
      healthy.ring.read(healthy.frameEndSample - FRAME, read);
      healthy.ring.release(healthy.frameEndSample);
      heard.push(read[0]!);
    },
  });
  const packet = { ...createAudioPacket(), bytes: codes, offset: 0, length: FRAME };
  const send = (frames: number): void => {
    for (let end = sent + frames; sent < end; sent++) {
      codes.fill(sent % 100);
      packet.timestamp = sent * FRAME;
      packet.arrivalMs = (sent + 1) * 20;
      deaf.writeG711(packet, 'ulaw');
      healthy.writeG711(packet, 'ulaw');
      batch.run();
    }
  };
  let sent = 0;
  send(200);
  assert.is(deaf.ring.headSample, 8000);
  assert.ok(deaf.overrunSamples >= 150 * FRAME, `${deaf.overrunSamples}`);
  assert.is(healthy.overrunSamples, 0);
  const values = new Int16Array(200);
  G711.decode(
    'ulaw',
    Uint8Array.from(values, (_, index) => index % 100),
    values,
  );
  assert.equal(heard, [...values]);

  // What follows after it reads again is where it belongs.
  isReading = true;
  deaf.ring.release(8000);
  send(1);
  assert.is(deaf.ring.headSample, 201 * FRAME);
});

test('tells when a sample arrived, freed of the jitter of single packets', () => {
  const capture = create();
  capture.write(frame(1), 0, 1025);
  capture.write(frame(1), 160, 1095);
  capture.write(frame(1), 320, 1110);
  capture.write(frame(1), 480, 1085);
  assert.is(Math.round(capture.arrivalMsOf(capture.ring.headSample)), 1085);
  assert.is(Math.round(capture.arrivalMsOf(capture.ring.headSample - 320)), 1045);
});

test('tells of each 20 ms once, with their levels, whatever the length of packets', () => {
  const told: number[][] = [];
  const pcm = Int16Array.from({ length: 2400 }, (_, i) => Math.round(8000 * Math.sin(i / 3)));
  const power = new SpeechPower(8000);
  const capture: Capture = new Capture({
    sampleRate: 8000,
    capacityMs: 1000,
    startMs: 0,
    onAudio: () => told.push([capture.frameEndSample, capture.levels.power, capture.levels.treblePower]),
  });
  for (let at = 0; at < 2400; at += 240) capture.write(pcm.slice(at, at + 240), at, (at + 240) / 8);
  const expected = Array.from({ length: 15 }, (_, frameIndex) => {
    power.measure(pcm.subarray(frameIndex * FRAME, (frameIndex + 1) * FRAME));
    return [(frameIndex + 1) * FRAME, power.power, power.treblePower];
  });
  assert.equal(told, expected);
  capture.close();
  capture.write(pcm, 2400, 600);
  assert.is(told.length, 15);
});

test('packets in a batch give the same line as their samples one by one, losses and overlaps included', () => {
  withSeed((random) => {
    const codes = Uint8Array.from({ length: 400 * FRAME }, () => random() * 256);
    const batch = new DecodeBatch({ codes, capacityStreams: 1, capacityJobs: 1000 });
    const frames: [number, number][][] = [[], []];
    const [byBatch, alone] = [batch, undefined].map((shared, index) => {
      const capture: Capture = new Capture({
        sampleRate: 8000,
        capacityMs: 1000,
        startMs: 0,
        onAudio: () => {
          frames[index]!.push([capture.frameEndSample, capture.levels.power]);
          const released = capture.ring.headSample - 1600;
          if (released > capture.ring.tailSample) capture.ring.release(Math.min(released, capture.frameEndSample));
        },
        ...(shared && { batch: shared }),
      }) as Capture;
      return capture;
    }) as [Capture, Capture];
    const packet = createAudioPacket();
    for (let index = 0; index < 400; index++) {
      if (random() < 0.05) continue;
      const offset = index * FRAME;
      const timestamp = offset + (random() < 0.02 ? 80 : 0);
      Object.assign(packet, { bytes: codes, offset, length: FRAME, timestamp, arrivalMs: 20 + index * 20 });
      const law = random() < 0.1 ? 'alaw' : 'ulaw';
      byBatch.writeG711(packet, law);
      const pcm = new Int16Array(FRAME);
      G711.decodeAt(law, codes, offset, FRAME, pcm);
      alone.write(pcm, timestamp, packet.arrivalMs);
      if (random() < 0.3) batch.run();
    }
    byBatch.close();
    alone.close();
    assert.equal(frames[0], frames[1]);
    assert.is(byBatch.ring.headSample, alone.ring.headSample);
    assert.equal([byBatch.concealedSamples, byBatch.lastArrivalMs], [alone.concealedSamples, alone.lastArrivalMs]);
    assert.ok(alone.concealedSamples > 0 && frames[0]!.length > 300);
    const { headSample } = alone.ring;
    assert.equal(byBatch.ring.view(headSample - 1600, headSample), alone.ring.view(headSample - 1600, headSample));
  });
});

test('follows a sender whose clock is slow', () => {
  const capture = create(true);
  for (let i = 0; i < 3000; i++) {
    capture.write(frame(1), i * FRAME, 1020 + i * 20.02);
  }
  const error = capture.arrivalMsOf(capture.ring.headSample) - (1020 + 2999 * 20.02);
  assert.ok(Math.abs(error) < 30, `off by ${error} ms`);
});

test.run();
