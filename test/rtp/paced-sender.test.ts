import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PacedSender } from '../../src/rtp/paced-sender.ts';
import { createRtpHeader, parseRtp } from '../../src/rtp/packet.ts';
import { SendPacer } from '../../src/rtp/send-pacer.ts';
import { FRAME_MARKER } from '../../src/rtp/transport.ts';
import type { FrameSenderOptions } from '../../src/rtp/transport.ts';
import { FakeClock } from '../support/fake-clock.ts';

const test = suite('paced sender');

interface Sent {
  readonly at: number;
  readonly sequenceNumber: number;
  /** Relative to the initial timestamp, in packets of 160 ticks. */
  readonly step: number;
  readonly marker: boolean;
  /** `s` for silence, else the first byte of the payload. */
  readonly what: string;
}

function createSender(overrides: Partial<FrameSenderOptions> = {}) {
  const sent: Sent[] = [];
  const tap: string[] = [];
  let nowMs = 0;
  let ticks = 0;
  const initialTimestamp = 0xffff_ff00;
  const header = createRtpHeader();
  const sender = new PacedSender(
    {
      ssrc: 0xabcd_ef01,
      initialSequenceNumber: 65534,
      initialTimestamp,
      ptimeMs: 20,
      timestampStep: 160,
      silencePayload: new Uint8Array(160).fill(0xff),
      silencePayloadType: 0,
      onSent: (tag, timestamp, sentAtMs) =>
        tap.push(`${tag}@${((timestamp - initialTimestamp) >>> 0) / 160}@${sentAtMs}`),
      onTick: () => (ticks += 1),
      ...overrides,
    },
    0,
    (packet) => {
      assert.is(parseRtp(packet, 0, packet.length, header), 'ok');
      assert.is(header.ssrc, 0xabcd_ef01);
      const first = packet[header.payloadOffset]!;
      sent.push({
        at: nowMs,
        sequenceNumber: header.sequenceNumber,
        step: ((header.timestamp - initialTimestamp) >>> 0) / 160,
        marker: header.marker,
        what: first === 0xff ? 's' : `${first}`,
      });
    },
  );
  sender.setConnected(true);
  return {
    sender,
    sent,
    tap,
    ticks: () => ticks,
    runAt: (ms: number) => {
      nowMs = ms;
      sender.run(ms);
    },
    /** A frame whose first byte and tag are `name`. */
    write: (name: number, timestampStep = 160, flags = 0, payloadType = 0) =>
      sender.write(new Uint8Array(160).fill(name), payloadType, timestampStep, flags, name),
    brief: () => sent.map(({ what, step, marker }) => `${what}@${step}${marker ? 'M' : ''}`),
  };
}

test('sends silence, numbers and timestamps running on over their wraps', () => {
  const { sent, runAt, brief } = createSender();
  for (let tick = 0; tick < 4; tick++) runAt(tick * 20);
  assert.equal(brief(), ['s@0M', 's@1', 's@2', 's@3']);
  assert.equal(
    sent.map(({ sequenceNumber }) => sequenceNumber),
    [65534, 65535, 0, 1],
  );
});

test('is not ahead of its deadlines, and lateness does not add up', () => {
  const { sender, sent, runAt } = createSender();
  for (let tick = 0; tick < 50; tick++) {
    runAt(tick * 20 - 1);
    assert.is(sent.length, tick);
    assert.is(sender.deadlineMs, tick * 20);
    runAt(tick * 20 + 9.7);
    assert.is(sent.length, tick + 1);
  }
});

test('the first frame after silence carries the marker, and the tap names frames only', () => {
  const { write, runAt, brief, tap } = createSender();
  runAt(0);
  write(1);
  write(2);
  runAt(20);
  runAt(40);
  runAt(60);
  write(3);
  runAt(80);
  assert.equal(brief(), ['s@0M', '1@1M', '2@2', 's@3', '3@4M']);
  assert.equal(tap, ['1@1@20', '2@2@40', '3@4@80']);
});

test('a flush drops what has not left, and the next frame carries the marker', () => {
  const { sender, write, runAt, brief } = createSender();
  for (const name of [1, 2, 3, 4]) write(name);
  runAt(0);
  runAt(20);
  assert.is(sender.flush(), 2);
  assert.is(sender.queuedFrames, 0);
  write(5);
  runAt(40);
  assert.equal(brief(), ['1@0M', '2@1', '5@2M']);
});

