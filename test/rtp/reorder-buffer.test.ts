import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ReorderBuffer } from '../../src/rtp/reorder-buffer.ts';
import { seededRandom } from './builders.ts';

const test = suite('reorder buffer');

/** A buffer and the log of what it released (`5`) and gave up (`-2`). */
function createBuffer(maxWaitMs = 60) {
  const log: string[] = [];
  const buffer = new ReorderBuffer({
    maxWaitMs,
    onPacket: ({ bytes, offset, length }) => {
      assert.is(length, 2);
      log.push(`${(bytes[offset]! << 8) | bytes[offset + 1]!}`);
    },
    onLost: (packets) => log.push(`-${packets}`),
  });
  const insert = (number: number, nowMs = 0) => {
    const sequenceNumber = number & 0xffff;
    const bytes = Uint8Array.of(0xee, sequenceNumber >> 8, sequenceNumber & 255, 0xee);
    const packet = { bytes, offset: 1, length: 2, payloadType: 0, timestamp: number * 160, arrivalMs: nowMs };
    return buffer.insert(sequenceNumber, packet);
  };
  /** Polls every 20 ms, as the send ticks do. */
  const poll = (fromMs: number, toMs: number) => {
    for (let nowMs = fromMs; nowMs <= toMs; nowMs += 20) buffer.poll(nowMs);
  };
  return { buffer, log, insert, poll };
}

test('packets in order pass at once', () => {
  const { log, insert } = createBuffer();
  for (const number of [65534, 65535, 65536, 65537]) assert.is(insert(number), 'taken');
  assert.equal(log, ['65534', '65535', '0', '1']);
});

test('two packets that were swapped come out in order, over the wrap', () => {
  const { log, insert } = createBuffer();
  insert(65534);
  assert.is(insert(65536), 'taken');
  assert.is(insert(65535), 'reordered');
  assert.equal(log, ['65534', '65535', '0']);
});

test('a gap is given up 60 ms after the packet behind it arrived, not sooner', () => {
  const { buffer, log, insert, poll } = createBuffer();
  poll(0, 100);
  insert(1, 100);
  insert(3, 110);
  poll(120, 160);
  assert.equal(log, ['1']);
  buffer.poll(169);
  assert.equal(log, ['1']);
  buffer.poll(170);
  assert.equal(log, ['1', '-1', '3']);
});

test('a packet that comes after it was given up is late, and one released before is a duplicate', () => {
  const { log, insert, poll } = createBuffer();
  insert(1);
  insert(3);
  poll(0, 80);
  assert.is(insert(2, 90), 'late');
  assert.is(insert(3, 90), 'duplicate');
  assert.is(insert(1, 90), 'duplicate');
  assert.equal(log, ['1', '-1', '3']);
});

test('a duplicate of a packet that waits is dropped', () => {
  const { log, insert } = createBuffer();
  insert(1);
  insert(3);
  assert.is(insert(3), 'duplicate');
  insert(2);
  assert.equal(log, ['1', '2', '3']);
});

test('two gaps are given up one after the other, each by its own wait', () => {
  const { buffer, log, insert, poll } = createBuffer();
  poll(0, 100);
  insert(1, 100);
  insert(3, 100);
  insert(6, 140);
  poll(120, 160);
  assert.equal(log, ['1', '-1', '3']);
  buffer.poll(180);
  buffer.poll(200);
  assert.equal(log, ['1', '-1', '3', '-2', '6']);
});

test('more packets than fit behind a gap give it up at once', () => {
  const { log, insert } = createBuffer();
  insert(1);
  for (let number = 3; number < 34; number++) insert(number);
  assert.equal(log, ['1']);
  insert(34);
  assert.equal(log, ['1', '-1', ...Array.from({ length: 32 }, (_, index) => `${index + 3}`)]);
});

test('a jump ahead releases what waits, in order, and reports each gap', () => {
  const { log, insert, poll } = createBuffer();
  insert(1);
  insert(3);
  insert(500);
  assert.equal(log, ['1', '-1', '3', `-${469 - 4}`]);
  poll(0, 80);
  assert.equal(log.slice(4), ['-31', '500']);
});

test('a placeholder closes its gap and releases nothing', () => {
  const { buffer, log, insert } = createBuffer();
  insert(1);
  buffer.insertPlaceholder(2, 0);
  insert(3);
  insert(5);
  buffer.insertPlaceholder(4, 0);
  buffer.insertPlaceholder(4, 0);
  assert.equal(log, ['1', '3', '5']);
});

test('a poll that is late itself gives up nothing, the next one does', () => {
  const { buffer, log, insert } = createBuffer();
  buffer.poll(0);
  insert(1, 5);
  insert(3, 10);
  buffer.poll(300);
  assert.equal(log, ['1']);
  assert.is(insert(2, 301), 'reordered');
  assert.equal(log, ['1', '2', '3']);
  insert(5, 301);
  for (const nowMs of [320, 340, 360, 380]) buffer.poll(nowMs);
  assert.equal(log, ['1', '2', '3', '-1', '5']);
});

test('polls that are always 60 ms apart still give a gap up', () => {
  const { buffer, log, insert } = createBuffer();
  buffer.poll(0);
  insert(1, 10);
  insert(3, 10);
  for (const nowMs of [60, 120, 180]) buffer.poll(nowMs);
  assert.equal(log, ['1', '-1', '3']);
});

test('a drain releases what waits and starts anew', () => {
  const { buffer, log, insert } = createBuffer();
  insert(1);
  insert(3);
  insert(6);
  buffer.drain();
  assert.equal(log, ['1', '-1', '3', '-2', '6']);
  assert.is(insert(2), 'taken');
  assert.is(insert(1), 'late', 'number 1 of this stream was never released');
});

test('bursts of 263 ms lose nothing', () => {
  const { log, insert, poll } = createBuffer();
  const expected: string[] = [];
  for (let number = 0, burst = 0; burst < 20; burst++) {
    const nowMs = burst * 263;
    poll(nowMs - 243, nowMs);
    for (let packet = 0; packet < 13; packet++, number++) {
      insert(number, nowMs);
      expected.push(`${number}`);
    }
  }
  assert.equal(log, expected);
});

test('any order within the wait comes out in order, whatever is lost or doubled', () => {
  const seed = 417;
  const random = seededRandom(seed);
  for (let round = 0; round < 50; round++) {
    const { log, insert, poll } = createBuffer();
    const start = 65536 - 200;
    const arrivals: { number: number; atMs: number }[] = [];
    const lost = new Set<number>();
    for (let index = 0; index < 400; index++) {
      if (index > 5 && index < 395 && random() < 0.05) {
        lost.add(index);
        continue;
      }
      const atMs = 100 + index * 20 + (index === 0 || index === 399 ? 0 : random() * 55);
      arrivals.push({ number: start + index, atMs });
      if (random() < 0.05) arrivals.push({ number: start + index, atMs: atMs + random() * 30 });
    }
    arrivals.sort((a, b) => a.atMs - b.atMs);
    let pollMs = 0;
    for (const { number, atMs } of arrivals) {
      for (; pollMs <= atMs; pollMs += 20) poll(pollMs, pollMs);
      insert(number, atMs);
    }
    poll(pollMs, pollMs + 100);
    const expected: string[] = [];
    for (let index = 0, gap = 0; index < 400; index++) {
      if (lost.has(index)) {
        gap += 1;
        continue;
      }
      if (gap > 0) expected.push(`-${gap}`);
      gap = 0;
      expected.push(`${(start + index) & 0xffff}`);
    }
    assert.equal(log, expected, `seed ${seed} round ${round}`);
  }
});

test.run();
