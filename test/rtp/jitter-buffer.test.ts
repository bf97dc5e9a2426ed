import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711 } from '../../src/audio/g711.ts';
import { JitterBuffer } from '../../src/rtp/jitter-buffer.ts';
import type { JitterBufferOptions } from '../../src/rtp/jitter-buffer.ts';
import { withSeed } from '../audio/prng.ts';
import { fitTone, tone } from '../audio/tone.ts';
import { assertSamples } from '../support/samples.ts';

const test = suite('jitter buffer');
const L16 = 96;

/** Audio in which every sample tells where it belongs: slow enough for stretching to find no seam in it. */
function markedSamples(first: number, length: number): Int16Array {
  return Int16Array.from({ length }, (_, i) => ((first + i) % 30_000) + 1);
}

function toL16(pcm: Int16Array): Uint8Array {
  const payload = new Uint8Array(pcm.length * 2);
  for (const [i, sample] of pcm.entries()) {
    payload[2 * i] = sample >> 8;
    payload[2 * i + 1] = sample & 0xff;
  }
  return payload;
}

interface Call {
  readonly buffer: JitterBuffer;
  /** Sends packet `index` of the call so that it arrives at `atMs`. */
  send(index: number, atMs: number, payload?: Uint8Array): void;
  /** Inserts what has arrived and pulls a frame every 10 ms until `endMs`. @returns all that was pulled. */
  playUntil(endMs: number): number[];
}

interface CallOptions extends Partial<JitterBufferOptions> {
  packetMs?: number;
  sequenceNumber?: number;
  timestamp?: number;
  payloadType?: number;
}

/** A call of L16 at 8 kHz whose buffer keeps 60 ms, unless said otherwise. */
function createCall(options: CallOptions = {}): Call {
  const { packetMs = 20, sequenceNumber = 0, timestamp = 0, payloadType = L16, ...rest } = options;
  const buffer = new JitterBuffer({ clockRate: 8000, minDelayMs: 60, ...rest });
  const samples = packetMs * 8;
  const onWay: { atMs: number; index: number; payload: Uint8Array }[] = [];
  let nowMs = 0;
  return {
    buffer,
    send(index, atMs, payload = toL16(markedSamples(index * samples, samples))) {
      onWay.push({ atMs, index, payload });
    },
    playUntil(endMs) {
      onWay.sort((a, b) => a.atMs - b.atMs);
      const heard: number[] = [];
      for (; nowMs < endMs; nowMs += 10) {
        while (onWay[0] !== undefined && onWay[0].atMs <= nowMs) {
          const { atMs, index, payload } = onWay.shift()!;
          const packet = {
            sequenceNumber: (sequenceNumber + index) & 0xffff,
            timestamp: (timestamp + index * samples) >>> 0,
            payloadType,
            payload,
          };
          buffer.insert(packet, atMs);
        }
        heard.push(...buffer.pull(nowMs));
      }
      return heard;
    },
  };
}

/** What was heard without the zeros in front of the first packet. */
function fromStart(heard: number[]): number[] {
  return heard.slice(heard.findIndex((sample) => sample !== 0));
}

/** `heard` is the marked audio from sample 0 on, nothing missing or added. */
function assertMarked(heard: number[], what?: string): void {
  const audio = fromStart(heard);
  assertSamples(audio, markedSamples(0, audio.length), what);
}

test('plays a steady stream of L16 sample by sample, after the delay that was asked for', () => {
  const call = createCall();
  for (let index = 0; index < 500; index++) call.send(index, index * 20);
  const heard = call.playUntil(10_000);
  assert.is(
    heard.findIndex((sample) => sample !== 0),
    60 * 8,
  );
  assertMarked(heard);
  const { statistics } = call.buffer;
  assert.is(statistics.received, 500 * 160);
  assert.is(statistics.concealed + statistics.stretched + statistics.removed + statistics.late, 0);
  // The first half of a packet waits 60 ms, the second half 70.
  assert.is(statistics.delaySum / statistics.playedSamples, 65);
});

test('expands PCMU and PCMA', () => {
  for (const [payloadType, law] of [
    [0, 'ulaw'],
    [8, 'alaw'],
  ] as const) {
    const pcm = tone(440, 8000, 160, 8000);
    const codes = new Uint8Array(160);
    G711.encode(law, pcm, codes);
    G711.decode(law, codes, pcm);
    const call = createCall({ payloadType });
    for (let index = 0; index < 5; index++) call.send(index, index * 20, codes);
    assertSamples(call.playUntil(80).slice(60 * 8), pcm, law);
  }
});

