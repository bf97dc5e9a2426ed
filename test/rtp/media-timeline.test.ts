import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MediaTimeline } from '../../src/rtp/media-timeline.ts';

const test = suite('media timeline');

/** [timestamp, arrivalMs] rows through one timeline: where each landed after the first, and whether it broke. */
function run(rows: readonly (readonly [number, number])[]): [number, boolean][] {
  const timeline = new MediaTimeline(8000);
  let first: number | undefined;
  return rows.map(([timestamp, arrivalMs]) => {
    const at = timeline.advance({ timestamp: timestamp >>> 0, arrivalMs: arrivalMs });
    first ??= at;
    return [at - first, timeline.broken];
  });
}

test('wraps from 2^32 - 1 to 0 without a break', () => {
  const start = 2 ** 32 - 160;
  assert.equal(
    run([
      [start, 0],
      [start + 160, 20],
      [start + 320, 40],
    ]),
    [
      [0, false],
      [160, false],
      [320, false],
    ],
  );
});

test('stays exact over many wraps', () => {
  const timeline = new MediaTimeline(8000);
  const step = 2 ** 30;
  const stepMs = step / 8;
  const first = timeline.advance({ timestamp: 5, arrivalMs: 0 });
  for (let packet = 1; packet <= 1000; packet++) {
    assert.is(
      timeline.advance({ timestamp: (5 + packet * step) % 2 ** 32, arrivalMs: packet * stepMs }),
      first + packet * step,
    );
  }
});

const CASES = [
  ['silence suppression that the arrival explains is kept', [160, 0], [80_160, 10_000], [80_000, false]],
  ['a gap without an explanation of 2 s is kept', [160, 0], [16_160, 20], [16_000, false]],
  ['a leap of 10 s goes on by arrival time', [160, 0], [80_160, 60], [480, true]],
  ['a late packet stays where its timestamp puts it', [160, 0], [320, 5000], [160, false]],
  ['a timestamp that goes back goes on by arrival time', [16_000, 0], [160, 40], [320, true]],
  ['a timestamp that stands still moves on by a packet', [160, 0], [160, 1], [160, true]],
  ['a random new timestamp goes on by arrival time', [160, 0], [2 ** 31 + 200, 20], [160, true]],
] as const;

for (const [name, before, after, expected] of CASES) {
  test(name, () => assert.equal(run([before, after])[1], [...expected]));
}

test('a rebase breaks once and is no shorter than the packet before', () => {
  const timeline = new MediaTimeline(8000);
  const first = timeline.advance({ timestamp: 1000, arrivalMs: 0 });
  assert.is(timeline.advance({ timestamp: 1240, arrivalMs: 30 }), first + 240);
  timeline.rebase();
  assert.is(timeline.advance({ timestamp: 999_999, arrivalMs: 30 }), first + 480);
  assert.ok(timeline.broken);
  assert.is(timeline.advance({ timestamp: 1_000_239, arrivalMs: 60 }), first + 720);
  assert.not(timeline.broken);
});

test('a rebase before the first packet breaks nothing', () => {
  const timeline = new MediaTimeline(8000);
  timeline.rebase();
  timeline.advance({ timestamp: 7, arrivalMs: 0 });
  assert.not(timeline.broken);
});

test.run();
