import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { deliver, dueMs } from '../../src/local-platform/delivery.ts';
import type { Fault } from '../../src/local-platform/faults.ts';
import { FakeClock } from '../support/fake-clock.ts';

const test = suite('delivery');
const BYTES_PER_SECOND = 32_000;
const body = Uint8Array.from({ length: 3 * BYTES_PER_SECOND }, (_, index) => index % 251);

/** Each chunk with the time at which it came; time passes only while the delivery waits. */
async function deliverAll(fault?: Fault): Promise<{ atMs: number; chunk: Uint8Array }[]> {
  const clock = new FakeClock();
  const signal = new AbortController().signal;
  const chunks: { atMs: number; chunk: Uint8Array }[] = [];
  const delivery = deliver({ body, bytesPerSecond: BYTES_PER_SECOND, fault, clock, signal });
  for (;;) {
    const next = delivery.next();
    let settled = false;
    void next.finally(() => {
      settled = true;
    });
    for (await Promise.resolve(); !settled; await new Promise((resolve) => setImmediate(resolve))) {
      if (clock.timers > 0) clock.advance(1);
    }
    const { done, value } = await next;
    if (done) return chunks;
    chunks.push({ atMs: clock.nowMs(), chunk: value });
  }
}

test('delivers all bytes in their order, in chunks that end within samples', async () => {
  const chunks = await deliverAll();
  assert.equal(Buffer.concat(chunks.map(({ chunk }) => chunk)), Buffer.from(body));
  let offset = 0;
  let withinSample = 0;
  for (const { chunk } of chunks) {
    offset += chunk.length;
    withinSample += offset % 2;
  }
  assert.ok(withinSample > 0 && withinSample < chunks.length);
});

test('delivers 400 ms at once and the rest 1.7 times as fast as it is played', async () => {
  const chunks = await deliverAll();
  let offset = 0;
  for (const { atMs, chunk } of chunks) {
    const audioMs = (offset * 1000) / BYTES_PER_SECOND;
    const expectedMs = Math.max(0, audioMs - 400) / 1.7;
    assert.ok(Math.abs(atMs - expectedMs) <= 1, `byte ${offset} left after ${atMs} ms`);
    offset += chunk.length;
  }
  assert.is(dueMs(BYTES_PER_SECOND, BYTES_PER_SECOND), 600 / 1.7);
});

test('stalls once, and delivers what comes after it as much later', async () => {
  const stalled = await deliverAll({ fault: 'stall', at: 'tts', times: 1, bytes: 20_000, ms: 1000 });
  const smooth = await deliverAll();
  let offset = 0;
  for (const [index, { atMs, chunk }] of stalled.entries()) {
    const lateMs = offset + chunk.length > 20_000 ? 1000 : 0;
    assert.ok(Math.abs(atMs - smooth[index]!.atMs - lateMs) <= 1, `byte ${offset} left after ${atMs} ms`);
    offset += chunk.length;
  }
});

test.run();
