import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InterarrivalJitter } from '../../src/rtp/interarrival-jitter.ts';
import { parseRtcp, toNtp, writeBye, writeReport } from '../../src/rtp/rtcp.ts';
import { type ReportedSource, RtcpReporter } from '../../src/rtp/rtcp-reporter.ts';
import { SequenceTracker } from '../../src/rtp/sequence.ts';
import type { FrameSender } from '../../src/rtp/transport.ts';
import { fixture } from './captures.ts';

const test = suite('rtcp reporter');
/** Between reports when every random number is 0.5: 360 / 80 kbit/s, made up for drawing again. */
const INTERVAL_MS = 4500 / (Math.E - 1.5);
const NOBODY: ReportedSource = {
  ssrc: undefined,
  sequence: new SequenceTracker(),
  jitter: new InterarrivalJitter(8000),
  lastArrivalMs: Number.NEGATIVE_INFINITY,
};

/** A sender that has sent `packetsSent`, the last at `lastSentMs`. */
function senderOf(packetsSent: number, lastTimestamp = 0, lastSentMs = 0): FrameSender {
  return {
    capacityFrames: 1,
    queuedFrames: 0,
    packetsSent,
    octetsSent: packetsSent * 160,
    lastTimestamp,
    lastSentMs,
    write: () => false,
    flush: () => 0,
    setPaused() {},
    reconfigure() {},
  };
}

function reporterOf(ssrc: number, wallOffsetMs = 1_700_000_000_000): RtcpReporter {
  const cname = `cname-${ssrc}`;
  return new RtcpReporter({ ssrc, cname, clockRate: 8000, sessionKbps: 80, wallOffsetMs, random: () => 0.5 }, 0);
}

/** A source that received `numbers`, the last of them at `lastArrivalMs`. */
function sourceOf(ssrc: number, numbers: readonly number[], lastArrivalMs = 0): ReportedSource {
  const sequence = new SequenceTracker();
  sequence.start(numbers[0]!);
  for (const number of numbers) sequence.update(number);
  return { ssrc, sequence, jitter: new InterarrivalJitter(8000), lastArrivalMs };
}

/** The report that is due at `nowMs`. */
function report(reporter: RtcpReporter, nowMs: number, sender: FrameSender, source: ReportedSource): Uint8Array {
  const bytes = reporter.poll(nowMs, sender, source);
  assert.ok(bytes, `a report is due at ${nowMs}`);
  return bytes.slice();
}

test('two reporters measure the round trip, loss and jitter between them', () => {
  const a = reporterOf(1);
  const b = reporterOf(2, 99_000_000_000);
  const first = report(a, 2000, senderOf(50), sourceOf(2, [1]));
  assert.ok(b.receive(first, 0, first.length, 2040.5));
  const atB = sourceOf(1, [1, 2, 4, 5]);
  // Arrivals that miss their timestamps by 16 and 0 ticks in turn: a jitter that grows by a sixteenth of 16.
  atB.jitter.update({ timestamp: 0, arrivalMs: 0 });
  atB.jitter.update({ timestamp: 160, arrivalMs: 22 });
  const answer = report(b, 4000, senderOf(50), atB);
  assert.is(a.roundTripMs, undefined);
  assert.is(a.remote, undefined);
  assert.ok(a.receive(answer, 0, answer.length, 4049.5));
  assert.ok(Math.abs(a.roundTripMs! - 90) < 0.05, `${a.roundTripMs}`);
  assert.equal(a.remote, { fractionLost: Math.floor(256 / 5) / 256, lost: 1, interarrivalJitterMs: 1 / 8 });
  assert.is(b.fractionLost, Math.floor(256 / 5) / 256);
  assert.is(b.roundTripMs, undefined);
});

test('a report on someone else says nothing about us', () => {
  const a = reporterOf(1);
  const bytes = fixture('rtcp-rr-sdes-bye-with-reason.bin');
  assert.ok(a.receive(bytes, 0, bytes.length, 10));
  assert.is(a.roundTripMs, undefined);
  assert.is(a.remote, undefined);
});

test('a sender report says what was sent, up to this moment', () => {
  const bytes = report(reporterOf(7), 5000, senderOf(100, 8000, 4990), NOBODY);
  const compound = parseRtcp(bytes, 0, bytes.length)!;
  assert.is(compound.cname, 'cname-7');
  assert.equal(compound.reportBlocks, []);
  assert.equal(compound.senderInfo, {
    ...toNtp(1_700_000_005_000, { ntpSeconds: 0, ntpFraction: 0 }),
    rtpTimestamp: 8080,
    packetsSent: 100,
    octetsSent: 16_000,
  });
});