test('puts packets in order', () => {
  withSeed((random) => {
    const call = createCall();
    // Every tenth comes at once: were all of a second slow, the buffer would rightly take the path for a longer one.
    for (let index = 0; index < 300; index++) call.send(index, index * 20 + (index % 10 === 0 ? 0 : random() * 30));
    assertMarked(call.playUntil(6000));
    assert.is(call.buffer.statistics.packetsLate, 0);
  });
});

test('starts with the lowest number although another packet came first', () => {
  const call = createCall();
  call.send(1, 0);
  call.send(0, 5);
  for (let index = 2; index < 20; index++) call.send(index, index * 20 - 20);
  assertMarked(call.playUntil(380));
});

test('plays a duplicate once, before and after it was played', () => {
  const call = createCall();
  for (let index = 0; index < 50; index++) {
    call.send(index, index * 20);
    call.send(index, index * 20 + (index % 2 === 0 ? 1 : 200));
  }
  assertMarked(call.playUntil(1000));
  assert.is(call.buffer.statistics.duplicates, 45);
  assert.is(call.buffer.statistics.received, 50 * 160);
});

test('wraps from sequence number 65535 to 0 and from the highest timestamp to 0', () => {
  const call = createCall({ sequenceNumber: 65_530, timestamp: 2 ** 32 - 5 * 160 - 40 });
  for (let index = 0; index < 100; index++) call.send(index, index * 20);
  assertMarked(call.playUntil(2000));
  assert.is(call.buffer.statistics.discarded, 0);
});

test('takes packets of 5 to 200 ms, mixed within one stream', () => {
  const buffer = new JitterBuffer({ clockRate: 8000, minDelayMs: 220 });
  const heard: number[] = [];
  let at = 0;
  let sequenceNumber = 0;
  for (let nowMs = 0; nowMs < 4000; nowMs += 10) {
    while (at / 8 <= nowMs) {
      const samples = [40, 80, 160, 240, 480, 1600][sequenceNumber % 6]!;
      const payload = toL16(markedSamples(at, samples));
      buffer.insert({ sequenceNumber, timestamp: at, payloadType: L16, payload }, at / 8);
      sequenceNumber += 1;
      at += samples;
    }
    heard.push(...buffer.pull(nowMs));
  }
  assertMarked(heard);
});

test('conceals a lost packet for as long as it lasted and plays on in time', () => {
  const call = createCall();
  for (let index = 0; index < 100; index++) if (index !== 40) call.send(index, index * 20);
  const heard = fromStart(call.playUntil(2000));
  assertSamples(heard.slice(0, 40 * 160), markedSamples(0, 40 * 160), 'what comes before');
  // The way back takes 8 ms after a gap of 20.
  const after = 41 * 160 + 64;
  assertSamples(heard.slice(after), markedSamples(after, heard.length - after), 'what comes after');
  assert.is(call.buffer.statistics.concealed, 160);
  assert.is(call.buffer.statistics.concealmentEvents, 1);
  assert.is(call.buffer.statistics.underflows, 0);
});

test('leads into and out of a loss without a click', () => {
  const call = createCall();
  const pcm = tone(333, 8000, 16_000, 8000);
  for (let index = 0; index < 100; index++) {
    if (index % 10 < 7) call.send(index, index * 20, toL16(pcm.subarray(index * 160, (index + 1) * 160)));
  }
  const heard = fromStart(call.playUntil(2000));
  assert.ok(call.buffer.statistics.concealed > 4000);
  for (let i = 1; i < heard.length; i++) {
    // The steepest step of the tone itself is 2,092.
    assert.ok(Math.abs(heard[i]! - heard[i - 1]!) < 2500, `click at ${i}`);
  }
});

test('plays samples once that two packets carry', () => {
  const buffer = new JitterBuffer({ clockRate: 8000, minDelayMs: 60 });
  const heard: number[] = [];
  for (let index = 0; index < 100; index++) {
    // Each packet carries the second half of the one before again.
    const payload = toL16(markedSamples(index * 80, 160));
    buffer.insert({ sequenceNumber: index, timestamp: index * 80, payloadType: L16, payload }, index * 10);
    heard.push(...buffer.pull(index * 10));
  }
  assertMarked(heard);
});

