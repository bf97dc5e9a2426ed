import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711 } from '../../src/audio/g711.ts';
import { Resampler } from '../../src/audio/resampler.ts';
import { AgentVoice } from '../../src/call/agent-voice.ts';
import { EventBus } from '../../src/core/events.ts';
import type { LegMedia, LegPlayout } from '../../src/ingress/leg.ts';
import { PrebufferEstimator } from '../../src/speech/prebuffer-estimator.ts';
import { FakeSender, SILENCE } from '../speech/playout-world.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { locate } from '../support/wav-compare.ts';

interface World {
  readonly clock: FakeClock;
  readonly sender: FakeSender;
  readonly voice: AgentVoice;
  /** Marks, `speaking`, `listening` and playback events, in order. */
  readonly told: string[];
  readonly prebuffer: PrebufferEstimator;
  /** `ms` of the call, one frame every 20 ms. `each` is called before each frame. */
  readonly run: (ms: number, each?: (frame: number) => void) => Promise<void>;
  /** What left so far, silence included. */
  readonly heard: () => Int16Array;
}

function makeWorld(startDelayMs = 0): World {
  const clock = new FakeClock();
  const sender = new FakeSender();
  const told: string[] = [];
  const events = new EventBus(clock);
  const prebuffer = new PrebufferEstimator(startDelayMs);
  events.subscribe((event) => {
    if (event.type.startsWith('playback')) told.push(`${event.type} ${(event as { heardMs?: number }).heardMs}`);
  });
  let driven: LegPlayout | undefined;
  const media = {
    sender,
    format: { law: 'ulaw', payloadType: 0, ptimeMs: 20 },
    attach: (playout: LegPlayout) => {
      driven = playout;
    },
  } as Partial<LegMedia> as LegMedia;
  const voice = new AgentVoice({
    callId: '00000000-0000-4000-8000-000000000000',
    media,
    clock,
    events,
    prebuffer,
    handlers: {
      onSpeaking: () => told.push('speaking'),
      onListening: () => told.push('listening'),
      onMark: (name) => told.push(`mark ${name}`),
    },
  });
  sender.tellsAtOnce = false;
  return {
    clock,
    sender,
    voice,
    told,
    prebuffer,
    async run(ms, each) {
      for (let frame = 0; frame < ms / 20; frame++) {
        each?.(frame);
        await setImmediate();
        clock.advance(20);
        sender.send(clock.nowMs());
        const sent = sender.untold.splice(0);
        for (const { tag } of sent) driven?.onSent(tag, 0, clock.nowMs());
        driven?.onTick(clock.nowMs());
        await setImmediate();
      }
    },
    heard() {
      const silence = new Uint8Array(160).fill(G711.ULAW_SILENCE);
      const codes = sender.wire.flatMap((frame) => [...(frame === SILENCE ? silence : frame.payload)]);
      const pcm = new Int16Array(codes.length);
      G711.decodeUlaw(Uint8Array.from(codes), pcm);
      return pcm;
    },
  };
}

/** A voice-like sound of which every stretch is recognisable: 8 kHz, loud from the first to the last sample. */
function sound(ms: number, seed = 1): Int16Array {
  let phase = 0;
  return Int16Array.from({ length: ms * 8 }, (_, i) => {
    phase += 0.3 + 0.25 * Math.sin(i * 0.003 + seed) + 0.1 * Math.sin(i * 0.0171 * seed);
    return Math.round(9000 * Math.sin(phase));
  });
}

function wide(pcm: Int16Array): Int16Array {
  return Resampler.resample(pcm, 8000, 16_000);
}

/** Where all of `pcm` is in what was heard, in ms; fails if it is not there in one piece. */
function assertHeard(world: World, pcm: Int16Array): number {
  const { offsetMs, correlation } = locate(pcm, world.heard(), 8000);
  assert.ok(correlation > 0.98, `correlation ${correlation} at ${offsetMs} ms`);
  return offsetMs;
}

const test = suite('the agent’s voice on the phone');

