import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PortAllocator } from '../../src/rtp/port-allocator.ts';

const test = suite('port allocator');

function takeAll(allocator: PortAllocator): number[] {
  const ports: number[] = [];
  for (let port = allocator.take(); port !== undefined; port = allocator.take()) ports.push(port);
  return ports;
}

test('gives every even port of the range whose neighbour is in it, once', () => {
  for (const [range, expected] of [
    [
      [20000, 20005],
      [20000, 20002, 20004],
    ],
    [
      [20001, 20006],
      [20002, 20004],
    ],
    [[65534, 65535], [65534]],
    [[1, 3], [2]],
  ] as const) {
    assert.equal(
      takeAll(new PortAllocator(range)).sort((a, b) => a - b),
      [...expected],
    );
  }
});

test('starts at a random pair', () => {
  assert.equal(takeAll(new PortAllocator([20000, 20007], () => 0.5)), [20004, 20006, 20000, 20002]);
  assert.equal(takeAll(new PortAllocator([20000, 20003], () => 0.999)), [20002, 20000]);
});

test('a pair that was given back comes last', () => {
  const allocator = new PortAllocator([20000, 20007], () => 0);
  assert.is(allocator.take(), 20000);
  allocator.release(20000);
  assert.equal(takeAll(allocator), [20002, 20004, 20006, 20000]);
});

test('over many calls every pair rests as long as the others', () => {
  const allocator = new PortAllocator([20000, 20019], () => 0);
  const open: number[] = [];
  const lastReleased = new Map<number, number>();
  for (let call = 0; call < 1000; call++) {
    const port = allocator.take()!;
    const released = lastReleased.get(port);
    if (released !== undefined) assert.ok(call - released >= 6, `${port} after ${call - released} calls`);
    open.push(port);
    if (open.length > 3) {
      const ended = open.shift()!;
      allocator.release(ended);
      lastReleased.set(ended, call);
    }
  }
  assert.is(allocator.freePairs, 7);
});

test('refuses a range without a pair, and a release of nothing', () => {
  for (const range of [
    [20001, 20002],
    [20002, 20001],
    [0, 20000],
    [20000, 65536],
    [1.5, 9],
  ] as const) {
    assert.throws(
      () => new PortAllocator(range),
      (error: Error) => error instanceof RangeError,
    );
  }
  assert.throws(() => new PortAllocator([20000, 20003]).release(20000), /port in use/);
});

test.run();
