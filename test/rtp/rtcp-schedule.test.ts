import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { reportIntervalMs, type RtcpParties, RtcpSchedule } from '../../src/rtp/rtcp-schedule.ts';
import { seededRandom } from './builders.ts';

const test = suite('rtcp schedule');
const TWO: RtcpParties = { members: 2, senders: 2, weSent: true };
/** G.711 in packets of 20 ms with its headers. */
const TELEPHONE_KBPS = 80;
const COMPENSATION = Math.E - 1.5;

/** When `count` reports are sent, asked every 20 ms. */
function reportTimes(schedule: RtcpSchedule, count: number, parties: (nowMs: number) => RtcpParties): number[] {
  const times: number[] = [];
  for (let nowMs = 0; times.length < count; nowMs += 20) {
    if (schedule.take(nowMs, parties(nowMs))) times.push(nowMs);
  }
  return times;
}

test('the minimum is 5 s, less with more than 72 kbit/s, and half of that at first', () => {
  assert.is(reportIntervalMs(TWO, 100, 30), 5000);
  assert.is(reportIntervalMs(TWO, 100, 72), 5000);
  assert.is(reportIntervalMs(TWO, 100, 80), 4500);
  assert.is(reportIntervalMs(TWO, 100, 80, true), 2250);
  assert.is(reportIntervalMs(TWO, 100, 360), 1000);
});

test('many parties share five percent of the bandwidth, few senders a quarter of that', () => {
  // 80 kbit/s: 500 bytes a second of RTCP.
  assert.is(reportIntervalMs({ members: 100, senders: 50, weSent: true }, 100, 80), 20_000);
  assert.is(reportIntervalMs({ members: 100, senders: 25, weSent: true }, 100, 80), 20_000);
  assert.is(reportIntervalMs({ members: 1000, senders: 10, weSent: true }, 100, 80), 8000);
  assert.is(reportIntervalMs({ members: 1000, senders: 10, weSent: false }, 100, 80), 264_000);
});

test('two telephones report every 4.5 s on average, spread over 0.5 to 1.5 of that', () => {
  const seed = 7;
  const schedule = new RtcpSchedule({ sessionKbps: TELEPHONE_KBPS, random: seededRandom(seed) }, 0);
  const times = reportTimes(schedule, 3000, () => TWO);
  const gaps = times.slice(1).map((ms, index) => ms - times[index]!);
  const meanMs = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  // Reports leave on the tick after they are due, 10 ms later on average.
  assert.ok(Math.abs(meanMs - 4510) < 60, `mean ${meanMs} ms with seed ${seed}`);
  assert.ok(Math.min(...gaps) >= 2250 / COMPENSATION, `${Math.min(...gaps)}`);
  assert.ok(Math.max(...gaps) <= 6750 / COMPENSATION + 40, `${Math.max(...gaps)}`);
  assert.ok(Math.min(...gaps) < 2400 && Math.max(...gaps) > 5400, 'the whole range is used');
});

test('the first report comes after half as long', () => {
  const random = seededRandom(8);
  let sumMs = 0;
  for (let round = 0; round < 1000; round++) {
    const schedule = new RtcpSchedule({ sessionKbps: TELEPHONE_KBPS, random }, 0);
    sumMs += reportTimes(schedule, 1, () => TWO)[0]!;
  }
  assert.ok(Math.abs(sumMs / 1000 - 2260) < 60, `${sumMs / 1000}`);
});

test('a report that is due is put off when the interval drawn again is longer', () => {
  const draws = [0, 0.8, 0.3, 0.5];
  const schedule = new RtcpSchedule({ sessionKbps: 72, random: () => draws.shift()! }, 0);
  const at = (draw: number) => Math.ceil((2500 * (0.5 + draw)) / COMPENSATION / 20) * 20;
  assert.equal(
    reportTimes(schedule, 1, () => TWO),
    [at(0.8)],
  );
  assert.equal(draws, [], 'drawn for the second time at 0, for the third at 0.8, and for the next report');
});

test('when others leave, the next report moves up in proportion', () => {
  const schedule = new RtcpSchedule({ sessionKbps: TELEPHONE_KBPS, random: () => 0.5 }, 0);
  const crowd: RtcpParties = { members: 100, senders: 100, weSent: true };
  // 108 bytes a hundred times at 500 bytes a second: 21.6 s.
  const meanMs = 21_600 / COMPENSATION;
  const [first, second] = reportTimes(schedule, 2, (nowMs) => (nowMs < 30_000 ? crowd : { ...crowd, members: 50 }));
  assert.ok(Math.abs(first! - meanMs) < 40);
  // At 30 s the rest of the interval shrinks to half; then it is drawn for half as many.
  const restMs = (first! + meanMs - 30_000) / 2;
  assert.ok(second! >= 30_000 + restMs - 20 && second! <= 30_000 + restMs + 40, `${first} ${second}`);
});

test('large packets make reports rare', () => {
  const crowd: RtcpParties = { members: 100, senders: 100, weSent: true };
  const timesWith = (bytes: number) => {
    const schedule = new RtcpSchedule({ sessionKbps: TELEPHONE_KBPS, random: () => 0.5 }, 0);
    for (let packet = 0; packet < 200; packet++) schedule.count(bytes);
    return reportTimes(schedule, 2, () => crowd);
  };
  const [small, large] = [timesWith(72), timesWith(372)];
  assert.ok(Math.abs((large[1]! - large[0]!) / (small[1]! - small[0]!) - 4) < 0.05);
});

test.run();
