import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711 } from '../../src/audio/g711.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { PAUSE, SENTENCE_END } from '../../src/speech/playout.ts';
import { assertSamples } from '../support/samples.ts';
import { audio, codesOnWire, type Frame, makeWorld, SILENCE, ulaw } from './playout-world.ts';

const test = suite('playout');

/** Where `part` is in `codes`; −1 if it is not. */
function locateCodes(codes: readonly number[], part: Uint8Array): number {
  return Buffer.from(codes).indexOf(part);
}

test('plays a reply whole, its last frame filled up with silence', async () => {
  const { play, run, sender, told } = makeWorld();
  const pcm = audio(190);
  const source = play('a');
  source.give(pcm.subarray(0, 333));
  source.give(pcm.subarray(333));
  source.end();
  await run(12);
  const expected = new Uint8Array(1600).fill(G711.ULAW_SILENCE);
  expected.set(ulaw(pcm));
  assertSamples(codesOnWire(sender), expected);
  assert.ok(
    sender.wire.every((frame) => frame === SILENCE || (frame.payload.length === 160 && frame.timestampStep === 160)),
  );
  assert.equal(told, ['started a', 'finished a 190']);
});

test('a live source that pauses is heard to its last sample, and goes on with the next frame', async () => {
  const { play, run, sender, told } = makeWorld();
  const pcm = audio(250);
  const source = play('a');
  source.give(pcm.subarray(0, 1000));
  source.give(SENTENCE_END);
  await run(5);
  assert.equal(told, ['started a'], '125 ms are six frames and a quarter of one, which waits for more');
  source.give(PAUSE);
  await run(3);
  assert.equal(told, ['started a', 'mark a 0 125']);
  await run(10);
  assert.ok(
    sender.wire.slice(-10).every((frame) => frame === SILENCE),
    'a pause is silent',
  );
  source.give(pcm.subarray(1000));
  source.give(PAUSE);
  await run(10);
  const spoken = ulaw(pcm);
  const codes = codesOnWire(sender);
  assertSamples(codes.slice(0, 1000), spoken.subarray(0, 1000));
  assert.ok(locateCodes(codes, spoken.subarray(1200, 2000)) >= 1120, 'the rest follows, in a frame of its own');
});

test('tells of the start with the times of its way', async () => {
  const times: number[] = [];
  const { play, run, clock } = makeWorld({
    onStarted: (_id, { openedAtMs, firstAudioAtMs, sentAtMs }) => times.push(openedAtMs, firstAudioAtMs, sentAtMs),
  });
  const source = play('a');
  await run(3);
  clock.advance(5);
  source.give(audio(200));
  await run(2);
  assert.equal(times, [0, 65, 85]);
});

test('fills the ring without waiting for a tick, and leaves room for digits', async () => {
  const { play, sender } = makeWorld();
  play('a').give(audio(5_000));
  await setImmediate();
  assert.is(sender.queuedFrames, 25);
});

test('plays A-law and other packet times', async () => {
  const { play, run, sender } = makeWorld({ format: { law: 'alaw', payloadType: 8, ptimeMs: 30 } });
  const pcm = audio(100);
  const source = play('a');
  source.give(pcm);
  source.end();
  await run(5);
  const expected = new Uint8Array(960).fill(G711.ALAW_SILENCE);
  G711.encodeAlaw(pcm, expected);
  assertSamples(codesOnWire(sender), expected);
  assert.ok(
    sender.wire.every((frame) => frame === SILENCE || (frame.payloadType === 8 && frame.timestampStep === 240)),
  );
});

test('one reply follows the other without a gap, and is opened when the one before has been fetched', async () => {
  const { play, run, sender, told } = makeWorld();
  const first = play('a');
  const second = play('b');
  first.give(audio(200));
  await run(2);
  assert.is(second.signal, undefined);
  first.end();
  await setImmediate();
  assert.ok(second.signal);
  second.give(audio(200, 2));
  second.end();
  await run(18);
  assertSamples(codesOnWire(sender), [...ulaw(audio(200)), ...ulaw(audio(200, 2))]);
  assert.not(sender.wire.includes(SILENCE));
  assert.equal(told, ['started a', 'finished a 200', 'started b', 'finished b 200']);
});

