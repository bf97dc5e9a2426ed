import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SourceLock } from '../../src/rtp/source-lock.ts';
import { toEndpoint } from '../../src/rtp/transport.ts';

const test = suite('source lock');
const SDP = toEndpoint('192.0.2.1', 4000);
const NAT = toEndpoint('198.51.100.7', 61000);
const OTHER = toEndpoint('203.0.113.9', 5000);

/** Offers a row of sequence numbers `everyMs` apart; returns which were accepted. */
function offer(lock: SourceLock, source: number, numbers: readonly number[], startMs: number, everyMs = 20): boolean[] {
  return numbers.map((number, index) => lock.accept(source, number & 0xffff, startMs + index * everyMs));
}

test("SDP's source wins with its first packet and shuts every other out", () => {
  const lock = new SourceLock(SDP, 0);
  assert.ok(lock.accept(SDP, 7, 1));
  assert.ok(lock.locked);
  assert.equal(offer(lock, OTHER, [1, 2, 3, 4, 5, 6, 7, 8], 2), Array(8).fill(false));
  assert.ok(lock.accept(SDP, 9000, 60_000));
  assert.is(lock.destination, SDP);
});

test('another source wins with its fourth packet in sequence, over a wrap', () => {
  const lock = new SourceLock(SDP, 0);
  assert.equal(offer(lock, NAT, [65534, 65535, 65536, 65537, 65538], 0), [false, false, false, true, true]);
  assert.is(lock.source, NAT);
  assert.is(lock.destination, NAT);
  assert.equal(offer(lock, OTHER, [1, 2, 3, 4, 5, 6], 100), Array(6).fill(false));
});

test('without an address in SDP a source is learnt as well', () => {
  const lock = new SourceLock(undefined, 0);
  assert.is(offer(lock, NAT, [1, 2, 3, 4], 0).at(-1), true);
});

const REFUSED = [
  ['three packets', [1, 2, 3], 20],
  ['a number is missing', [1, 2, 4, 5, 7, 8], 20],
  ['a number comes twice', [1, 2, 2, 3, 3, 4], 20],
  ['four packets within 21 ms', [1, 2, 3, 4], 7],
  ['a flood', Array.from({ length: 20 }, (_, index) => index), 1],
  ['four packets over more than 5 s', [1, 2, 3, 4], 1700],
] as const;
for (const [name, numbers, everyMs] of REFUSED) {
  test(`not learnt: ${name}`, () => {
    const lock = new SourceLock(SDP, 0);
    assert.not(offer(lock, NAT, numbers, 0, everyMs).includes(true));
    assert.not(lock.locked);
    assert.is(lock.destination, SDP);
  });
}

test('22 ms are enough', () => {
  const lock = new SourceLock(SDP, 0);
  assert.is(offer(lock, NAT, [1, 2, 3, 4], 0, 22 / 3 + 0.001).at(-1), true);
});

test('two strangers that compete keep each other out', () => {
  const lock = new SourceLock(SDP, 0);
  for (let number = 0; number < 50; number++) {
    assert.not(lock.accept(NAT, number, number * 20));
    assert.not(lock.accept(OTHER, number, number * 20 + 10));
  }
});

test("SDP's source takes over from a stranger within 5 s of the negotiation, and not later", () => {
  const early = new SourceLock(SDP, 0);
  offer(early, NAT, [1, 2, 3, 4], 0);
  assert.ok(early.accept(SDP, 5, 4999));
  assert.not(early.accept(NAT, 5, 5000));
  assert.is(early.destination, SDP);

  const late = new SourceLock(SDP, 0);
  offer(late, NAT, [1, 2, 3, 4], 0);
  assert.not(late.accept(SDP, 5, 5001));
  assert.ok(late.accept(NAT, 5, 5002));
});

test('a caller behind NAT that is silent at first is still learnt', () => {
  const lock = new SourceLock(SDP, 0);
  assert.is(offer(lock, NAT, [1, 2, 3, 4], 20_000).at(-1), true);
});

test('a refresh with the same SDP goes on hearing the source, and a stranger can not win meanwhile', () => {
  const lock = new SourceLock(SDP, 0);
  offer(lock, NAT, [1, 2, 3, 4], 0);
  lock.renegotiate(SDP, 10_000);
  assert.is(lock.destination, NAT);
  for (let number = 0; number < 300; number++) {
    assert.ok(lock.accept(NAT, number + 5, 10_000 + number * 20));
    assert.not(lock.accept(OTHER, number, 10_000 + number * 20 + 9));
  }
  assert.ok(lock.locked, 'the window has closed on the source so far');
  assert.equal(offer(lock, OTHER, [1, 2, 3, 4, 5], 60_000), Array(5).fill(false));
});

test('a renegotiation to another address: its source wins at once and the old one is out', () => {
  const lock = new SourceLock(SDP, 0);
  lock.accept(SDP, 1, 0);
  lock.renegotiate(OTHER, 10_000);
  assert.is(lock.destination, OTHER);
  assert.ok(lock.accept(SDP, 2, 10_010));
  assert.ok(lock.accept(OTHER, 900, 10_020));
  assert.not(lock.accept(SDP, 3, 10_030));
  assert.is(lock.source, OTHER);
});

test('a renegotiation lets a caller who moved be learnt once the old source is silent', () => {
  const lock = new SourceLock(SDP, 0);
  lock.accept(SDP, 1, 0);
  lock.renegotiate(toEndpoint('10.0.0.9', 4000), 10_000);
  assert.is(offer(lock, NAT, [1, 2, 3, 4], 10_100).at(-1), true);
  assert.is(lock.destination, NAT);
});

test.run();