test('audio that goes on after a flush has no marker, unless one was due or silence came in between', () => {
  const { sender, write, runAt, brief } = createSender();
  for (const name of [1, 2]) write(name);
  runAt(0);
  assert.is(sender.flush(true), 1);
  write(3);
  runAt(20);
  write(4);
  sender.flush();
  write(5);
  sender.flush(true);
  write(6);
  runAt(40);
  sender.flush(true);
  runAt(60);
  write(7);
  runAt(80);
  assert.equal(brief(), ['1@0M', '3@1', '6@2M', 's@3', '7@4M']);
});

test('a full ring takes nothing, and goes round', () => {
  const { sender, write, runAt, sent } = createSender();
  for (let name = 0; name < sender.capacityFrames; name++) assert.ok(write(name));
  assert.not(write(200));
  assert.is(sender.queuedFrames, sender.capacityFrames);
  for (let tick = 0; tick < 200; tick++) {
    runAt(tick * 20);
    assert.ok(write((tick + sender.capacityFrames) % 250));
  }
  assert.equal(
    sent.map(({ what }) => what),
    Array.from({ length: 200 }, (_, name) => `${name}`),
  );
});

test('frames of different lengths leave as they were written', () => {
  const lengths: number[] = [];
  const sender = new PacedSender(
    {
      ssrc: 1,
      initialSequenceNumber: 0,
      initialTimestamp: 0,
      ptimeMs: 20,
      timestampStep: 160,
      silencePayload: new Uint8Array(160),
      silencePayloadType: 0,
      onSent: () => {},
      onTick: () => {},
    },
    0,
    (packet) => lengths.push(packet.length - 12),
  );
  sender.setConnected(true);
  for (let round = 0; round < 3; round++) {
    for (let length = 0; length < sender.capacityFrames; length++) {
      sender.write(new Uint8Array(length * (round + 1)), 0, 160, 0, 0);
    }
    for (let tick = 0; tick < sender.capacityFrames; tick++) sender.run((round * sender.capacityFrames + tick) * 20);
  }
  const expected = [1, 2, 3].flatMap((factor) =>
    Array.from({ length: sender.capacityFrames }, (_, length) => length * factor),
  );
  assert.equal(lengths, expected);
  assert.is(
    sender.octetsSent,
    expected.reduce((sum, length) => sum + length, 0),
  );
  assert.is(sender.packetsSent, expected.length);
});

test('after a stall in silence three packets leave, the rest is a step of the timestamp with a marker', () => {
  const { runAt, brief, sent } = createSender();
  runAt(0);
  runAt(1000);
  runAt(1020);
  assert.equal(brief(), ['s@0M', 's@48M', 's@49', 's@50', 's@51']);
  assert.equal(
    sent.map(({ sequenceNumber }) => sequenceNumber),
    [65534, 65535, 0, 1, 2],
  );
});

test('after a short stall everything that is due leaves', () => {
  const { runAt, brief } = createSender();
  runAt(0);
  runAt(60);
  assert.equal(brief(), ['s@0M', 's@1', 's@2', 's@3']);
});

test('a stall drops no queued frame', () => {
  const { write, runAt, brief } = createSender();
  for (let name = 1; name <= 10; name++) write(name);
  runAt(0);
  runAt(200);
  for (let tick = 11; tick < 18; tick++) runAt(tick * 20);
  assert.equal(brief().slice(0, 4), ['1@0M', '2@8M', '3@9', '4@10']);
  assert.equal(
    brief()
      .map((packet) => packet.split('@')[0])
      .slice(0, 10),
    ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'],
  );
  assert.is(brief().at(-1), 's@17');
});

test('all packets of an event share one timestamp, even over a stall, and time is made good after it', () => {
  const { write, runAt, brief } = createSender();
  write(7, 0, FRAME_MARKER, 101);
  for (let packet = 0; packet < 5; packet++) write(7, 0, 0, 101);
  write(7, 7 * 160, 0, 101);
  write(1);
  runAt(0);
  runAt(20);
  runAt(300);
  for (let tick = 16; tick < 20; tick++) runAt(tick * 20);
  assert.equal(brief(), ['7@0M', '7@0', '7@0', '7@0', '7@0', '7@0', '7@0', '1@18M', 's@19']);
});

