import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Resampler } from '../../src/audio/resampler.ts';
import { AgentEar } from '../../src/call/agent-ear.ts';
import { Capture } from '../../src/ingress/capture.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { assertSamples } from '../support/samples.ts';

interface World {
  readonly clock: FakeClock;
  readonly ear: AgentEar;
  readonly sent: number[];
  /** A packet of 20 ms, whose every sample is `value`, with the timestamp of `ms`. */
  readonly packet: (ms: number, value: number) => void;
}

function makeWorld(): World {
  const clock = new FakeClock();
  const sent: number[] = [];
  const capture: Capture = new Capture({
    sampleRate: 8000,
    capacityMs: 4000,
    startMs: 0,
    onAudio: () => ear.onAudio(),
  });
  const ear = new AgentEar(capture, clock, (pcm) => sent.push(...pcm));
  return {
    clock,
    ear,
    sent,
    packet: (ms, value) => capture.write(new Int16Array(160).fill(value), ms * 8, clock.nowMs()),
  };
}

/** What a resampler makes of the pieces, each of `ms` milliseconds of one value. */
function expected(...pieces: readonly (readonly [ms: number, value: number])[]): Int16Array {
  const pcm = Int16Array.from(pieces.flatMap(([ms, value]) => Array<number>(ms * 8).fill(value)));
  const output = new Int16Array(pcm.length * 2);
  new Resampler({ inputRate: 8000, outputRate: 16_000 }).process(pcm, output);
  return output;
}

const test = suite('the caller’s voice for an agent');

test('goes up whole and in order at 16 kHz', () => {
  const { clock, packet, sent } = makeWorld();
  const pieces: [number, number][] = [];
  for (let ms = 0; ms < 400; ms += 20) {
    clock.advance(20);
    packet(ms, ms * 10);
    pieces.push([20, ms * 10]);
  }
  assertSamples(sent, expected(...pieces));
});

test('a caller who sends nothing is silence in real time, which is not sent again with the next packet', () => {
  const { clock, packet, sent } = makeWorld();
  clock.advance(20);
  packet(0, 5000);
  clock.advance(1000);
  assert.ok(sent.length >= 16 * 900, `${sent.length / 16} ms`);
  packet(1000, 7000);
  clock.advance(20);
  packet(1020, 8000);
  assertSamples(sent, expected([20, 5000], [980, 0], [20, 7000], [20, 8000]));
});

test('what was only late is sent all the same', () => {
  const { clock, packet, sent } = makeWorld();
  clock.advance(20);
  packet(0, 5000);
  clock.advance(500);
  const silenceMs = sent.length / 16 - 20;
  assert.ok(silenceMs >= 250);
  for (let ms = 20; ms < 520; ms += 20) packet(ms, 6000);
  assertSamples(sent, expected([20, 5000], [silenceMs, 0], [500, 6000]));
});

test('a held caller is not sent, and neither is silence for one', () => {
  const { clock, packet, ear, sent } = makeWorld();
  clock.advance(20);
  packet(0, 5000);
  ear.setHeld(true);
  packet(20, 6000);
  clock.advance(2000);
  assert.is(sent.length, 320);
  ear.setHeld(false);
  packet(2020, 7000);
  assert.ok(sent.length >= 640 && sent.length <= 960, `${sent.length} samples`);
  assert.ok(sent.slice(-160).every((sample) => sample > 6000));
});

test('nothing is sent after the end', () => {
  const { clock, packet, ear, sent } = makeWorld();
  ear.close();
  packet(0, 5000);
  clock.advance(2000);
  assert.equal([sent.length, clock.timers], [0, 0]);
});

test.run();
