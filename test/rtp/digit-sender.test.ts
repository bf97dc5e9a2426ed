import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DigitSender } from '../../src/rtp/digit-sender.ts';
import { TelephoneEventReceiver } from '../../src/rtp/telephone-event.ts';
import { toEndpoint } from '../../src/rtp/transport.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeMediaPort } from './fake-media-port.ts';

const test = suite('digit sender');

const SILENCE = new Uint8Array(160).fill(0xff);
const OPTIONS = {
  payloadType: 101,
  ptimeMs: 20,
  timestampStep: 160,
  silencePayload: SILENCE,
  silencePayloadType: 0,
};

function createSender() {
  const clock = new FakeClock();
  const port = new FakeMediaPort(clock);
  port.setRemote(toEndpoint('192.0.2.1', 4000), undefined);
  const tags: number[] = [];
  const sender = port.startSending({
    ssrc: 1,
    initialSequenceNumber: 0,
    initialTimestamp: 0,
    ...OPTIONS,
    onSent: (tag) => tags.push(tag),
    onTick: () => digits.pump(OPTIONS),
  });
  const digits = new DigitSender(sender);
  return { clock, port, sender, digits, tags };
}

/** The digits a receiver hears in what a port has sent. */
function heardIn(port: FakeMediaPort): string[] {
  const heard: string[] = [];
  const receiver = new TelephoneEventReceiver(8000, (digit, durationMs) => heard.push(`${digit}:${durationMs}`));
  for (const { payloadType, payload, timestamp, marker, sentAtMs } of port.sent) {
    if (payloadType === 101) receiver.receive(payload, 0, payload.length, timestamp, marker, sentAtMs);
  }
  receiver.finish();
  return heard;
}

test('a digit of 100 ms is five packets and two more Ends, with one timestamp and the marker on the first', () => {
  const { clock, port, digits, sender } = createSender();
  digits.queue('5', 100, OPTIONS);
  digits.pump(OPTIONS);
  sender.write(new Uint8Array(160).fill(1), 0, 160, 0, 1);
  clock.advance(240);
  const events = port.sent.filter(({ payloadType }) => payloadType === 101);
  assert.equal(
    events.map(({ payload }) => [...payload]),
    [160, 320, 480, 640, 800, 800, 800].map((ticks, packet) => [5, packet >= 4 ? 0x8a : 0x0a, ticks >> 8, ticks & 255]),
  );
  assert.equal(
    events.map(({ marker, timestamp }) => [marker, timestamp]),
    events.map((_, packet) => [packet === 0, 0]),
  );
  const after = port.sent.slice(7, 11);
  assert.equal(
    after.map(({ payloadType, timestamp, payload }) => [payloadType, timestamp / 160, payload[0]]),
    [
      [0, 7, 0xff],
      [0, 8, 0xff],
      [0, 9, 0xff],
      [0, 10, 1],
    ],
  );
});

test('many digits are heard one by one, while the owner keeps the ring full', () => {
  const { clock, port, digits, tags } = createSender();
  let written = 0;
  while (digits.write(new Uint8Array(160).fill(1), 0, 160, 0, 1)) written += 1;
  digits.queue('0123456789*#ABCDd55', 120, OPTIONS);
  for (let tick = 0; tick < 400; tick++) {
    while (digits.write(new Uint8Array(160).fill(1), 0, 160, 0, 1)) written += 1;
    clock.advance(20);
  }
  assert.equal(
    heardIn(port),
    Array.from('0123456789*#ABCDD55', (digit) => `${digit}:120`),
  );
  const timestamps = port.sent.filter(({ payloadType }) => payloadType === 0).map(({ timestamp }) => timestamp);
  assert.ok(timestamps.every((timestamp, index) => index === 0 || timestamp > timestamps[index - 1]!));
  assert.is(digits.queuedDigits, 0);
  assert.ok(written > 64);
  clock.advance(2000);
  assert.is(tags.filter((tag) => tag === 1).length, written, 'no audio frame was lost');
});

test('the timestamp after a digit is true to real time', () => {
  const { clock, port, digits } = createSender();
  clock.advance(10);
  digits.queue('5', 100, OPTIONS);
  digits.pump(OPTIONS);
  clock.advance(1000);
  const last = port.sent.at(-1)!;
  assert.is(last.timestamp, last.sentAtMs * 8);
});

test('digits longer than the ring after a change of packetization are cut to it', () => {
  const { clock, port, sender, digits } = createSender();
  digits.queue('5', 1180, OPTIONS);
  assert.is(digits.queuedDigits, 1);
  const faster = { ...OPTIONS, ptimeMs: 10, timestampStep: 80 };
  sender.reconfigure(faster);
  digits.pump(faster);
  assert.is(digits.queuedDigits, 0);
  clock.advance(2000);
  assert.equal(heardIn(port), ['5:560']);
});

test('misuse is refused and queues nothing', () => {
  const { digits } = createSender();
  for (const [text, durationMs] of [
    ['5x', 100],
    ['', 39],
    ['5', 20_000],
    ['5', Number.NaN],
    ['5'.repeat(129), 100],
  ] as const) {
    assert.throws(() => digits.queue(text, durationMs, OPTIONS), /Expected/);
  }
  assert.is(digits.queuedDigits, 0);
});

test.run();
