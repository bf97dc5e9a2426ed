import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  middleNtp,
  parseRtcp,
  roundTripMs,
  toNtp,
  writeBye,
  writeReport,
  writeSourceDescription,
} from '../../src/rtp/rtcp.ts';
import type { ReportBlock } from '../../src/rtp/rtcp.ts';
import { seededRandom } from './builders.ts';
import { fixture, readCaptureFixture } from './captures.ts';

const test = suite('rtcp');

const BLOCK: ReportBlock = {
  ssrc: 0x2222_2222,
  fractionLost: 64,
  packetsLost: -3,
  extendedHighestSequenceNumber: 65541,
  interarrivalJitter: 80,
  lastSenderReport: 0x1234_5678,
  delaySinceLastSenderReport: 65536,
};

test('parses the reports of baresip', () => {
  const compounds = readCaptureFixture('baresip-rtcp.pcap').map(
    ({ payload }) => parseRtcp(payload, 0, payload.length)!,
  );
  assert.ok(compounds.every((compound) => compound !== undefined));
  const reports = compounds.filter(({ senderInfo }) => senderInfo);
  assert.is(reports.length, 4);
  assert.is(reports[0]!.senderSsrc, 0x0ac8_6e83);
  assert.is(reports[0]!.cname, 'sip:b@10.99.0.1:5080');
  assert.equal(reports[0]!.senderInfo, {
    ntpSeconds: 0xeeb0_795d,
    ntpFraction: 0xc8d0_bb6e,
    rtpTimestamp: 89211,
    packetsSent: 250,
    octetsSent: 40000,
  });
  assert.equal(reports[0]!.reportBlocks, [
    {
      ssrc: 0x7d67_1ee1,
      fractionLost: 0,
      packetsLost: 0,
      extendedHighestSequenceNumber: 26532,
      interarrivalJitter: 18,
      lastSenderReport: 0,
      delaySinceLastSenderReport: 0,
    },
  ]);
  assert.equal(
    compounds.flatMap(({ bye }) => bye),
    [0x0ac8_6e83, 0x7d67_1ee1],
  );
});

test('parses a receiver report with negative loss, CNAME and BYE with a reason', () => {
  const bytes = fixture('rtcp-rr-sdes-bye-with-reason.bin');
  assert.equal(parseRtcp(bytes, 0, bytes.length), {
    senderSsrc: 0x1111_1111,
    senderInfo: undefined,
    reportBlocks: [BLOCK],
    cname: 'gate',
    bye: [0x1111_1111],
  });
});

test('builds the bytes that it parses', () => {
  const expected = fixture('rtcp-rr-sdes-bye-with-reason.bin');
  const bytes = new Uint8Array(100);
  const end = writeSourceDescription(bytes, writeReport(bytes, 0, 0x1111_1111, undefined, BLOCK), 0x1111_1111, 'gate');
  assert.equal([...bytes.subarray(0, end)], [...expected.subarray(0, end)]);
  const bye = writeBye(bytes, end, 0x1111_1111);
  assert.equal([...bytes.subarray(end, bye)], [0x81, 203, 0, 1, 0x11, 0x11, 0x11, 0x11]);
});

test('a CNAME of every length ends on a word, with at least one zero', () => {
  for (let length = 0; length <= 255; length++) {
    const bytes = new Uint8Array(400).fill(0xee);
    const end = writeSourceDescription(bytes, 4, 7, 'x'.repeat(length));
    assert.is((end - 4) % 4, 0);
    assert.is(bytes[end - 1], 0);
    assert.is(bytes[end], 0xee);
    assert.is(parseRtcp(bytes, 4, end - 4)!.cname, 'x'.repeat(length));
  }
});

test('loss is clamped to 24 bits', () => {
  for (const [lost, expected] of [
    [2 ** 30, 0x7f_ffff],
    [-(2 ** 30), -0x80_0000],
  ] as const) {
    const bytes = new Uint8Array(100);
    const end = writeReport(bytes, 0, 1, undefined, { ...BLOCK, packetsLost: lost });
    assert.is(parseRtcp(bytes, 0, end)!.reportBlocks[0]!.packetsLost, expected);
  }
});

test('a broken packet costs what follows it, not what came before', () => {
  const past = fixture('rtcp-length-past-end.bin');
  assert.is(parseRtcp(past, 0, past.length), undefined);
  const count = fixture('rtcp-count-says-2-blocks-holds-1.bin');
  assert.is(parseRtcp(count, 0, count.length), undefined);
  const item = fixture('rtcp-sdes-item-past-end.bin');
  assert.equal(parseRtcp(item, 0, item.length)!.cname, undefined);
  assert.is(parseRtcp(item, 0, item.length)!.senderSsrc, 0x1111_1111);
  const unknown = fixture('rtcp-rr-then-unknown-type-210.bin');
  assert.is(parseRtcp(unknown, 0, unknown.length)!.cname, 'gate');
});

test('any bytes are parsed or refused', () => {
  const seed = 99;
  const random = seededRandom(seed);
  const originals = readCaptureFixture('baresip-rtcp.pcap').map(({ payload }) => payload);
  let parsed = 0;
  for (let round = 0; round < 50_000; round++) {
    const bytes = originals[round % originals.length]!.slice();
    for (let change = 0; change < 4; change++) bytes[Math.floor(random() * bytes.length)] = random() * 256;
    const length = Math.floor(random() * (bytes.length + 1));
    const compound = parseRtcp(bytes, 0, length);
    if (!compound) continue;
    parsed += 1;
    assert.ok(compound.reportBlocks.length * 24 + compound.bye.length * 4 <= length, `seed ${seed} round ${round}`);
  }
  assert.ok(parsed > 1000);
});

test('NTP time counts from 1900 with a binary fraction', () => {
  assert.equal(toNtp(0, { ntpSeconds: 0, ntpFraction: 0 }), { ntpSeconds: 2_208_988_800, ntpFraction: 0 });
  assert.equal(toNtp(1_700_000_000_500, { ntpSeconds: 0, ntpFraction: 0 }), {
    ntpSeconds: 3_908_988_800,
    ntpFraction: 0x8000_0000,
  });
  assert.is(toNtp(2_085_978_496_000, { ntpSeconds: 0, ntpFraction: 0 }).ntpSeconds, 0, 'era 1 starts in 2036');
  assert.is(middleNtp(0xaaaa_1234, 0x5678_bbbb), 0x1234_5678);
});

test('the round trip of the example of RFC 3550 figure 2 is 6.125 s', () => {
  const block = { ...BLOCK, lastSenderReport: 0xb705_2000, delaySinceLastSenderReport: 0x0005_4000 };
  assert.is(roundTripMs(0xb710_8000, block), 6125);
});

test('a round trip that makes no sense is none', () => {
  assert.is(roundTripMs(1, { ...BLOCK, lastSenderReport: 0 }), undefined);
  assert.is(roundTripMs(1000, { ...BLOCK, lastSenderReport: 500_000, delaySinceLastSenderReport: 0 }), undefined);
  assert.is(roundTripMs(2 ** 31, { ...BLOCK, lastSenderReport: 1, delaySinceLastSenderReport: 0 }), undefined);
  assert.is(roundTripMs(1000, { ...BLOCK, lastSenderReport: 1001, delaySinceLastSenderReport: 0 }), 0);
});

test.run();
