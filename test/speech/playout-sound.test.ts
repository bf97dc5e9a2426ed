import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711 } from '../../src/audio/g711.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { makeRandom, pickSeed } from '../audio/prng.ts';
import { assertSamples } from '../support/samples.ts';
import {
  audio,
  codesOnWire,
  heard,
  largestStep,
  makeWorld,
  SILENCE,
  TONE_STEP,
  toneOf,
  ulaw,
} from './playout-world.ts';

const test = suite('what playout sounds like');

test('audio that comes too late leaves silence, is buffered anew and counted once', async () => {
  const { play, run, sender, playout, told } = makeWorld();
  const pcm = audio(400);
  const source = play('a');
  source.give(pcm.subarray(0, 1000));
  await run(10);
  // 6 whole frames and a fade-out left; the 40 samples of the next wait for the rest of theirs.
  assert.equal(
    sender.wire.map((frame) => frame === SILENCE),
    [...Array(7).fill(false), ...Array(3).fill(true)],
  );
  assert.is(playout.statistics.underruns, 1);
  source.give(pcm.subarray(1000, 1190));
  await run(2);
  assert.is(sender.wire.at(-1), SILENCE);
  source.give(pcm.subarray(1190));
  source.end();
  await run(16);
  const codes = codesOnWire(sender);
  assertSamples(codes.slice(0, 960), ulaw(pcm.subarray(0, 960)));
  // After the fade-out and a fade-in of 10 ms each, every sample is heard, none twice.
  assertSamples(codes.slice(960 + 160 + 80), ulaw(pcm.subarray(960 + 80)));
  assert.is(playout.statistics.underruns, 1);
  assert.equal(told, ['started a', 'finished a 400']);
});

test('nothing clicks when audio runs dry and goes on', async () => {
  for (const missingSamples of [0, 1, 40, 79, 80, 159]) {
    const { play, run, sender, playout } = makeWorld();
    const pcm = toneOf(600);
    const source = play('a');
    source.give(pcm.subarray(0, 1600 + missingSamples));
    await run(15);
    assert.is(sender.wire.at(-1), SILENCE);
    source.give(pcm.subarray(1600 + missingSamples));
    await run(30);
    assert.is(playout.statistics.underruns, 2);
    const step = largestStep(heard(sender).subarray(1));
    assert.ok(step <= TONE_STEP, `a step of ${step} with ${missingSamples} samples beyond the last whole frame`);
  }
});

test('audio that comes while the fade-out waits to leave takes its place', async () => {
  for (const tellsAtOnce of [true, false]) {
    const { play, run, sender, playout } = makeWorld();
    sender.tellsAtOnce = tellsAtOnce;
    const pcm = audio(280);
    const source = play('a');
    source.give(pcm.subarray(0, 640));
    await run(4);
    // All of it has left, and the fade-out is what leaves next.
    assert.is(sender.queuedFrames, 1);
    for (let at = 640; at < pcm.length; at += 160) {
      source.give(pcm.subarray(at, at + 160));
      await run(1);
    }
    assertSamples(codesOnWire(sender), ulaw(pcm));
    assert.not(sender.wire.includes(SILENCE));
    assert.is(playout.statistics.underruns, 0);
  }
});

test('a single frame ends without a click, in A-law and with other packet times too', async () => {
  for (const ptimeMs of [10, 30, 60]) {
    const { play, run, sender } = makeWorld({ format: { law: 'alaw', payloadType: 8, ptimeMs } });
    play('a').give(toneOf(Math.max(30, ptimeMs)));
    await run(8);
    const pcm = new Int16Array(codesOnWire(sender).length);
    G711.decodeAlaw(Uint8Array.from(codesOnWire(sender)), pcm);
    assert.is(pcm.length, (Math.max(30, ptimeMs) + ptimeMs) * 8);
    assert.ok(largestStep(pcm.subarray(1)) <= TONE_STEP, `${ptimeMs} ms: a step of ${largestStep(pcm.subarray(1))}`);
    assert.ok(Math.abs(pcm.at(-1)!) <= 8);
  }
});

test('a source that ends while the fade-out waits is heard as it is', async () => {
  const { play, run, sender, playout, told } = makeWorld();
  const pcm = audio(85);
  const source = play('a');
  source.give(pcm);
  await run(4);
  source.end();
  await run(2);
  assertSamples(codesOnWire(sender).slice(0, 680), ulaw(pcm));
  assert.is(playout.statistics.underruns, 0);
  assert.equal(told, ['started a', 'finished a 85']);
});