test('counts a packet as late when it comes after it was given up', () => {
  const call = createCall();
  for (let index = 0; index < 100; index++) call.send(index, index * 20 + (index === 40 ? 150 : 0));
  call.playUntil(2000);
  assert.is(call.buffer.statistics.packetsLate, 1);
  assert.is(call.buffer.statistics.late, 160);
});

test('plays all that a stall held up, later', () => {
  const call = createCall();
  for (let index = 0; index < 200; index++)
    call.send(index, Math.max(index * 20, index >= 50 && index < 60 ? 1200 : 0));
  const heard = call.playUntil(1400);
  const { statistics } = call.buffer;
  assert.is(statistics.packetsLate, 0);
  assert.is(statistics.underflows, 1);
  // 200 ms without packets, 60 ms of them buffered.
  assert.ok(statistics.concealed >= 100 * 8 && statistics.concealed <= 150 * 8, `${statistics.concealed} concealed`);
  const expected = markedSamples(52 * 160, 160)[0]!;
  assert.ok(heard.includes(expected), 'packet 52 is heard');
});

test('gives the delay of a stall back within three seconds, and the pitch stays', () => {
  const call = createCall({ minDelayMs: 10 });
  const pcm = tone(250, 8000, 160, 8000);
  for (let index = 0; index < 400; index++) {
    call.send(index, Math.max(index * 20, index >= 50 && index < 60 ? 1200 : 0), toL16(pcm));
  }
  call.playUntil(1210);
  const before = { ...call.buffer.statistics };
  const heard = call.playUntil(6000);
  const { statistics } = call.buffer;
  assert.ok(statistics.removed - before.removed > 80 * 8, `${statistics.removed} removed`);
  const after = heard.slice(-16_000);
  assert.ok(fitTone(Int16Array.from(after), 250, 8000).amplitude > 7900, 'the tone is whole');
  const transition = Int16Array.from(heard.slice(800, 24_800));
  for (let i = 1; i < transition.length; i++) {
    // The steepest step of the tone itself is 1,561.
    assert.ok(Math.abs(transition[i]! - transition[i - 1]!) < 1900, `click at ${i}`);
  }
});

test('follows a sender whose clock is 500 ppm slow or fast, for ten minutes', () => {
  for (const ppm of [-500, 500]) {
    const call = createCall({ minDelayMs: 20 });
    const pcm = tone(250, 8000, 160, 8000);
    for (let index = 0; index < 30_000; index++) call.send(index, index * 20 * (1 + ppm * 1e-6), toL16(pcm));
    call.playUntil(590_000);
    const { statistics } = call.buffer;
    assert.ok(statistics.concealed <= 160, `${statistics.concealed} concealed at ${ppm} ppm`);
    assert.ok(Math.abs(statistics.stretched - statistics.removed - ppm * 590 * 8e-3) < 480, `drift of ${ppm} ppm`);
    assert.ok(statistics.delaySum / statistics.playedSamples < 40, 'the delay stays short');
  }
});

test('does not take a step of the delay for an excess of it', () => {
  const call = createCall();
  const payload = toL16(tone(250, 8000, 160, 8000));
  for (let index = 0; index < 3200; index++) call.send(index, index * 20 + (index >= 3000 ? 80 : 0), payload);
  call.playUntil(60_000);
  const { removed, concealed } = call.buffer.statistics;
  call.playUntil(63_900);
  const { statistics } = call.buffer;
  assert.is(statistics.removed - removed, 0);
  assert.ok(statistics.concealed - concealed <= 80 * 8, `${statistics.concealed - concealed} concealed`);
});

test('goes on in time after a pause in which nothing was sent', () => {
  const call = createCall();
  for (let index = 0; index < 300; index++) if (index < 100 || index >= 250) call.send(index, index * 20);
  const heard = fromStart(call.playUntil(6000));
  const after = 250 * 160 + 80;
  assertSamples(heard.slice(after), markedSamples(after, heard.length - after), 'what comes after the pause');
  assert.is(call.buffer.statistics.removed, 0);
  assert.is(call.buffer.statistics.discarded, 0);
});

test('goes on with a sender whose timestamps stood still during the pause', () => {
  const call = createCall({ minDelayMs: 20 });
  for (let index = 0; index < 300; index++) call.send(index, index * 20 + (index >= 100 ? 10_000 : 0));
  call.playUntil(12_100);
  const { playedSamples } = call.buffer.statistics;
  call.playUntil(15_000);
  const { statistics } = call.buffer;
  assert.is(statistics.playedSamples - playedSamples, 2900 * 8);
  assert.ok(statistics.discarded <= 1);
});

