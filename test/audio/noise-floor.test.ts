import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NoiseFloor } from '../../src/audio/noise-floor.ts';

const test = suite('NoiseFloor');

const FRAME_MS = 20;

/** Feeds frames with the given level until `durationMs` are over. */
function feed(floor: NoiseFloor, durationMs: number, levelDbov: (timeMs: number) => number): void {
  for (let timeMs = 0; timeMs < durationMs; timeMs += FRAME_MS)
    floor.add({ power: 10 ** (levelDbov(timeMs) / 10), treblePower: 1 }, FRAME_MS);
}

/** Syllables of 200 ms between −20 and −45 dBov with pauses of 300 ms at `pauseDbov` every 2 s. */
function speech(pauseDbov: number): (timeMs: number) => number {
  return (timeMs) => (timeMs % 2000 < 300 ? pauseDbov : -32.5 + 12.5 * Math.sin((2 * Math.PI * timeMs) / 200));
}

function near(actual: number, expected: number, toleranceDb: number): void {
  assert.ok(Math.abs(actual - expected) <= toleranceDb, `${actual} is not ${expected} ± ${toleranceDb}`);
}

test('knows a steady background after 0.3 s, however loud', () => {
  for (const levelDbov of [-70, -45, -25]) {
    const floor = new NoiseFloor('power');
    feed(floor, 300, () => levelDbov);
    near(floor.dbov, levelDbov, 0.01);
  }
});

test('assumes a low floor as long as only speech was heard', () => {
  const floor = new NoiseFloor('power');
  feed(floor, 1_000, (timeMs) => speech(-20)(timeMs + 300));
  assert.ok(floor.dbov <= -50, `${floor.dbov}`);
});

test('stays at the background through speech with pauses', () => {
  const floor = new NoiseFloor('power');
  feed(floor, 1_000, () => -55);
  for (let second = 0; second < 30; second++) {
    feed(floor, 2_000, speech(-55));
    near(floor.dbov, -55, 1);
  }
});

test('follows a drop within the next 0.2 s', () => {
  const floor = new NoiseFloor('power');
  feed(floor, 2_000, () => -35);
  feed(floor, 200, () => -60);
  near(floor.dbov, -60, 0.01);
});

test('takes a rise for background after a second of steadiness, not before', () => {
  const floor = new NoiseFloor('power');
  feed(floor, 2_000, () => -60);
  feed(floor, 900, () => -40);
  near(floor.dbov, -60, 0.01);
  feed(floor, 100, () => -40);
  near(floor.dbov, -40, 0.01);
});

test('takes an uneven rise for background once nothing quieter was heard for 5 s', () => {
  const floor = new NoiseFloor('power');
  const uneven = (timeMs: number): number => -40 + (Math.floor(timeMs / 300) % 3) * 4;
  feed(floor, 2_000, () => -60);
  feed(floor, 4_900, uneven);
  near(floor.dbov, -60, 0.01);
  feed(floor, 300, uneven);
  near(floor.dbov, -40, 0.5);
});

test('digital silence is a floor of -127 dBov', () => {
  const floor = new NoiseFloor('power');
  for (let frame = 0; frame < 15; frame++) floor.add({ power: 0, treblePower: 1 }, FRAME_MS);
  assert.is(floor.dbov, -127);
});

test('measures the same with frames of 10, 20 and 30 ms', () => {
  for (const frameMs of [10, 20, 30]) {
    const floor = new NoiseFloor('power');
    for (let timeMs = 0; timeMs < 600; timeMs += frameMs) floor.add({ power: 10 ** -4.2, treblePower: 1 }, frameMs);
    near(floor.dbov, -42, 0.01);
  }
});

test('a reset forgets the background', () => {
  const floor = new NoiseFloor('power');
  const fresh = floor.dbov;
  feed(floor, 10_000, () => -20);
  floor.reset();
  assert.is(floor.dbov, fresh);
  feed(floor, 300, () => -60);
  near(floor.dbov, -60, 0.01);
});

test.run();
