import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createRtpHeader, parseRtp } from '../../src/rtp/packet.ts';
import { TelephoneEventReceiver } from '../../src/rtp/telephone-event.ts';
import { needs } from '../support/needs.ts';
import { seededRandom } from './builders.ts';
import { readCapture, readCaptureFixture } from './captures.ts';

const test = suite('telephone events');

interface EventPacket {
  readonly timeMs: number;
  readonly timestamp: number;
  readonly marker: boolean;
  readonly payload: Uint8Array;
}

/** A digit of 100 ms as a good sender makes it: updates every 20 ms, three Ends. */
function press(event: number, startMs: number, timestamp: number): EventPacket[] {
  return Array.from({ length: 7 }, (_, packet) => {
    const duration = Math.min(packet + 1, 5) * 160;
    return {
      timeMs: startMs + packet * 20,
      timestamp,
      marker: packet === 0,
      payload: Uint8Array.of(event, packet >= 4 ? 0x8a : 0x0a, duration >> 8, duration & 255),
    };
  });
}

/** `5:100` for each digit heard. Silence is polled for every 20 ms, and for a second at the end. */
function hear(packets: readonly EventPacket[]): string[] {
  const heard: string[] = [];
  const receiver = new TelephoneEventReceiver(8000, (digit, durationMs) => heard.push(`${digit}:${durationMs}`));
  let pollMs = 0;
  for (const { timeMs, timestamp, marker, payload } of packets) {
    for (; pollMs < timeMs; pollMs += 20) receiver.poll(pollMs);
    receiver.receive(payload, 0, payload.length, timestamp >>> 0, marker, timeMs);
  }
  for (const endMs = pollMs + 1000; pollMs < endMs; pollMs += 20) receiver.poll(pollMs);
  return heard;
}

/** The packets of a capture with payload type `payloadType`. */
function captured(packets: ReturnType<typeof readCapture>, payloadType: number): EventPacket[] {
  const header = createRtpHeader();
  return packets.flatMap(({ timeMs, payload }) => {
    if (parseRtp(payload, 0, payload.length, header) !== 'ok' || header.payloadType !== payloadType) return [];
    const { timestamp, marker, payloadOffset } = header;
    return [{ timeMs, timestamp, marker, payload: payload.subarray(payloadOffset, payloadOffset + 4) }];
  });
}

test('a digit with three Ends is one digit', () => {
  assert.equal(hear(press(5, 0, 1000)), ['5:100']);
});

test('it is told with its first End', () => {
  assert.equal(hear(press(5, 0, 1000).slice(0, 5)), ['5:100']);
  let heard = 0;
  const receiver = new TelephoneEventReceiver(8000, () => (heard += 1));
  for (const { payload } of press(5, 0, 1000).slice(0, 4)) receiver.receive(payload, 0, 4, 1000, false, 0);
  assert.is(heard, 0);
  receiver.receive(press(5, 0, 1000)[4]!.payload, 0, 4, 1000, false, 0);
  assert.is(heard, 1);
});

test('all sixteen digits', () => {
  const packets = Array.from({ length: 16 }, (_, event) => press(event, event * 200, event * 1600)).flat();
  assert.equal(
    hear(packets).map((digit) => digit[0]),
    Array.from('0123456789*#ABCD'),
  );
});

test('whichever packets of two equal digits are lost, each is heard once', () => {
  const presses = [press(5, 0, 0xffff_ff00), press(5, 200, 0xffff_ff00 + 1600)] as const;
  for (let kept = 1; kept < 128; kept++) {
    for (const other of [127, 1, 64, 16, kept]) {
      const packets = [
        ...presses[0].filter((_, packet) => (kept >> packet) & 1),
        ...presses[1].filter((_, packet) => (other >> packet) & 1),
      ];
      const heard = hear(packets);
      assert.equal(
        heard.map((digit) => digit[0]),
        ['5', '5'],
        `first ${kept.toString(2)}, second ${other.toString(2)}: ${heard.join(' ')}`,
      );
    }
  }
});

