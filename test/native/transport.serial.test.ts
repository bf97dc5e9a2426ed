import { createSocket } from 'node:dgram';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { NativeAddon } from '../../src/core/addon.ts';
import { systemClock } from '../../src/core/clock.ts';
import { MAX_PAYLOAD_BYTES } from '../../src/rtp/native-layout.ts';
import { NativeTransport } from '../../src/rtp/native-transport.ts';
import { createRtpHeader, parseRtp } from '../../src/rtp/packet.ts';
import { type FrameSenderOptions, type MediaPort, toEndpoint } from '../../src/rtp/transport.ts';
import { makeRandom, pickSeed } from '../audio/prng.ts';
import { transportContract } from '../rtp/transport-contract.ts';
import { addonFor } from './addon.ts';

const HOST = '127.0.0.1';
const test = suite('native transport');

interface Arrival {
  readonly sequenceNumber: number;
  readonly payload: readonly number[];
  readonly arrivalMs: number;
}

/** Keeps what arrives at a port, with the kernel's time. */
function listen(port: MediaPort): Arrival[] {
  const arrivals: Arrival[] = [];
  const header = createRtpHeader();
  port.receive(
    ({ bytes, offset, length, arrivalMs }) => {
      assert.is(parseRtp(bytes, offset, length, header), 'ok');
      const payload = [...bytes.subarray(header.payloadOffset, header.payloadOffset + header.payloadBytes)];
      arrivals.push({ sequenceNumber: header.sequenceNumber, payload, arrivalMs });
    },
    () => {},
  );
  return arrivals;
}

function sending(overrides: Partial<FrameSenderOptions> = {}): FrameSenderOptions {
  return {
    ssrc: 1,
    initialSequenceNumber: 0,
    initialTimestamp: 0,
    ptimeMs: 10,
    timestampStep: 80,
    silencePayload: Uint8Array.of(0xff),
    silencePayloadType: 0,
    onSent: () => {},
    onTick: () => {},
    ...overrides,
  };
}

function block(ms: number): { fromMs: number; toMs: number } {
  const fromMs = performance.now();
  while (performance.now() < fromMs + ms);
  return { fromMs, toMs: performance.now() };
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `condition` holds; fails after five seconds. */
async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`Waited 5 s in vain: ${what}`);
    await pass(2);
  }
}