test('a receiver report says what was received', () => {
  const bytes = report(reporterOf(7), 5000, senderOf(0), sourceOf(9, [65535, 0, 3]));
  assert.is(bytes[1], 201);
  assert.equal(parseRtcp(bytes, 0, bytes.length)!.reportBlocks, [
    {
      ssrc: 9,
      fractionLost: Math.floor((2 * 256) / 5),
      packetsLost: 2,
      extendedHighestSequenceNumber: 65539,
      interarrivalJitter: 0,
      lastSenderReport: 0,
      delaySinceLastSenderReport: 0,
    },
  ]);
});

test('a sender reports as one until it has sent nothing for two intervals', () => {
  const reporter = reporterOf(7);
  const types = [100, 100, 100, 101].map((packets, round) => {
    const bytes = report(reporter, 5000 * (round + 1), senderOf(packets), NOBODY);
    return bytes[1];
  });
  assert.equal(types, [200, 200, 201, 200]);
});

test('a source that sent nothing since the last report is not reported on', () => {
  const reporter = reporterOf(7);
  const source = sourceOf(9, [1, 2]);
  const blocks = [5000, 10_000, 15_000].map((nowMs) => {
    if (nowMs === 15_000) source.sequence.update(3);
    const bytes = report(reporter, nowMs, senderOf(1), source);
    return parseRtcp(bytes, 0, bytes.length)!.reportBlocks.length;
  });
  assert.equal(blocks, [1, 0, 1]);
});

test('the delay since a sender report is told only with its own source', () => {
  const reporter = reporterOf(7);
  const bytes = new Uint8Array(64);
  const info = {
    ...toNtp(1_000_000, { ntpSeconds: 0, ntpFraction: 0 }),
    rtpTimestamp: 1,
    packetsSent: 1,
    octetsSent: 160,
  };
  const end = writeReport(bytes, 0, 9, info, undefined);
  reporter.receive(bytes, 0, end, 4000);
  const told = (nowMs: number, ssrc: number) => {
    const sent = report(reporter, nowMs, senderOf(1), sourceOf(ssrc, [1, 2, 3].slice(0, ssrc - 7)));
    return parseRtcp(sent, 0, sent.length)!.reportBlocks[0]!;
  };
  assert.is(told(5000, 9).delaySinceLastSenderReport, 65_536);
  assert.is(told(10_000, 10).lastSenderReport, 0);
});

test('a peer that falls silent takes part for 25 s more', () => {
  const reporter = reporterOf(7);
  const times: number[] = [];
  for (let nowMs = 0; nowMs < 40_000; nowMs += 10) {
    if (reporter.poll(nowMs, senderOf(1), sourceOf(9, [1], 1995))) times.push(nowMs);
  }
  const changedBefore = times.findIndex((ms, index) => index > 0 && ms - times[index - 1]! > INTERVAL_MS + 100);
  assert.ok(times[changedBefore - 1]! < 26_995 && times[changedBefore]! > 26_995, String(times));
});

test('a peer that says BYE takes part no more', () => {
  const reporter = reporterOf(7);
  const bye = new Uint8Array(64);
  const end = writeBye(bye, writeReport(bye, 0, 9, undefined, undefined), 9);
  report(reporter, 2000, senderOf(1), sourceOf(9, [1], 1990));
  // Half of the interval is over, half of the parties leave: half of what is left remains (section 6.3.4).
  reporter.receive(bye, 0, end, 2000 + INTERVAL_MS / 2);
  const atMs = 2000 + INTERVAL_MS / 2;
  assert.is(reporter.poll(atMs, senderOf(1), sourceOf(9, [1], 1990)), undefined);
  assert.is(reporter.poll(atMs + INTERVAL_MS / 4 - 1, senderOf(1), sourceOf(9, [1], 1990)), undefined);
  // Drawn again from a last report that moved up as well, by a quarter.
  assert.is(reporter.poll(atMs + INTERVAL_MS / 4, senderOf(1), sourceOf(9, [1], 1990)), undefined);
  assert.ok(reporter.poll(atMs + INTERVAL_MS * 0.75, senderOf(1), sourceOf(9, [1], 1990)));
});

test('a party that was never heard says no farewell', () => {
  assert.is(reporterOf(1).bye(1000, senderOf(0), NOBODY), undefined);
  const reporter = reporterOf(1);
  const bye = reporter.bye(1000, senderOf(1), NOBODY)!;
  assert.equal(parseRtcp(bye, 0, bye.length)!.bye, [1]);
  assert.is(reporter.sent, 1);
});

test('the bytes of equal reports are one view', () => {
  const reporter = reporterOf(1);
  const first = reporter.poll(5000, senderOf(1), NOBODY);
  assert.is(reporter.poll(10_000, senderOf(2), NOBODY), first);
});

test.run();