test('a source waits while 30 s are ahead of the ear', async () => {
  const { play, run, playout, sender } = makeWorld();
  const source = play('a');
  for (let second = 0; second < 40; second++) source.give(audio(1_000));
  await setImmediate();
  // 30 s of backlog and half a second in the ring.
  assert.is(source.taken, 31);
  assert.is(playout.statistics.backlogMs, 30_500);
  await run(100);
  assert.is(source.taken, 33);
  assert.is(sender.wire.length, 100);
});

test('an interruption counts frames that left before the tap told of them, and what it tells later changes nothing', async () => {
  const { play, run, sender, playout, told } = makeWorld();
  sender.tellsAtOnce = false;
  play('a').give(audio(1_000));
  await run(13);
  assert.equal(told, []);
  assert.is(playout.interrupt(), 260);
  sender.tell();
  assert.equal(told, ['started a', 'interrupted a 260']);
});

test('a reply that was heard to its end before the interruption is finished, not interrupted', async () => {
  const { play, run, sender, playout, told } = makeWorld();
  sender.tellsAtOnce = false;
  const first = play('a');
  const second = play('b');
  first.give(audio(100));
  first.end();
  await setImmediate();
  second.give(audio(1_000));
  await run(8);
  assert.is(playout.interrupt(), 60);
  assert.equal(told, ['started a', 'finished a 100', 'started b', 'interrupted b 60']);
});

test('plays on after an interruption', async () => {
  const { play, run, sender, playout, told } = makeWorld();
  play('a').give(audio(1_000));
  await run(2);
  playout.interrupt();
  const source = play('b');
  source.give(audio(100, 2));
  source.end();
  await run(7);
  assertSamples(codesOnWire(sender).slice(480), ulaw(audio(100, 2)));
  assert.equal(told.slice(2), ['started b', 'finished b 100']);
});

test('a source that ignores the abort plays nothing more and holds nothing up', async () => {
  const { playout, run, told } = makeWorld();
  let release: () => void = () => {};
  playout.play('stubborn', async function* () {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    yield audio(500);
  });
  await run(1);
  playout.interrupt();
  playout.play('b', async function* () {
    yield audio(100);
  });
  await run(3);
  release();
  await run(10);
  assert.equal(told, ['interrupted stubborn 0', 'started b', 'finished b 100']);
});

test('a source without end that ignores the abort is left', async () => {
  const { playout, run } = makeWorld();
  let isLeft = false;
  let chunks = 0;
  playout.play('endless', async function* () {
    try {
      for (; ; chunks++) {
        yield audio(1);
        await setImmediate();
      }
    } finally {
      isLeft = true;
    }
  });
  await run(5);
  playout.interrupt();
  const atInterruption = chunks;
  await run(5);
  assert.ok(isLeft);
  assert.ok(chunks <= atInterruption + 1);
});

test('a torn source is heard to its last sample and then told as failed', async () => {
  const { play, run, sender, told } = makeWorld();
  const source = play('a');
  const next = play('b');
  source.give(audio(110));
  await run(2);
  source.end(new GatewayError('ERR_TTS_TORN', 'the audio broke off'));
  await setImmediate();
  next.give(audio(100, 2));
  next.end();
  await run(12);
  assertSamples(codesOnWire(sender).slice(0, 880), ulaw(audio(110)));
  assert.equal(told, ['started a', 'failed a 110 ERR_TTS_TORN', 'started b', 'finished b 100']);
});

