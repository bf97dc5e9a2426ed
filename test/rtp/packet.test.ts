import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createRtpHeader, isRtcp, parseRtp, writeRtpHeader } from '../../src/rtp/packet.ts';
import { rtpPacket } from './builders.ts';
import { fixture, readCaptureFixture } from './captures.ts';

const test = suite('rtp packet');

test('parses every field of a captured packet', () => {
  const { payload } = readCaptureFixture('ffmpeg-pcmu-20ms-in-bursts.pcap')[1]!;
  const header = createRtpHeader();
  assert.is(parseRtp(payload, 0, payload.length, header), 'ok');
  assert.equal(
    { ...header, sequenceNumber: 0, timestamp: 0, ssrc: 0 },
    {
      payloadType: 0,
      marker: false,
      sequenceNumber: 0,
      timestamp: 0,
      ssrc: 0,
      payloadOffset: 12,
      payloadBytes: 160,
    },
  );
  const view = new DataView(payload.buffer, payload.byteOffset);
  assert.is(header.sequenceNumber, view.getUint16(2));
  assert.is(header.timestamp, view.getUint32(4));
  assert.is(header.ssrc, view.getUint32(8));
});

test('steps over CSRC list, extension and padding, at any offset', () => {
  const packet = fixture('rtp-csrc-extension-padding.bin');
  const bytes = new Uint8Array(packet.length + 20);
  bytes.set(packet, 7);
  const header = createRtpHeader();
  assert.is(parseRtp(bytes, 7, packet.length, header), 'ok');
  assert.equal(header, {
    payloadType: 96,
    marker: true,
    sequenceNumber: 65535,
    timestamp: 0xffff_fff0,
    ssrc: 0xdead_beef,
    payloadOffset: 7 + 12 + 8 + 12,
    payloadBytes: 20,
  });
  assert.is(bytes[header.payloadOffset], 0x50);
});

const REFUSED = [
  ['rtp-truncated-header.bin', 'truncated'],
  ['rtp-truncated-csrc.bin', 'truncated'],
  ['rtp-truncated-extension-header.bin', 'truncated'],
  ['rtp-extension-past-end.bin', 'truncated'],
  ['rtp-padding-count-0.bin', 'badPadding'],
  ['rtp-padding-past-header.bin', 'badPadding'],
  ['rtp-version-1.bin', 'notRtp'],
] as const;

for (const [name, result] of REFUSED) {
  test(`${name} is refused as ${result}`, () => {
    const bytes = fixture(name);
    assert.is(parseRtp(bytes, 0, bytes.length, createRtpHeader()), result);
  });
}

test('an empty datagram is truncated', () => {
  assert.is(parseRtp(new Uint8Array(0), 0, 0, createRtpHeader()), 'truncated');
});

test('a packet without payload is accepted', () => {
  const bytes = fixture('rtp-empty-payload.bin');
  const header = createRtpHeader();
  assert.is(parseRtp(bytes, 0, bytes.length, header), 'ok');
  assert.is(header.payloadBytes, 0);
});

test('every cut of a packet with all optional parts is refused or shorter, and never reads past the cut', () => {
  const packet = fixture('rtp-csrc-extension-padding.bin');
  for (let length = 0; length < packet.length; length++) {
    const bytes = new Uint8Array(packet.length).fill(0xff);
    bytes.set(packet.subarray(0, length));
    const header = createRtpHeader();
    if (parseRtp(bytes, 0, length, header) !== 'ok') continue;
    assert.ok(header.payloadOffset + header.payloadBytes < length, `length ${length}`);
  }
});

test('writes the bytes of a captured packet again', () => {
  const header = createRtpHeader();
  for (const { payload } of readCaptureFixture('baresip-pcmu-and-digits-5-5-pound.pcap')) {
    assert.is(parseRtp(payload, 0, payload.length, header), 'ok');
    const bytes = new Uint8Array(12);
    const { payloadType, marker, sequenceNumber, timestamp, ssrc } = header;
    writeRtpHeader(bytes, 0, payloadType, marker, sequenceNumber, timestamp, ssrc);
    assert.equal([...bytes], [...payload.subarray(0, 12)]);
  }
});

test('tells RTCP from RTP by the second byte', () => {
  const captured = readCaptureFixture('baresip-rtcp.pcap');
  for (const { payload } of captured) assert.ok(isRtcp(payload, 0, payload.length));
  for (const [second, expected] of [
    [191, false],
    [192, true],
    [200, true],
    [223, true],
    [224, false],
  ] as const) {
    assert.is(isRtcp(Uint8Array.of(0x80, second, 0, 0), 0, 4), expected, `second byte ${second}`);
  }
  const audio = rtpPacket({ payloadType: 0, marker: true, sequenceNumber: 1, timestamp: 1 });
  assert.not(isRtcp(audio, 0, audio.length));
  assert.not(isRtcp(Uint8Array.of(0x80, 200), 0, 2));
});

test.run();
