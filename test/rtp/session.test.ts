import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseRtcp, writeBye, writeReport, writeSourceDescription } from '../../src/rtp/rtcp.ts';
import { RtpSession } from '../../src/rtp/session.ts';
import type { RtpNegotiation, RtpSessionOptions } from '../../src/rtp/session.ts';
import { toEndpoint } from '../../src/rtp/transport.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { rtpPacket } from './builders.ts';
import type { RtpFields } from './builders.ts';
import { readCaptureFixture } from './captures.ts';
import { FakeMediaPort } from './fake-media-port.ts';

const test = suite('rtp session');
const SDP = toEndpoint('192.0.2.1', 4000);
const NAT = toEndpoint('198.51.100.7', 61000);
const SPOOFER = toEndpoint('192.0.2.1', 4444);

const NEGOTIATION: RtpNegotiation = {
  remote: { rtp: SDP },
  payloadTypes: { audio: [0, 8], telephoneEvent: 101 },
  sending: { ptimeMs: 20, silencePayload: new Uint8Array(160).fill(0xff), silencePayloadType: 0 },
};

function createSession(overrides: Partial<RtpSessionOptions> = {}) {
  const clock = new FakeClock();
  const port = new FakeMediaPort(clock);
  /** What the owner was told: `a7@160` audio (first byte, ticks since the first), `-2`, `#5:100`, `!ssrc`, `timeout`. */
  const log: string[] = [];
  const audio: { timestamp: number; arrivalMs: number; payload: Uint8Array; payloadType: number }[] = [];
  const sentTags: number[] = [];
  const session = new RtpSession({
    ...NEGOTIATION,
    port,
    clock,
    events: {
      onAudio({ bytes, offset, length, payloadType, timestamp, arrivalMs }) {
        audio.push({ payload: bytes.slice(offset, offset + length), payloadType, timestamp, arrivalMs });
        log.push(`a${bytes[offset]}@${timestamp - audio[0]!.timestamp}`);
      },
      onLoss: (packets) => log.push(`-${packets}`),
      onDigit: ({ digit, durationMs }) => log.push(`#${digit}:${durationMs}`),
      onDiscontinuity: (reason) => log.push(`!${reason}`),
      onMediaTimeout: () => log.push('timeout'),
      onSent: (tag) => sentTags.push(tag),
    },
    ...overrides,
  });
  /** Packets of one stream by their numbers, 20 ms apart in both clocks unless told otherwise. */
  const send = (numbers: readonly number[], fields: Partial<RtpFields> = {}, everyMs = 20, source = SDP) => {
    for (const number of numbers) {
      const timestamp = (number * 160) >>> 0;
      port.deliver(rtpPacket({ sequenceNumber: number, timestamp, ...fields }), source);
      clock.advance(everyMs);
    }
  };
  return { clock, port, log, audio, session, send, sentTags };
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

test('audio comes out in order with payload, type, arrival time and unwrapped timestamps', () => {
  const { audio, send, session, log } = createSession();
  send([65534, 65535, 65537, 65536, 65538], { payloadType: 8 });
  assert.equal(log, ['a254@0', 'a255@160', 'a0@320', 'a1@480', 'a2@640']);
  assert.equal(
    audio.map(({ arrivalMs }) => arrivalMs),
    [0, 20, 60, 40, 80],
  );
  assert.ok(audio.every(({ payload, payloadType }) => payload.length === 160 && payloadType === 8));
  assert.is(session.statistics.reordered, 1);
  assert.is(session.statistics.delivered, 5);
  assert.is(session.statistics.lost, 0);
});

test('a lost packet is told before the audio after it, whose timestamp shows the gap', () => {
  const { log, send, session, clock } = createSession();
  send([1, 2, 4, 5, 6]);
  clock.advance(100);
  send([3]);
  assert.equal(log, ['a1@0', 'a2@160', '-1', 'a4@480', 'a5@640', 'a6@800']);
  assert.is(session.statistics.late, 1);
  assert.is(session.statistics.lost, 0, 'it did arrive');
  send([8]);
  clock.advance(100);
  assert.is(session.statistics.lost, 1);
});

test('duplicates are dropped', () => {
  const { log, send, session } = createSession();
  send([1, 1, 2, 2, 2, 3], {}, 7);
  assert.equal(log, ['a1@0', 'a2@160', 'a3@320']);
  assert.is(session.statistics.duplicates, 3);
});

test('bursts of ffmpeg lose nothing, and RTCP on the RTP port is RTCP', () => {
  const { audio, port, clock, session, log } = createSession();
  for (const { timeMs, payload } of readCaptureFixture('ffmpeg-pcmu-20ms-in-bursts.pcap')) {
    clock.advance(timeMs - clock.nowMs());
    port.deliver(payload, SDP);
  }
  const { delivered, lost, rtcpReceived, malformed, discontinuities } = session.statistics;
  assert.equal(
    { delivered, lost, rtcpReceived, malformed, discontinuities },
    { delivered: 88, lost: 0, rtcpReceived: 1, malformed: 0, discontinuities: 0 },
  );
  assert.is(log.length, 88);
  const ticks = audio.slice(0, -1).reduce((sum, { payload }) => sum + payload.length, 0);
  assert.is(audio.at(-1)!.timestamp - audio[0]!.timestamp, ticks);
});

test('a call of baresip: audio unbroken through three digits', () => {
  const { port, clock, session, log, audio } = createSession();
  for (const { timeMs, payload } of readCaptureFixture('baresip-pcmu-and-digits-5-5-pound.pcap')) {
    clock.advance(timeMs - clock.nowMs());
    port.deliver(payload, SDP);
  }
  assert.equal(
    log.filter((entry) => entry.startsWith('#')).map((entry) => entry[1]),
    ['5', '5', '#'],
  );
  const { lost, discontinuities, telephoneEvents, delivered, late, duplicates } = session.statistics;
  assert.equal({ lost, discontinuities, late, duplicates }, { lost: 0, discontinuities: 0, late: 0, duplicates: 0 });
  assert.is(telephoneEvents, 36);
  assert.is(delivered, audio.length);
  for (const [index, { timestamp }] of audio.entries()) {
    if (index > 0) assert.is(timestamp - audio[index - 1]!.timestamp, 160);
  }
});

test('telephone events take their numbers in the sequence, also when their Ends share one', () => {
  const { send, log, session } = createSession();
  send([1, 2]);
  const event = (number: number, end: number, ticks: number) =>
    send([number], {
      payloadType: 101,
      timestamp: 480,
      payload: Uint8Array.of(5, end | 10, ticks >> 8, ticks & 255),
    });
  event(3, 0, 160);
  event(4, 0, 320);
  for (let copy = 0; copy < 3; copy++) event(5, 0x80, 800);
  send([6, 7], { timestamp: 1600 });
  assert.equal(log.slice(0, 4), ['a1@0', 'a2@160', '#5:100', 'a6@1440']);
  assert.is(session.statistics.lost, 0);
  assert.is(session.statistics.duplicates, 0);
});

test('telephone events with an SSRC of their own do not touch the audio', () => {
  const { send, log, session } = createSession();
  for (let packet = 0; packet < 8; packet++) {
    send([packet]);
    send([5000 + packet], {
      ssrc: 77,
      payloadType: 101,
      timestamp: 9999,
      payload: Uint8Array.of(5, packet >= 5 ? 0x8a : 10, 3, 32),
    });
  }
  assert.equal(
    log.filter((entry) => !entry.startsWith('a')),
    ['#5:100'],
  );
  assert.is(session.statistics.delivered, 8);
});

test('all Ends lost: the digit is told after silence', () => {
  const { send, log, clock } = createSession();
  send([1], { payloadType: 101, timestamp: 0, payload: Uint8Array.of(5, 10, 0, 160) });
  send(range(2, 15));
  assert.not(log.includes('#5:20'));
  clock.advance(500);
  assert.ok(log.includes('#5:20'));
});

test('a change of SSRC is a new stream from its first packet on, told once, on one axis of time', () => {
  const { send, log, session } = createSession();
  send([100, 101, 102]);
  send([9, 10, 11], { ssrc: 2 });
  assert.equal(log, ['a100@0', 'a101@160', 'a102@320', '!ssrc', 'a9@480', 'a10@640', 'a11@800']);
  const { lost, unverified, delivered, discontinuities } = session.statistics;
  assert.equal(
    { lost, unverified, delivered, discontinuities },
    { lost: 0, unverified: 0, delivered: 6, discontinuities: 1 },
  );
});

test('a stray packet of another SSRC, or far from the sequence, changes nothing', () => {
  const { send, log, session } = createSession();
  send([100, 101]);
  send([40000], { ssrc: 99 });
  send([102]);
  send([50000]);
  send([103]);
  assert.equal(log, ['a100@0', 'a101@160', 'a102@320', 'a103@480']);
  assert.is(session.statistics.unverified, 2);
});

test('a sender that restarts its numbers is followed from its first new packet', () => {
  const { send, log } = createSession();
  send([100, 101]);
  send([30000, 30001, 30002]);
  assert.equal(log, ['a100@0', 'a101@160', '!sequence', 'a48@320', 'a49@480', 'a50@640']);
});

test('a leap of the timestamp that the arrival does not explain is told', () => {
  const { send, log } = createSession();
  send([1, 2]);
  send([3], { timestamp: 1_000_000 });
  send([4], { timestamp: 1_000_160 });
  assert.equal(log, ['a1@0', 'a2@160', '!timestamp', 'a3@320', 'a4@480']);
});

test('silence suppression is no break', () => {
  const { send, log, clock } = createSession();
  send([1, 2]);
  clock.advance(10_000);
  send([3], { timestamp: 480 + 80_000 });
  assert.equal(log, ['a1@0', 'a2@160', 'a3@80320']);
});

test('after hold the audio goes on by arrival time, though the peer stopped its clock', () => {
  const { send, log, clock, session } = createSession();
  send([1, 2]);
  session.setDirection('sendonly');
  clock.advance(60_000);
  session.setDirection('sendrecv');
  send([3, 4]);
  assert.equal(log, ['a1@0', 'a2@160', '!timestamp', `a3@${160 + 60_020 * 8}`, `a4@${320 + 60_020 * 8}`]);
});

test('a spoofed source reaches nothing after the lock', () => {
  const { send, log, session, port, clock } = createSession();
  send([1, 2]);
  for (let number = 3; number < 200; number++) {
    send([number], { payload: new Uint8Array(160).fill(0xee) }, 5, SPOOFER);
    send([number], { payloadType: 101, payload: Uint8Array.of(9, 0x8a, 3, 32) }, 5, SPOOFER);
    send([number], { ssrc: number, payload: new Uint8Array(160).fill(0xee) }, 5, NAT);
    send([number], {}, 5);
  }
  assert.equal(
    log.filter((entry) => !entry.startsWith('a')),
    [],
  );
  assert.equal(
    log.map((entry) => entry.split('@')[0]),
    range(1, 199).map((number) => `a${number}`),
  );
  assert.is(session.statistics.delivered, 199);
  assert.is(session.statistics.fromWrongSource, 197 * 3);
  assert.is(port.remote, SDP);
  assert.is(session.source, SDP);
  clock.advance(31_000);
  send(range(200, 100), {}, 20, SPOOFER);
  assert.is(log.at(-1), 'timeout', 'a spoofer does not keep a dead call alive');
});

test('a caller behind NAT becomes the destination, RTCP on the port after', () => {
  const { send, port, session } = createSession();
  assert.is(port.remote, SDP);
  assert.is(port.remoteRtcp, SDP + 1);
  send(range(1, 4), {}, 20, NAT);
  assert.is(port.remote, NAT);
  assert.is(port.remoteRtcp, NAT + 1);
  assert.is(session.statistics.fromWrongSource, 3);
  assert.is(session.statistics.delivered, 1);
  assert.is(port.sent.at(-1)!.to, NAT);
});

test("SDP's own RTCP port is used, and a NAT port of 65535 has none after it", () => {
  const rtcp = toEndpoint('192.0.2.1', 5555);
  const { port, send } = createSession({ remote: { rtp: SDP, rtcp } });
  assert.is(port.remoteRtcp, rtcp);
  send(range(1, 4), {}, 20, toEndpoint('198.51.100.7', 65535));
  assert.is(port.remoteRtcp, undefined);
});

test('a renegotiation brings another remote, other payload types and packet time', () => {
  const { send, log, port, session, clock } = createSession();
  send([1, 2]);
  const moved = toEndpoint('203.0.113.5', 7000);
  session.renegotiate({
    remote: { rtp: moved },
    payloadTypes: { audio: [96] },
    sending: { ptimeMs: 40, silencePayload: new Uint8Array(320).fill(0xd5), silencePayloadType: 8 },
  });
  assert.is(port.remote, moved);
  send([3], { payloadType: 0 });
  send([20, 21], { payloadType: 96, ssrc: 5 }, 20, moved);
  send([4], { payloadType: 96 });
  assert.equal(log, ['a1@0', 'a2@160', '!ssrc', 'a20@480', 'a21@640']);
  assert.is(session.statistics.unknownPayloadType, 1);
  assert.is(session.statistics.fromWrongSource, 1);
  const before = port.sent.length;
  clock.advance(400);
  const packets = port.sent.slice(before);
  assert.is(packets.length, 10);
  assert.ok(
    packets.every(({ payload, payloadType, to }) => payload.length === 320 && payloadType === 8 && to === moved),
  );
  assert.not(session.sendDigits('1'), 'telephone events went with the renegotiation');
});

test('malformed, oversized, unknown and empty packets are counted and do not disturb the audio', () => {
  const { send, log, port, session } = createSession();
  send([1]);
  port.deliver(new Uint8Array(0), SDP);
  port.deliver(Uint8Array.of(0, 0, 0, 0), SDP);
  port.deliver(rtpPacket({ sequenceNumber: 2, timestamp: 320, payload: new Uint8Array(2049) }), SDP);
  send([2], { payloadType: 77 });
  send([3], { payload: new Uint8Array(0) });
  send([4]);
  assert.equal(log, ['a1@0', 'a4@480']);
  const { malformed, unknownPayloadType, keepAlives, lost } = session.statistics;
  assert.equal(
    { malformed, unknownPayloadType, keepAlives, lost },
    { malformed: 3, unknownPayloadType: 1, keepAlives: 1, lost: 0 },
  );
});

test('silence leaves every 20 ms from the start, frames in between are tapped, digits are not', () => {
  const { port, session, clock, sentTags } = createSession();
  clock.advance(100);
  session.sender.write(new Uint8Array(160).fill(3), 0, 160, 0, 42);
  assert.ok(session.sendDigits('5'));
  clock.advance(400);
  assert.equal(sentTags, [42]);
  assert.equal(
    port.sent.map(({ sentAtMs }) => sentAtMs),
    range(0, 26).map((index) => index * 20),
  );
  const events = port.sent.filter(({ payloadType }) => payloadType === 101);
  assert.is(events.length, 7);
  assert.ok(port.sent.every(({ ssrc }) => ssrc === session.ssrc));
  assert.is(session.statistics.packetsSent, 26);
});

test('nothing is sent without a remote or against the direction', () => {
  const { port, session, clock } = createSession({ remote: undefined });
  clock.advance(100);
  assert.is(port.sent.length, 0);
  session.renegotiate(NEGOTIATION);
  clock.advance(100);
  const sent = port.sent.length;
  assert.is(sent, 5);
  session.setDirection('recvonly');
  clock.advance(100);
  assert.is(port.sent.length, sent);
  session.setDirection('sendonly');
  clock.advance(100);
  assert.is(port.sent.length, sent + 5);
});

test('the media timeout is told once, counts from the last packet, and not on hold', () => {
  const { send, log, clock, session } = createSession({ mediaTimeoutMs: 5000 });
  clock.advance(4000);
  send([1]);
  clock.advance(4900);
  assert.equal(log, ['a1@0']);
  session.setDirection('inactive');
  clock.advance(60_000);
  assert.equal(log, ['a1@0']);
  session.setDirection('sendrecv');
  clock.advance(4900);
  assert.equal(log, ['a1@0']);
  clock.advance(60_000);
  assert.equal(log, ['a1@0', 'timeout']);
});

test('without a word from the caller the media timeout is 30 s', () => {
  const { log, clock } = createSession();
  clock.advance(29_900);
  assert.equal(log, []);
  clock.advance(200);
  assert.equal(log, ['timeout']);
});

test('reports go out with CNAME and what was lost, and the peer measures the round trip', () => {
  const { send, port, session, clock } = createSession();
  send([1, 2, 4, 5]);
  clock.advance(9000);
  assert.ok(port.sentRtcp.length >= 1 && port.sentRtcp.length <= 4);
  const report = port.sentRtcp[0]!;
  assert.is(report.to, SDP + 1);
  const compound = parseRtcp(report.bytes, 0, report.bytes.length)!;
  assert.is(compound.senderSsrc, session.ssrc);
  assert.ok(compound.senderInfo!.packetsSent > 50);
  assert.is(compound.cname!.length, 16);
  const block = compound.reportBlocks[0]!;
  assert.equal(
    [block.ssrc, block.packetsLost, block.fractionLost, block.extendedHighestSequenceNumber],
    [1, 1, Math.floor(256 / 5), 5],
  );

  const { ntpSeconds, ntpFraction } = compound.senderInfo!;
  const lastSenderReport = ((ntpSeconds << 16) | (ntpFraction >>> 16)) >>> 0;
  const heldMs = clock.nowMs() - report.sentAtMs - 30;
  const answer = new Uint8Array(64);
  const end = writeReport(answer, 0, 1, undefined, {
    ssrc: session.ssrc,
    fractionLost: 128,
    packetsLost: 9,
    extendedHighestSequenceNumber: 1,
    interarrivalJitter: 20,
    lastSenderReport,
    delaySinceLastSenderReport: Math.round(heldMs * 65.536),
  });
  port.deliverRtcp(answer.subarray(0, end), NAT);
  assert.is(session.statistics.roundTripMs, undefined, 'RTCP from elsewhere is no report');
  assert.is(session.statistics.rtcpDiscarded, 1);
  port.deliverRtcp(answer.subarray(0, end), toEndpoint('192.0.2.1', 60_001));
  assert.ok(Math.abs(session.statistics.roundTripMs! - 30) < 0.1, `${session.statistics.roundTripMs}`);
  const { remoteFractionLost, remoteLost, remoteInterarrivalJitterMs } = session.statistics;
  assert.equal([remoteFractionLost, remoteLost, remoteInterarrivalJitterMs], [0.5, 9, 2.5]);
  assert.is(session.statistics.rtcpSent, port.sentRtcp.length);
  port.deliverRtcp(Uint8Array.of(1, 2, 3), SDP + 1);
  assert.is(session.statistics.rtcpDiscarded, 2);
});

test('a peer without RTCP gets a report every 4.5 s on average, also on hold, and none while it has no address', () => {
  const { send, port, session, clock } = createSession();
  send(range(1, 15_000));
  session.setDirection('recvonly');
  clock.advance(300_000);
  const times = port.sentRtcp.map(({ sentAtMs }) => sentAtMs);
  const meanMs = (times.at(-1)! - times[0]!) / (times.length - 1);
  assert.ok(Math.abs(meanMs - 4510) < 450, `${meanMs} ms over ${times.length} reports`);
  assert.ok(times.at(-1)! > 590_000);
  // A sender until it has sent nothing for two intervals.
  const types = port.sentRtcp.map(({ bytes }) => bytes[1]!);
  assert.equal(new Set(types.slice(0, times.findIndex((ms) => ms > 300_000) + 1)), new Set([200]));
  assert.equal(new Set(types.slice(times.findIndex((ms) => ms > 300_000) + 2)), new Set([201]));
  session.renegotiate({ ...NEGOTIATION, remote: undefined });
  const reports = port.sentRtcp.length;
  clock.advance(20_000);
  assert.is(port.sentRtcp.length, reports);
  assert.is(session.statistics.rtcpSent, reports);
});

test('a BYE of the peer stops nothing; the signalling does', () => {
  const { send, log, port, session } = createSession();
  send([1]);
  const bytes = new Uint8Array(64);
  const end = writeBye(bytes, writeSourceDescription(bytes, writeReport(bytes, 0, 1, undefined, undefined), 1, 'x'), 1);
  port.deliverRtcp(bytes.subarray(0, end), SDP + 1);
  send([2]);
  assert.equal(log, ['a1@0', 'a2@160']);
  assert.is(session.statistics.rtcpReceived, 1);
});

test('a close hands on what waits, says BYE once, gives the port back and leaves no timer', () => {
  const { send, log, port, session, clock } = createSession();
  send([1, 3], {}, 5);
  send([4], { payloadType: 101, payload: Uint8Array.of(5, 10, 0, 160) }, 5);
  session.close();
  session.close();
  assert.equal(log, ['a1@0', '-1', 'a3@320', '#5:20']);
  assert.ok(port.closed);
  assert.is(port.sentRtcp.length, 1);
  const { bytes } = port.sentRtcp[0]!;
  assert.equal(parseRtcp(bytes, 0, bytes.length)!.bye, [session.ssrc]);
  assert.is(clock.timers, 0);
  send([4, 5, 6]);
  port.deliverRtcp(bytes, SDP + 1);
  assert.is(log.length, 4);
});

test('an owner that closes from within a callback is told nothing more than what was waiting', () => {
  const clock = new FakeClock();
  const port = new FakeMediaPort(clock);
  let audio = 0;
  const session: RtpSession = new RtpSession({
    ...NEGOTIATION,
    port,
    clock,
    events: {
      onAudio() {
        audio += 1;
        session.close();
      },
    },
  });
  port.deliver(rtpPacket({ sequenceNumber: 1, timestamp: 160 }), SDP);
  port.deliver(rtpPacket({ sequenceNumber: 2, timestamp: 320 }), SDP);
  assert.is(audio, 1);
});

test('misuse is refused', () => {
  assert.throws(() => createSession({ payloadTypes: { audio: [128] } }), /payload type of 0-127/);
  assert.throws(() => createSession({ payloadTypes: { audio: [0], telephoneEvent: -1 } }), /payload type of 0-127/);
  const { session } = createSession();
  assert.throws(() => session.sendDigits('12x'), /digits of 0-9/);
});

test.run();
