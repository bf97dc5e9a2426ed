import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PrebufferEstimator } from '../../src/speech/prebuffer-estimator.ts';
import { audio, codesOnWire, makeWorld, SILENCE } from './playout-world.ts';

const test = suite('when playout starts');

test('begins when 30 ms are there, or when there will be no more', async () => {
  const { play, run, sender } = makeWorld();
  const source = play('a');
  source.give(audio(29));
  await run(5);
  assert.equal(sender.wire, Array(5).fill(SILENCE));
  source.give(audio(1));
  await run(1);
  assert.is(codesOnWire(sender).length, 160);
  const { play: playShort, run: runShort, sender: shortSender } = makeWorld();
  const short = playShort('b');
  short.give(audio(10));
  short.end();
  await runShort(1);
  assert.is(codesOnWire(shortSender).length, 160);
});

/**
 * `replies` of a second that come in chunks of 20 ms at 1.7 times the speed of playing, but for a stall after 80 ms of
 * audio: what each waited for its first packet, and how often one ran dry.
 */
async function deliver(replies: number, prebuffer: PrebufferEstimator, stallMs: number) {
  const waits: number[] = [];
  const { play, clock, sender, playout } = makeWorld({
    prebuffer,
    onStarted: (_id, { firstAudioAtMs, sentAtMs }) => waits.push(sentAtMs - firstAudioAtMs),
  });
  let nextSendMs = 20;
  for (let reply = 0; reply < replies; reply++) {
    const source = play(`${reply}`);
    await setImmediate();
    // Replies begin at any phase of the packets.
    let nextChunkMs = clock.nowMs() + ((reply * 7) % 20);
    for (let chunk = 0; chunk < 50 || playout.isPlaying; ) {
      const nextMs = Math.min(nextSendMs, chunk < 50 ? nextChunkMs : Number.POSITIVE_INFINITY);
      clock.advance(nextMs - clock.nowMs());
      if (nextMs === nextSendMs) {
        nextSendMs += 20;
        sender.send(nextMs);
      } else {
        source.give(audio(20, chunk));
        nextChunkMs += 20 / 1.7 + (chunk === 3 ? stallMs : 0);
        if (++chunk === 50) source.end();
      }
      await setImmediate();
    }
  }
  return { waits, underruns: playout.statistics.underruns };
}

test('with a steady provider the first packet leaves within 40 ms of the first audio, and nothing runs dry', async () => {
  const { waits, underruns } = await deliver(60, new PrebufferEstimator(), 0);
  assert.is(waits.length, 60);
  assert.ok(waits.toSorted((a, b) => a - b)[56]! <= 40, waits.join(' '));
  assert.is(underruns, 0);
});

test('with a provider that stalls, replies start later until none runs dry', async () => {
  const prebuffer = new PrebufferEstimator();
  const first = await deliver(1, prebuffer, 250);
  assert.ok(first.waits[0]! <= 40, first.waits.join(' '));
  assert.is(first.underruns, 1);
  await deliver(6, prebuffer, 250);
  // The fifth chunk comes 297 ms after the first, with 80 ms of audio before it.
  const learned = await deliver(5, prebuffer, 250);
  assert.ok(
    learned.waits.every((ms) => ms >= 217 && ms <= 250),
    learned.waits.join(' '),
  );
  assert.is(learned.underruns, 0);
  const healthy = await deliver(60, prebuffer, 0);
  assert.ok(healthy.waits[5]! > 150, `does not forget at once: ${healthy.waits.join(' ')}`);
  assert.ok(healthy.waits.at(-1)! <= 40, `and forgets at last: ${healthy.waits.join(' ')}`);
});

test.run();