function nativeTests(addon: NativeAddon): void {
  async function withTransport(body: (transport: NativeTransport) => Promise<void>): Promise<void> {
    const transport = new NativeTransport({ localAddress: HOST, portRange: [0, 0] }, systemClock, addon);
    try {
      await body(transport);
    } finally {
      await transport.close();
    }
  }

  test('packets leave and are stamped on time while the event loop stands still', async () => {
    await withTransport(async (transport) => {
      const sink = await transport.open();
      const arrivals = listen(sink);
      const port = await transport.open();
      port.setRemote(toEndpoint(HOST, sink.rtpPort), undefined);
      port.startSending(sending());
      await until('the stream', () => arrivals.length >= 3);
      const { fromMs, toMs } = block(300);
      await until('what came meanwhile', () => arrivals.at(-1)!.arrivalMs > toMs);
      const meanwhile = arrivals.filter(({ arrivalMs }) => arrivalMs > fromMs && arrivalMs < toMs);
      // Thirty are due; a busy machine may keep even the media thread waiting for a while.
      assert.ok(meanwhile.length >= 25, `${meanwhile.length} packets in 300 ms`);
      const gaps = meanwhile.slice(1).map(({ arrivalMs }, index) => arrivalMs - meanwhile[index]!.arrivalMs);
      const medianMs = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)]!;
      assert.ok(Math.abs(medianMs - 10) < 1, `median gap ${medianMs} ms`);
    });
  });

  test('an owner that is slower than packets come does not hold up what else the event loop does', async () => {
    await withTransport(async (transport) => {
      let ticks = 0;
      const port = await transport.open();
      port.setRemote(toEndpoint(HOST, port.rtpPort), undefined);
      const onTick = (): void => {
        ticks += 1;
        block(20);
      };
      port.startSending(sending({ onTick }));
      await until('a tick', () => ticks > 0);
      const before = ticks;
      let turns = 0;
      const endMs = performance.now() + 1000;
      while (performance.now() < endMs) {
        await pass(1);
        turns += 1;
      }
      assert.ok(ticks - before > 20, `${ticks - before} ticks`);
      assert.ok(turns > (ticks - before) / 2, `${turns} turns of the event loop in ${ticks - before} ticks`);
    });
  });

  test('everything written is told once and in order, however far the tap is behind', async () => {
    await withTransport(async (transport) => {
      const sink = await transport.open();
      const arrivals = listen(sink);
      const port = await transport.open();
      port.setRemote(toEndpoint(HOST, sink.rtpPort), undefined);
      const told: number[] = [];
      const sender = port.startSending(sending({ ptimeMs: 1, onSent: (tag) => told.push(tag) }));
      let tag = 0;
      let dropped = 0;
      const random = makeRandom(4);
      for (let round = 0; round < 12; round++) {
        while (sender.write(Uint8Array.of(tag >> 8, tag & 255), 0, 8, 0, tag)) tag += 1;
        assert.ok(sender.queuedFrames <= sender.capacityFrames);
        // The thread sends on, and nobody reads the tap.
        block(random() * 40);
        if (round % 4 === 3) dropped += sender.flush();
      }
      await until('an empty ring', () => sender.queuedFrames === 0);
      await until('the tap', () => told.length + dropped === tag);
      const frames = (): number[] =>
        arrivals.filter(({ payload }) => payload.length === 2).map(({ payload: [a, b] }) => a! * 256 + b!);
      await until('what was told of', () => frames().length >= told.length);
      assert.ok(dropped > 0);
      assert.equal(frames(), told);
      assert.ok(told.every((frame, index) => index === 0 || frame > told[index - 1]!));
    });
  });

  test('a sender of a closed port is deaf: the next port has its memory', async () => {
    await withTransport(async (transport) => {
      const sink = await transport.open();
      const arrivals = listen(sink);
      const old = await transport.open();
      const oldSender = old.startSending(sending());
      assert.ok(oldSender.write(Uint8Array.of(1), 0, 80, 0, 1));
      old.close();
      // The media thread lets go of the place within a few milliseconds.
      await pass(30);
      const port = await transport.open();
      port.setRemote(toEndpoint(HOST, sink.rtpPort), undefined);
      const sender = port.startSending(sending());
      assert.is(oldSender.write(Uint8Array.of(2), 0, 80, 0, 2), false);
      assert.is(oldSender.queuedFrames, 0);
      oldSender.setPaused(true);
      oldSender.reconfigure(sending());
      assert.ok(sender.write(Uint8Array.of(3), 0, 80, 0, 3));
      assert.is(oldSender.flush(), 0);
      await until('the frame', () => arrivals.some(({ payload }) => payload[0] === 3));
      assert.ok(arrivals.every(({ payload }) => payload[0] === 3 || payload[0] === 0xff));
    });
  });

  test('as many ports as there are, opened and closed in any order, keep their streams apart', async () => {
    await withTransport(async (transport) => {
      const sink = await transport.open();
      const arrivals = listen(sink);
      const random = makeRandom(9);
      const open: MediaPort[] = [];
      let streams = 0;
      for (let step = 0; step < 200; step++) {
        if (open.length > 0 && random() < 0.4) {
          open.splice(Math.floor(random() * open.length), 1)[0]!.close();
          continue;
        }
        const port = await transport.open();
        port.setRemote(toEndpoint(HOST, sink.rtpPort), undefined);
        streams += 1;
        port.startSending(sending({ silencePayload: Uint8Array.of(streams) }));
        open.push(port);
      }
      assert.is(transport.openPorts, open.length + 1);
      const before = arrivals.length;
      await until('packets of every stream', () => {
        const payloads = new Set(arrivals.slice(before).map(({ payload }) => payload[0]));
        return payloads.size >= open.length;
      });
    });
  });

  test('refuses what does not fit, and another version of the addon', async () => {
    await withTransport(async (transport) => {
      const port = await transport.open();
      const tooLong = new Uint8Array(MAX_PAYLOAD_BYTES + 1);
      for (const wrong of [{ ptimeMs: 0 }, { ptimeMs: Number.NaN }, { ptimeMs: 1001 }, { silencePayload: tooLong }]) {
        assert.throws(() => port.startSending(sending(wrong)), RangeError);
      }
      const sender = port.startSending(sending());
      assert.throws(() => sender.write(tooLong, 0, 80, 0, 0), RangeError);
      assert.throws(() => sender.reconfigure(sending({ ptimeMs: -1 })), RangeError);
    });
    const other = { ...addon, mediaLayout: { ...addon.mediaLayout, frameBytes: 1 } };
    assert.throws(
      () => new NativeTransport({ localAddress: HOST, portRange: [0, 0] }, systemClock, other),
      /frameBytes/,
    );
    for (const nonsense of [[], [1], [Number.NaN, () => {}], [0, 'x']] as never[][]) {
      assert.throws(() => Reflect.construct(addon.MediaTransport, nonsense), TypeError);
    }
  });

  test('counts what it receives and what is too long', async () => {
    await withTransport(async (transport) => {
      const port = await transport.open();
      let received = 0;
      port.receive(
        () => (received += 1),
        () => {},
      );
      const peer = createSocket('udp4');
      for (const length of [0, 12, 2048, 2049, 9000]) peer.send(new Uint8Array(length), port.rtpPort, HOST);
      await until('three datagrams', () => received === 3);
      await until('the two others', () => transport.statistics.oversizedDropped === 2);
      peer.close();
      const { packetsReceived, ringFull, skippedDeadlines, scheduling } = transport.statistics;
      assert.equal([packetsReceived, ringFull, skippedDeadlines], [3, 0, 0]);
      assert.ok(scheduling === 'fifo' || scheduling === 'other');
    });
  });

  test('mutated packets arrive as they were sent, and parsing them throws nothing', async () => {
    const seed = pickSeed();
    const random = makeRandom(seed);
    await withTransport(async (transport) => {
      const port = await transport.open();
      const header = createRtpHeader();
      const got: string[] = [];
      port.receive(
        ({ bytes, offset, length }) => {
          parseRtp(bytes, offset, length, header);
          got.push(Buffer.from(bytes.subarray(offset, offset + length)).toString('latin1'));
        },
        () => {},
      );
      const peer = createSocket('udp4');
      await new Promise<void>((resolve) => peer.bind(0, HOST, resolve));
      peer.connect(port.rtpPort, HOST);
      await new Promise((resolve) => peer.once('connect', resolve));
      let wrong = 0;
      for (let round = 0; round < 100; round++) {
        const sent: string[] = [];
        got.length = 0;
        for (let index = 0; index < 200; index++) {
          const packet = new Uint8Array(Math.floor(random() * 300));
          packet[0] = 0x80;
          for (let flips = random() * 8; flips > 0; flips--) {
            packet[Math.floor(random() * Math.min(20, packet.length))]! ^= Math.floor(random() * 256);
          }
          peer.send(packet);
          sent.push(Buffer.from(packet).toString('latin1'));
        }
        await until(`200 packets, SEED=${seed}`, () => got.length === 200);
        for (const [index, packet] of sent.entries()) if (got[index] !== packet) wrong += 1;
      }
      peer.close();
      assert.is(wrong, 0, `SEED=${seed}`);
    });
  });
}

const addon = addonFor('native transport');
if (addon) {
  transportContract('native', (options) => new NativeTransport(options, systemClock, addon));
  nativeTests(addon);
}

test.run();