test('in whatever order the packets of a digit arrive, it is heard once', () => {
  const seed = 8472;
  const random = seededRandom(seed);
  for (let round = 0; round < 500; round++) {
    const packets = press(7, 0, 4000);
    const times = packets.map(({ timeMs }) => timeMs);
    const shuffled = packets
      .map((packet) => ({ packet, key: random() }))
      .sort((a, b) => a.key - b.key)
      .map(({ packet }, index) => ({ ...packet, timeMs: times[index]! }));
    assert.is(hear(shuffled).length, 1, `seed ${seed} round ${round}`);
  }
});

test('late packets of one digit during the next add none', () => {
  const first = press(1, 0, 1000);
  const second = press(2, 140, 2120);
  const late = { ...first[6]!, timeMs: 170 };
  const packets = [...first.slice(0, 5), ...second.slice(0, 2), late, ...second.slice(2)];
  assert.equal(hear(packets), ['1:100', '2:100']);
});

test('all Ends lost: it ends with silence, at its last known duration', () => {
  assert.equal(hear(press(3, 0, 1000).slice(0, 4)), ['3:80']);
});

test('all Ends lost: it ends with the next digit', () => {
  const heard = hear([...press(3, 0, 1000).slice(0, 4), ...press(4, 150, 2200)]);
  assert.equal(heard, ['3:80', '4:100']);
});

test('an End that arrives after silence has ended the digit adds none', () => {
  const packets = press(3, 0, 1000);
  assert.equal(hear([...packets.slice(0, 4), { ...packets[4]!, timeMs: 900 }]), ['3:80']);
});

test('a sender that starts every digit at the same timestamp is heard twice', () => {
  assert.equal(hear([...press(3, 0, 1000), ...press(3, 900, 1000)]), ['3:100', '3:100']);
});

test('a sender whose timestamps go back between digits is heard twice', () => {
  assert.equal(hear([...press(3, 0, 9000), ...press(2, 900, 1000)]), ['3:100', '2:100']);
});

test('three Ends that share one sequence number are one digit', () => {
  assert.equal(hear(captured(readCaptureFixture('digit-1-ends-share-one-sequence-number.pcap'), 101)), ['1:280']);
});

test('a digit of 17 s in three segments is one digit', () => {
  const heard = hear(captured(readCaptureFixture('digit-9-held-17s-in-segments.pcap'), 101));
  assert.equal(heard, [`9:${(2 * 0xffff + 8000) / 8}`]);
});

test('a long digit survives the loss of the first packet of a segment and of the last of the one before', () => {
  const packets = captured(readCaptureFixture('digit-9-held-17s-in-segments.pcap'), 101);
  const starts = packets.flatMap(({ timestamp }, index) =>
    index > 0 && timestamp !== packets[index - 1]!.timestamp ? [index] : [],
  );
  assert.is(starts.length, 2);
  const lossy = packets.filter((_, index) => !starts.includes(index) && !starts.includes(index + 1));
  assert.equal(hear(lossy), [`9:${(2 * 0xffff + 8000) / 8}`]);
});

test('5 5 # pressed in baresip while audio goes on', () => {
  const heard = hear(captured(readCaptureFixture('baresip-pcmu-and-digits-5-5-pound.pcap'), 101));
  assert.equal(
    heard.map((digit) => digit[0]),
    ['5', '5', '#'],
  );
});

test('flash, short payloads and unknown codes are ignored', () => {
  const receiver = new TelephoneEventReceiver(8000, () => assert.unreachable());
  for (const payload of [Uint8Array.of(16, 0x8a, 1, 0), Uint8Array.of(255, 0x8a, 1, 0), Uint8Array.of(5, 0x8a, 1)]) {
    receiver.receive(payload, 0, payload.length, 1, true, 0);
  }
  receiver.finish();
});

if (needs('the DTMF captures of SIPp', 'sipp')) {
  test('every DTMF capture of SIPp is one digit, and so is each played after any other', () => {
    const names = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 'star', 'pound'];
    const digits = '0123456789*#';
    const presses = names.map((name) => captured(readCapture(`/usr/share/sip-tester/dtmf_2833_${name}.pcap`), 101));
    for (const [first, packets] of presses.entries()) {
      for (const [second, later] of presses.entries()) {
        const moved = later.map((packet) => ({ ...packet, timeMs: packet.timeMs + 1000 }));
        const heard = hear([...packets, ...moved]).map((digit) => digit[0]);
        assert.equal(heard, [digits[first], digits[second]], `${first} then ${second}`);
      }
    }
  });
}

test.run();