test('a sentence that comes all at once, in odd pieces, is heard whole and at its own speed', async () => {
  const world = makeWorld();
  const pcm = sound(3010);
  const given = wide(pcm);
  for (let at = 0; at < given.length; at += 777) world.voice.play(given.subarray(at, at + 777));
  world.voice.mark('end');
  assert.ok(world.voice.isPlaying);
  await world.run(3000);
  assert.equal(world.told, ['playback.started 0', 'speaking']);
  await world.run(100);
  assert.equal(world.told.slice(2), ['playback.mark 3010', 'mark end', 'playback.finished 3010', 'listening']);
  assert.not.ok(world.voice.isPlaying);
  assertHeard(world, pcm);
});

test('marks are told when everything before them was heard, and not before', async () => {
  const world = makeWorld();
  const first = sound(500, 1);
  const second = sound(505, 2);
  world.voice.play(wide(first));
  world.voice.mark('a');
  world.voice.play(wide(second));
  world.voice.mark('b');
  world.voice.mark('c');
  const at: Record<string, number> = {};
  await world.run(1600, () => {
    for (const line of world.told) if (line.startsWith('mark')) at[line] ??= world.clock.nowMs();
  });
  // A frame counts as heard when it leaves, which the first does at once.
  const startedMs = -20;
  assert.ok(at['mark a']! >= startedMs + 500 && at['mark a']! <= startedMs + 540, JSON.stringify(at));
  assert.ok(at['mark b']! >= startedMs + 1005 && at['mark b']! <= startedMs + 1060, JSON.stringify(at));
  assert.is(at['mark b'], at['mark c']);
  assert.equal(
    world.told.filter((line) => line.startsWith('mark')),
    ['mark a', 'mark b', 'mark c'],
  );
});

test('a mark is told at once while nothing is heard', async () => {
  const world = makeWorld();
  world.voice.mark('before');
  assert.equal(world.told, ['mark before']);
  world.voice.play(wide(sound(100)));
  await world.run(220);
  world.voice.mark('in the pause');
  assert.is(world.told.at(-1), 'mark in the pause');
});

test('a clear silences within a frame and forgets what was not heard', async () => {
  const world = makeWorld();
  world.voice.play(wide(sound(5000, 1)));
  world.voice.mark('never');
  await world.run(1000);
  world.voice.clear();
  assert.equal(world.told.slice(2), ['playback.interrupted 1000', 'listening']);
  assert.not.ok(world.voice.isPlaying);
  const cutAt = world.heard().length;
  await world.run(500);
  assert.ok(
    world
      .heard()
      .subarray(cutAt + 80)
      .every((sample) => Math.abs(sample) < 16),
  );
  const next = sound(600, 3);
  world.voice.play(wide(next));
  world.voice.mark('next');
  await world.run(1200);
  assertHeard(world, next);
  assert.equal(
    world.told.filter((line) => line.startsWith('mark')),
    ['mark next'],
  );
});

test('a voice that comes just in time is heard without a gap once its stalls are known', async () => {
  const world = makeWorld(100);
  const pcm = sound(2000);
  const given = wide(pcm);
  // Every tenth piece is 60 ms late.
  let sent = 0;
  await world.run(3000, (frame) => {
    const isLate = frame % 10 > 6;
    for (; !isLate && sent <= frame && sent < 100; sent++)
      world.voice.play(given.subarray(sent * 320, sent * 320 + 320));
  });
  assertHeard(world, pcm);
});

test('learns from stalls how long to wait before it starts', async () => {
  const world = makeWorld();
  for (let spurt = 0; spurt < 3; spurt++) {
    const given = wide(sound(1000, spurt + 1));
    let sent = 0;
    await world.run(2000, (frame) => {
      const isStalled = frame >= 10 && frame < 18;
      for (; !isStalled && sent <= frame && sent < 50; sent++)
        world.voice.play(given.subarray(sent * 320, sent * 320 + 320));
    });
  }
  assert.ok(world.prebuffer.startDelayMs > 100, `${world.prebuffer.startDelayMs} ms`);
});