test('an event that is flushed half way has taken time all the same', () => {
  const { sender, write, runAt, brief } = createSender();
  write(7, 0, FRAME_MARKER);
  write(7, 0);
  write(7, 480);
  runAt(0);
  runAt(20);
  sender.flush();
  write(1);
  runAt(40);
  assert.equal(brief(), ['7@0M', '7@0', '1@2M']);
});

test('a pause sends nothing and keeps the ring, the clock and the ticks going', () => {
  const { sender, write, runAt, brief, ticks } = createSender();
  runAt(0);
  sender.setPaused(true);
  write(1);
  for (let tick = 1; tick <= 100; tick++) runAt(tick * 20);
  assert.is(ticks(), 101);
  assert.is(sender.queuedFrames, 1);
  sender.setPaused(false);
  runAt(2020);
  runAt(2040);
  assert.equal(brief(), ['s@0M', '1@101M', 's@102']);
});

test('without a remote it is as in a pause', () => {
  const { sender, write, runAt, brief, ticks } = createSender();
  sender.setConnected(false);
  write(1);
  runAt(0);
  runAt(20);
  assert.is(ticks(), 2);
  sender.setConnected(true);
  runAt(40);
  assert.equal(brief(), ['1@2M']);
});

test('a reconfiguration counts from the next frame', () => {
  const { sender, runAt, sent } = createSender();
  runAt(0);
  runAt(20);
  sender.reconfigure({
    ptimeMs: 30,
    timestampStep: 240,
    silencePayload: new Uint8Array(240).fill(0xff),
    silencePayloadType: 8,
  });
  for (const ms of [39, 40, 69, 70, 100]) runAt(ms);
  assert.equal(
    sent.map(({ at, step }) => `${at}:${step}`),
    ['0:0', '20:1', '40:2', '70:3.5', '100:5'],
  );
});

test('misuse is refused', () => {
  const { sender } = createSender();
  assert.throws(() => sender.write(new Uint8Array(1461), 0, 160, 0, 0), /at most 1460 bytes/);
  assert.throws(() => createSender({ ptimeMs: 0 }), /ptimeMs above 0/);
  assert.throws(() => createSender({ silencePayload: new Uint8Array(2000) }), /bytes of silence/);
});

test('one timer drives every sender at its own deadlines', () => {
  const clock = new FakeClock();
  const pacer = new SendPacer(clock);
  const times: number[][] = [[], [], []];
  const senders = [20, 30, 20].map((ptimeMs, index) => {
    if (index === 2) clock.advance(12);
    const sender = new PacedSender(
      {
        ssrc: 1,
        initialSequenceNumber: 0,
        initialTimestamp: 0,
        ptimeMs,
        timestampStep: 160,
        silencePayload: new Uint8Array(1),
        silencePayloadType: 0,
        onSent: () => {},
        onTick: () => {},
      },
      pacer.nextStartMs(),
      () => times[index]!.push(clock.nowMs()),
    );
    sender.setConnected(true);
    pacer.add(sender);
    return sender;
  });
  clock.advance(90);
  assert.is(clock.timers, 1);
  assert.equal(times, [
    [0, 20, 40, 60, 80, 100],
    [0, 30, 60, 90],
    [15, 35, 55, 75, 95],
  ]);
  for (const sender of senders) pacer.remove(sender);
  assert.is(clock.timers, 0);
  clock.advance(1000);
  assert.is(times[0]!.length, 6);
});

test('an owner that throws stops nobody for good', () => {
  const clock = new FakeClock();
  const pacer = new SendPacer(clock);
  let sent = 0;
  const sender = new PacedSender(
    {
      ssrc: 1,
      initialSequenceNumber: 0,
      initialTimestamp: 0,
      ptimeMs: 20,
      timestampStep: 160,
      silencePayload: new Uint8Array(1),
      silencePayloadType: 0,
      onSent: () => {},
      onTick: () => {
        if (sent === 1) throw new Error('an owner at fault');
      },
    },
    0,
    () => (sent += 1),
  );
  sender.setConnected(true);
  pacer.add(sender);
  assert.throws(() => clock.advance(10), /an owner at fault/);
  clock.advance(40);
  assert.is(sent, 3);
  pacer.remove(sender);
});

test.run();