test('digits behind the fade-out are not lost when audio comes', async () => {
  const { play, run, sender } = makeWorld();
  const pcm = audio(200);
  const source = play('a');
  source.give(pcm.subarray(0, 640));
  await run(4);
  sender.write(new Uint8Array(4), 101, 160, 0, 0xffff_ffff);
  source.give(pcm.subarray(640));
  source.end();
  await run(8);
  const digit = sender.wire.findIndex((frame) => frame !== SILENCE && frame.payloadType === 101);
  assert.is(digit, 5, 'right behind the fade-out');
  const after = sender.wire.slice(6).flatMap((frame) => (frame === SILENCE ? [] : [...frame.payload]));
  assertSamples(after.slice(80), ulaw(pcm.subarray(640 + 80)));
});

test('the pause between two replies is no underrun', async () => {
  const { play, run, playout } = makeWorld();
  const first = play('a');
  first.give(audio(100));
  first.end();
  const second = play('b');
  await run(20);
  second.give(audio(100));
  second.end();
  await run(20);
  assert.is(playout.statistics.underruns, 0);
});

test('an interruption fades out at once and tells how much was heard of each', async () => {
  const { play, run, sender, playout, told } = makeWorld();
  const first = play('a');
  const second = play('b');
  first.give(toneOf(1_000));
  await run(13);
  assert.is(playout.interrupt(), 13 * 20);
  assert.ok(first.signal?.aborted);
  assert.is(sender.queuedFrames, 1);
  await run(3);
  assert.equal(sender.wire.slice(14), Array(2).fill(SILENCE));
  const pcm = heard(sender);
  assert.ok(largestStep(pcm.subarray(1)) <= TONE_STEP, `a step of ${largestStep(pcm.subarray(1))}`);
  assert.ok(
    pcm.subarray(13 * 160 + 80).every((sample) => sample === 0),
    'silent after 10 ms',
  );
  assert.equal(told, ['started a', 'interrupted a 260', 'interrupted b 0']);
  assert.is(second.signal, undefined);
  assert.not(playout.isPlaying);
  assert.is(playout.interrupt(), 0);
});

test('an interruption on hold leaves nothing for later', async () => {
  const { play, sender, playout, clock } = makeWorld();
  play('a').give(audio(1_000));
  await setImmediate();
  for (let frame = 0; frame < 5; frame++) {
    clock.advance(20);
    sender.send(clock.nowMs());
  }
  clock.advance(1_000);
  playout.interrupt();
  assert.is(sender.queuedFrames, 0);
});

test('what broke off ends softly', async () => {
  for (const ms of [110, 120, 125]) {
    const { play, run, sender, told } = makeWorld();
    const source = play('a');
    source.give(toneOf(ms));
    source.end(new GatewayError('ERR_TTS_TORN', 'the audio broke off'));
    await run(10);
    assert.ok(
      largestStep(heard(sender).subarray(1)) <= TONE_STEP,
      `${ms} ms: ${largestStep(heard(sender).subarray(1))}`,
    );
    assert.equal(told, ['started a', `failed a ${ms} ERR_TTS_TORN`]);
  }
});

test('a pause fades out, and a resumption goes on where it was', async () => {
  const { play, run, sender, playout, told } = makeWorld();
  const pcm = toneOf(400);
  const source = play('a');
  source.give(pcm);
  source.end();
  await run(10);
  playout.pause();
  playout.pause();
  await run(5);
  assert.equal(sender.wire.slice(11), Array(4).fill(SILENCE));
  assert.equal(told, ['started a']);
  playout.resume();
  await run(11);
  assert.ok(largestStep(heard(sender).subarray(1, 25 * 160)) <= TONE_STEP, `${largestStep(heard(sender).subarray(1))}`);
  assertSamples(codesOnWire(sender).slice(0, 1600), ulaw(pcm.subarray(0, 1600)));
  assertSamples(codesOnWire(sender).slice(1600 + 160 + 80), ulaw(pcm.subarray(1600 + 80)));
  assert.is(playout.statistics.underruns, 0);
  assert.equal(told, ['started a', 'finished a 400']);
});

test('an interruption ends a pause', async () => {
  const { play, run, sender, playout, told } = makeWorld();
  play('a').give(audio(1_000));
  await run(5);
  playout.pause();
  await run(3);
  assert.is(playout.interrupt(), 100);
  const source = play('b');
  source.give(audio(100, 2));
  source.end();
  await run(6);
  assertSamples(codesOnWire(sender).slice(6 * 160), ulaw(audio(100, 2)));
  assert.equal(told.slice(1), ['interrupted a 100', 'started b', 'finished b 100']);
});