test('goes on when numbers and timestamps start anew within one source', () => {
  const call = createCall({ minDelayMs: 20 });
  for (let index = 0; index < 100; index++) call.send(index, index * 20);
  call.playUntil(2000);
  const { buffer } = call;
  for (let index = 0; index < 100; index++) {
    const payload = toL16(markedSamples(index * 160, 160));
    const atMs = 2000 + index * 20;
    buffer.insert(
      { sequenceNumber: 30_000 + index, timestamp: 0x9000_0000 + index * 160, payloadType: L16, payload },
      atMs,
    );
    buffer.pull(atMs);
    buffer.pull(atMs + 10);
  }
  assert.is(buffer.statistics.discarded, 1);
  assert.ok(buffer.statistics.concealed < 100 * 8, `${buffer.statistics.concealed} concealed`);
  assert.ok(buffer.statistics.playedSamples > 180 * 160);
});

test('discards one packet with a wild timestamp and nothing else', () => {
  const call = createCall();
  for (let index = 0; index < 100; index++) if (index !== 50) call.send(index, index * 20);
  call.playUntil(1000);
  call.buffer.insert(
    { sequenceNumber: 50, timestamp: 0x7fff_0000, payloadType: L16, payload: new Uint8Array(320) },
    1000,
  );
  call.playUntil(2000);
  assert.is(call.buffer.statistics.discarded, 1);
  assert.is(call.buffer.statistics.concealed, 160);
});

test('starts afresh for another source after reset', () => {
  const call = createCall();
  for (let index = 0; index < 100; index++) call.send(index, index * 20);
  call.playUntil(2000);
  const { buffer } = call;
  buffer.reset();
  const heard: number[] = [];
  for (let index = 0; index < 50; index++) {
    const payload = toL16(markedSamples(index * 160, 160));
    const atMs = 2000 + index * 20;
    buffer.insert({ sequenceNumber: 7 + index, timestamp: 123_456 + index * 160, payloadType: L16, payload }, atMs);
    heard.push(...buffer.pull(atMs), ...buffer.pull(atMs + 10));
  }
  assertMarked(heard);
  assert.is(buffer.statistics.packetsReceived, 150);
  assert.is(buffer.statistics.concealed, 0);
});

test('drops audio that would be played more than maxDelayMs late', () => {
  const call = createCall({ minDelayMs: 20, maxDelayMs: 200 });
  for (let index = 0; index < 200; index++)
    call.send(index, Math.max(index * 20, index >= 50 && index < 100 ? 2000 : 0));
  call.playUntil(2200);
  const { statistics } = call.buffer;
  assert.ok(statistics.discarded >= 35 && statistics.discarded < 50, `${statistics.discarded} discarded`);
  const played = { ...statistics };
  call.playUntil(3900);
  assert.ok((statistics.delaySum - played.delaySum) / (statistics.playedSamples - played.playedSamples) < 200);
});

test('survives an outage of six seconds after which all packets come at once', () => {
  const call = createCall({ minDelayMs: 20 });
  for (let index = 0; index < 400; index++)
    call.send(index, Math.max(index * 20, index >= 10 && index < 310 ? 6200 : 0));
  const heard = call.playUntil(8000);
  assert.ok(heard.includes(markedSamples(309 * 160, 1)[0]!), 'the last packet of the burst is heard');
  assert.ok(call.buffer.statistics.discarded > 200);
  const frames = call.playUntil(8000 + 10);
  assert.is(frames.length, 80);
});