test('a sentence is told when its last sample was heard', async () => {
  const { play, run, sender, told } = makeWorld();
  sender.tellsAtOnce = false;
  const source = play('a');
  source.give(SENTENCE_END);
  source.give(audio(110));
  source.give(SENTENCE_END);
  source.give(audio(90, 2));
  source.give(SENTENCE_END);
  source.end();
  await run(5);
  sender.tell();
  assert.equal(told, ['started a', 'mark a 0 20']);
  await run(1);
  sender.tell();
  assert.equal(told.slice(2), ['mark a 1 120']);
  await run(4);
  sender.tell();
  assert.equal(told.slice(3), ['mark a 2 200', 'finished a 200']);
});

test('a source without audio fails or finishes in its turn', async () => {
  const { play, run, told } = makeWorld();
  const [first, second, third] = [play('a'), play('b'), play('c')];
  first.give(audio(100));
  first.end();
  second.end(new Error('something else'));
  third.end();
  await run(4);
  assert.equal(told, ['started a']);
  await run(2);
  assert.equal(told, ['started a', 'finished a 100', 'failed b 0 ERR_TTS_TORN', 'finished c 0']);
});

test('a re-INVITE in the middle of a reply loses no sample and repeats none', async () => {
  const { play, run, sender, playout, told } = makeWorld();
  sender.tellsAtOnce = false;
  const pcm = audio(1_000);
  const source = play('a');
  source.give(pcm);
  source.end();
  await run(10);
  playout.reconfigure({ law: 'alaw', payloadType: 8, ptimeMs: 30 });
  sender.tell();
  sender.tellsAtOnce = true;
  // 800 ms are left: 26 frames of 30 ms and a part of one.
  await run(26);
  assert.equal(told, ['started a']);
  await run(1);
  const before = sender.wire.slice(0, 10) as Frame[];
  const after = sender.wire.slice(10).filter((frame) => frame !== SILENCE);
  assert.ok(before.every(({ payloadType, payload }) => payloadType === 0 && payload.length === 160));
  assert.ok(after.every(({ payloadType, payload }) => payloadType === 8 && payload.length === 240));
  const heard = new Int16Array(8160);
  G711.decodeUlaw(Uint8Array.from(before.flatMap(({ payload }) => [...payload])), heard);
  G711.decodeAlaw(Uint8Array.from(after.flatMap(({ payload }) => [...payload])), heard.subarray(1600));
  for (let i = 0; i < pcm.length; i++) {
    // Both laws together are within one large step of each.
    assert.ok(Math.abs(heard[i]! - pcm[i]!) <= 1024 + 512, `sample ${i}: ${heard[i]} for ${pcm[i]}`);
  }
  assert.equal(told, ['started a', 'finished a 1000']);
});

test('frames of others in the ring are nobody’s audio', async () => {
  const { play, run, sender, told } = makeWorld();
  play('a').give(audio(300));
  await setImmediate();
  sender.write(new Uint8Array(4), 101, 160, 0, 0xffff_ffff);
  await run(16);
  assert.equal(told, ['started a']);
});

test('an interruption of nothing leaves what others wrote to the ring', async () => {
  const { play, run, sender, playout } = makeWorld();
  const source = play('a');
  source.give(new Int16Array(0));
  source.give(audio(100));
  source.end();
  await run(6);
  sender.write(new Uint8Array(4), 101, 160, 0, 0xffff_ffff);
  assert.is(playout.interrupt(), 0);
  assert.is(sender.queuedFrames, 1);
});

test('replies beyond 64 are refused, and all after the close', async () => {
  const { play, playout, told } = makeWorld();
  for (let i = 0; i < 64; i++) play(`${i}`);
  assert.throws(
    () => play('one more'),
    (error: GatewayError) => error.code === 'ERR_TTS_BACKLOG',
  );
  playout.close();
  assert.is(told.length, 64);
  assert.throws(
    () => play('late'),
    (error: GatewayError) => error.code === 'ERR_WRONG_STATE',
  );
});

test.run();