test('ducking lowers what waits in the ring too, without a click, and ends', async () => {
  const { play, run, sender, playout } = makeWorld();
  const pcm = toneOf(2_000);
  play('a').give(pcm);
  await run(10);
  assert.is(sender.queuedFrames, 25);
  playout.duck(0.25);
  playout.duck(0.25);
  assert.is(sender.queuedFrames, 25);
  await run(10);
  playout.duck(1);
  await run(10);
  const ear = heard(sender);
  const gainAt = (ms: number) => {
    const peak = (of: Int16Array) => of.subarray(ms * 8, ms * 8 + 160).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    return peak(ear) / peak(pcm);
  };
  assert.ok(Math.abs(gainAt(180) - 1) < 0.03, `${gainAt(180)} before`);
  assert.ok(Math.abs(gainAt(220) - 0.25) < 0.02, `${gainAt(220)} one frame after`);
  assert.ok(Math.abs(gainAt(380) - 0.25) < 0.02, `${gainAt(380)} at the end of it`);
  assert.ok(Math.abs(gainAt(420) - 1) < 0.03, `${gainAt(420)} one frame after it`);
  assert.ok(largestStep(ear.subarray(1)) <= TONE_STEP, `a step of ${largestStep(ear.subarray(1))}`);
  assert.throws(() => playout.duck(1.1), /gain of 0-1/);
});

test('what is ducked during a pause fades in to its lower gain', async () => {
  const { play, run, sender, playout } = makeWorld();
  play('a').give(toneOf(2_000));
  await run(10);
  playout.pause();
  playout.duck(0.5);
  await run(2);
  playout.resume();
  await run(10);
  const ear = heard(sender);
  assert.ok(largestStep(ear.subarray(1)) <= TONE_STEP, `a step of ${largestStep(ear.subarray(1))}`);
  const peak = ear.subarray(15 * 160, 16 * 160).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  assert.ok(Math.abs(peak - 4000) < 200, `${peak}`);
});

test('what follows an interruption is not ducked', async () => {
  const { play, run, sender, playout } = makeWorld();
  play('a').give(audio(1_000));
  await run(5);
  playout.duck(0.1);
  await run(1);
  playout.interrupt();
  const source = play('b');
  source.give(audio(100, 2));
  source.end();
  await run(6);
  assertSamples(codesOnWire(sender).slice(-800), ulaw(audio(100, 2)));
});

test('whatever comes when, every sample is heard once and in order', async () => {
  const seed = pickSeed();
  const random = makeRandom(seed);
  for (let round = 0; round < 40; round++) {
    const { play, run, sender, playout, told } = makeWorld();
    const sources = [play('a'), play('b'), play('c')];
    const pcm = sources.map((_, index) => audio(100 + Math.floor(random() * 600), index));
    const given = [0, 0, 0];
    for (let step = 0; step < 400 && told.filter((entry) => entry.startsWith('finished')).length < 3; step++) {
      const index = sources.findIndex((_, at) => given[at]! <= pcm[at]!.length);
      if (index >= 0 && random() < 0.45) {
        const from = given[index]!;
        given[index] = from + 1 + Math.floor(random() ** 2 * 900);
        sources[index]!.give(pcm[index]!.subarray(from, given[index]));
        if (given[index]! > pcm[index]!.length) sources[index]!.end();
      }
      sender.tellsAtOnce = random() < 0.5;
      if (sender.tellsAtOnce) sender.tell();
      if (random() < 0.04) playout.pause();
      else if (random() < 0.3) playout.resume();
      await run(random() < 0.7 ? 1 : 0);
    }
    playout.resume();
    sender.tellsAtOnce = true;
    sender.tell();
    await run(100);
    const why = `SEED=${seed} round ${round}`;
    assert.equal(
      told.filter((entry) => entry.startsWith('finished')),
      pcm.map(({ length }, index) => `finished ${'abc'[index]} ${length / 8}`),
      why,
    );
    // Fade-outs have the tag 0; what follows one, and so may be faded in, is not looked at for 10 ms.
    const expected = pcm.flatMap((samples) => {
      const codes = new Uint8Array(Math.ceil(samples.length / 160) * 160).fill(G711.ULAW_SILENCE);
      codes.set(ulaw(samples));
      return [...codes];
    });
    const frames = sender.wire.map((frame) => (frame === SILENCE ? undefined : frame));
    let position = 0;
    for (const [at, frame] of frames.entries()) {
      if (!frame || frame.tag === 0) continue;
      const before = frames[at - 1];
      const skipped = before && before.tag !== 0 ? 0 : 80;
      const wanted = expected.slice(position + skipped, position + 160);
      assert.equal([...frame.payload.subarray(skipped)], wanted, `${why}, frame ${at}`);
      position += 160;
    }
    assert.is(position, expected.length, why);
  }
});

test.run();