test('makes the noise that a silence descriptor asks for, and counts it apart', () => {
  const call = createCall();
  for (let index = 0; index < 50; index++) call.send(index, index * 20);
  call.playUntil(1000);
  const { buffer } = call;
  buffer.insert({ sequenceNumber: 50, timestamp: 50 * 160, payloadType: 13, payload: Uint8Array.of(50) }, 1000);
  const noise: number[] = [];
  for (let nowMs = 1000; nowMs < 2000; nowMs += 10) noise.push(...buffer.pull(nowMs));
  for (let index = 100; index < 150; index++) {
    if (index === 140) continue;
    const payload = toL16(markedSamples(index * 160, 160));
    buffer.insert({ sequenceNumber: index - 49, timestamp: index * 160, payloadType: L16, payload }, index * 20);
    noise.push(...buffer.pull(index * 20), ...buffer.pull(index * 20 + 10));
  }
  const { statistics } = buffer;
  assert.is(statistics.comfortNoise, 1000 * 8);
  assert.ok(statistics.concealed >= 80, 'a loss in the voice after it is concealed again');
  const quiet = noise.slice(100 * 8, 1000 * 8);
  const rms = Math.sqrt(quiet.reduce((sum, sample) => sum + sample ** 2, 0) / quiet.length);
  assert.ok(Math.abs(20 * Math.log10(rms / 32_768) + 50) < 0.5, `level ${rms}`);
  assertSamples(noise.slice(1060 * 8, 1260 * 8), markedSamples(100 * 160, 200 * 8), 'the voice after it');
});

test('counts what is no audio packet and plays on', () => {
  const call = createCall();
  for (let index = 0; index < 100; index++) call.send(index, index * 20);
  call.playUntil(1000);
  for (const bytes of [0, 1, 15, 201 * 16]) {
    call.buffer.insert({ sequenceNumber: 50, timestamp: 8000, payloadType: L16, payload: new Uint8Array(bytes) }, 1000);
  }
  call.buffer.insert({ sequenceNumber: 50, timestamp: 8000, payloadType: 13, payload: new Uint8Array(0) }, 1000);
  call.playUntil(2000);
  assert.is(call.buffer.statistics.discarded, 5);
  assert.is(call.buffer.statistics.concealed, 0);
});

test('accounts for every sample it plays, whatever the network does', () => {
  withSeed((random) => {
    for (let round = 0; round < 20; round++) {
      const packetMs = [10, 20, 30, 60][Math.floor(random() * 4)]!;
      const call = createCall({ packetMs, minDelayMs: 10, sequenceNumber: 65_000, timestamp: 2 ** 32 - 9000 });
      const jitterMs = random() * 120;
      let heldUntilMs = 0;
      let inserted = 0;
      for (let index = 0; index < 600; index++) {
        const sentMs = index * packetMs;
        if (random() < 0.01) heldUntilMs = sentMs + random() * 400;
        if (random() < 0.05) continue;
        const copies = random() < 0.02 ? 2 : 1;
        const atMs = Math.max(heldUntilMs, sentMs - jitterMs * Math.log(1 - random()));
        for (let copy = 0; copy < copies; copy++) call.send(index, atMs + copy * random() * 100);
        inserted += copies;
      }
      const heard = call.playUntil(600 * packetMs + 2000);
      const { statistics } = call.buffer;
      const silent = heard.length - statistics.playedSamples - statistics.concealed;
      assert.ok(silent >= 0 && silent < 800 * 8, 'only the start is not counted');
      assert.is(silent % 80, 0);
      assert.is(statistics.packetsReceived, inserted);
      const samples = packetMs * 8;
      const droppedSamples = statistics.discarded * samples;
      assert.is(
        statistics.playedSamples,
        statistics.received - statistics.late - droppedSamples + statistics.stretched - statistics.removed,
      );
      assert.ok(statistics.delaySum >= 0);
    }
  });
});

test('returns the same memory again and leaves payloads alone', () => {
  const buffer = new JitterBuffer({ clockRate: 16_000 });
  assert.is(buffer.pull(0).length, 160);
  const payload = new Uint8Array(640).fill(7);
  buffer.insert({ sequenceNumber: 1, timestamp: 0, payloadType: L16, payload }, 0);
  payload.fill(99);
  for (let nowMs = 10; nowMs < 40; nowMs += 10) buffer.pull(nowMs);
  const frame = buffer.pull(40);
  assert.is(frame[0], 0x0707);
  assert.is(frame.buffer, buffer.pull(50).buffer);
});

test('refuses rates and delays that can not be', () => {
  assert.throws(() => new JitterBuffer({ clockRate: 7000 }), /clockRate of 8000-48000/);
  assert.throws(() => new JitterBuffer({ clockRate: 11_025 }), /clockRate/);
  assert.throws(() => new JitterBuffer({ clockRate: 8000, minDelayMs: -1 }), /minDelayMs/);
  assert.throws(() => new JitterBuffer({ clockRate: 8000, minDelayMs: 300, maxDelayMs: 200 }), /minDelayMs/);
});

test.run();