test('a held agent goes on where it was', async () => {
  const world = makeWorld();
  const pcm = sound(1500);
  world.voice.play(wide(pcm));
  world.voice.mark('end');
  await world.run(700);
  world.voice.pause();
  const frames = world.sender.wire.length;
  await world.run(2000);
  assert.ok(world.sender.wire.slice(frames + 1).every((frame) => frame === SILENCE));
  world.voice.resume();
  await world.run(1500);
  assertHeard(world, pcm.subarray(0, 600 * 8));
  assertHeard(world, pcm.subarray(800 * 8));
  assert.ok(world.told.includes('mark end'));
});

test('what the agent says to a held caller is not kept, and its mark follows what is left', async () => {
  const world = makeWorld();
  const [before, during, after] = [sound(1000, 1), sound(1000, 2), sound(1000, 3)];
  world.voice.play(wide(before));
  await world.run(300);
  world.voice.pause();
  world.voice.play(wide(during));
  world.voice.mark('during');
  await world.run(2000);
  assert.equal(
    world.told.filter((what) => what.startsWith('mark')),
    [],
  );
  world.voice.resume();
  await world.run(1500);
  assert.ok(world.told.includes('mark during'));
  world.voice.play(wide(after));
  await world.run(1500);
  assertHeard(world, before.subarray(400 * 8));
  assertHeard(world, after);
  const heard = world.heard();
  assert.ok(locate(during.subarray(0, 4000), heard, 8000).correlation < 0.5, 'it is not heard');
  assert.is(world.voice.droppedMs, 1000);
});

test('after a long hold the rest of a sentence is not played, and its marks are told', async () => {
  const world = makeWorld();
  const [before, after] = [sound(2000, 1), sound(1000, 2)];
  world.voice.play(wide(before));
  world.voice.mark('before');
  await world.run(300);
  world.voice.pause();
  await world.run(6000);
  const frames = world.sender.wire.length;
  world.voice.resume();
  assert.ok(world.told.includes('mark before'));
  await world.run(1000);
  assert.ok(world.sender.wire.slice(frames).every((frame) => frame === SILENCE));
  world.voice.play(wide(after));
  world.voice.mark('after');
  await world.run(1500);
  assertHeard(world, after);
  assert.ok(world.told.includes('mark after'));
});

test('five minutes may wait, and what is beyond is counted and not heard', async () => {
  const world = makeWorld();
  const minute = new Int16Array(16_000 * 60).fill(1000);
  for (let i = 0; i < 6; i++) world.voice.play(minute);
  assert.ok(world.voice.droppedMs > 59_000 && world.voice.droppedMs < 60_001, `${world.voice.droppedMs} ms`);
  world.voice.close();
  assert.not.ok(world.voice.isPlaying);
  world.voice.play(minute);
  assert.not.ok(world.voice.isPlaying);
});

test('an agent that sends silence all the time is back in the present after a stall, and no voice is lost', async () => {
  const world = makeWorld(60);
  const voiced = sound(1000);
  // 1 s of voice, 4 s of silence, and again, sent in real time; a stall of 800 ms in the second second.
  const period = Int16Array.from([...wide(voiced), ...new Int16Array(16_000 * 4)]);
  const all = Int16Array.from([...period, ...period, ...period]);
  let sent = 0;
  await world.run(15_500, (frame) => {
    const isStalled = frame >= 30 && frame < 70;
    for (; !isStalled && sent <= frame && sent < 750; sent++)
      world.voice.play(all.subarray(sent * 320, sent * 320 + 320));
  });
  const heard = world.heard();
  const places = [4500, 9500].map(
    (from) => from + locate(voiced, heard.subarray(from * 8, (from + 3000) * 8), 8000).offsetMs,
  );
  for (const [index, place] of places.entries()) {
    const lateMs = place - 5000 * (index + 1);
    assert.ok(lateMs >= 0 && lateMs < 350, `the voice of period ${index + 1} is ${lateMs} ms late`);
  }
});

test.run();
