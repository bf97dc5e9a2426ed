import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RtpSession } from '../../src/rtp/session.ts';
import { toEndpoint } from '../../src/rtp/transport.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { seededRandom } from './builders.ts';
import { fixture, readCaptureFixture } from './captures.ts';
import { FakeMediaPort } from './fake-media-port.ts';

const test = suite('rtp session fuzz');

/** `FUZZ_PACKETS=10000000` for a long run. */
const PACKETS = Number(process.env['FUZZ_PACKETS'] ?? 100_000);
/** What may stay allocated after the first half of a run. */
const MAX_GROWTH_BYTES = 16 * 2 ** 20;

const SDP = toEndpoint('192.0.2.1', 4000);
const ELSEWHERE = toEndpoint('203.0.113.3', 4000);

const ORIGINALS: readonly Uint8Array[] = [
  ...readCaptureFixture('ffmpeg-pcmu-20ms-in-bursts.pcap').slice(0, 20),
  ...readCaptureFixture('baresip-pcmu-and-digits-5-5-pound.pcap').slice(0, 60),
  ...readCaptureFixture('digit-9-held-17s-in-segments.pcap').slice(0, 10),
  ...readCaptureFixture('baresip-rtcp.pcap'),
]
  .map(({ payload }) => payload)
  .concat(fixture('rtp-csrc-extension-padding.bin'), fixture('rtcp-rr-sdes-bye-with-reason.bin'));

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function usedBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** An original with a few bytes changed, cut or lengthened; half of the changes hit the header. */
function mutate(random: () => number): Uint8Array {
  const original = ORIGINALS[Math.floor(random() * ORIGINALS.length)]!;
  const length = random() < 0.8 ? original.length : Math.floor(random() * (original.length + 8));
  const bytes = new Uint8Array(length);
  bytes.set(original.subarray(0, length));
  for (let changes = Math.floor(random() * 4); changes > 0; changes--) {
    const span = random() < 0.5 ? Math.min(12, length) : length;
    bytes[Math.floor(random() * span)] = random() * 256;
  }
  return bytes;
}

for (const seed of [20260503, 0xdead_beef]) {
  test(`${PACKETS.toLocaleString('en')} mutated packets throw nothing, are all accounted for and leave nothing behind (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const clock = new FakeClock();
    const port = new FakeMediaPort(clock);
    let audio = 0;
    let lost = 0;
    let digits = 0;
    let lastTimestamp = Number.NEGATIVE_INFINITY;
    const session = new RtpSession({
      port,
      clock,
      remote: { rtp: SDP },
      payloadTypes: { audio: [0, 96], telephoneEvent: 101 },
      sending: { ptimeMs: 20, silencePayload: new Uint8Array(160), silencePayloadType: 0 },
      mediaTimeoutMs: Number.POSITIVE_INFINITY,
      events: {
        onAudio({ bytes, offset, length, timestamp }) {
          assert.ok(length > 0 && length <= 2048 && offset + length <= bytes.length);
          assert.ok(timestamp > lastTimestamp, `${timestamp} after ${lastTimestamp}`);
          lastTimestamp = timestamp;
          audio += 1;
        },
        onLoss(packets) {
          assert.ok(packets > 0);
          lost += packets;
        },
        onDigit: () => (digits += 1),
      },
    });
    let halfwayBytes = 0;
    for (let packet = 0; packet < PACKETS; packet++) {
      if (packet === PACKETS / 2) halfwayBytes = usedBytes();
      const bytes = mutate(random);
      const source = random() < 0.95 ? SDP : ELSEWHERE;
      if (random() < 0.97) port.deliver(bytes, source);
      else port.deliverRtcp(bytes, source);
      if (random() < 0.1) clock.advance(random() * 40);
      if (packet % 100 === 0) {
        // What the port keeps is not what this test is about.
        port.sent.length = 0;
        port.sentRtcp.length = 0;
      }
    }
    const s = session.statistics;
    assert.is(s.malformed + s.fromWrongSource + s.received + s.rtcpReceived + s.rtcpDiscarded, PACKETS);
    const growthBytes = usedBytes() - halfwayBytes;
    assert.ok(growthBytes < MAX_GROWTH_BYTES, `${growthBytes} bytes more than halfway`);
    const settled =
      s.delivered + s.duplicates + s.late + s.telephoneEvents + s.keepAlives + s.unknownPayloadType + s.unverified;
    assert.is(settled + s.waiting, s.received);
    assert.is(audio, s.delivered);
    assert.is(s.lost, Math.max(0, lost - s.late));
    // The fuzz reached every part.
    for (const [name, count] of Object.entries({ ...s, audio, digits })) {
      if (['transportErrors', 'waiting', 'roundTripMs', 'fractionLost'].includes(name)) continue;
      if (name.startsWith('remote')) continue;
      assert.ok(Number(count) > 0, `${name} is ${count}`);
    }
    session.close();
    const after = session.statistics;
    assert.is(after.waiting, 0);
    assert.is(after.delivered - s.delivered, s.waiting);
    assert.is(clock.timers, 0);
  });
}

test.run();
