import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InterarrivalJitter } from '../../src/rtp/interarrival-jitter.ts';

const test = suite('interarrival jitter');

test('is zero for packets that arrive as they were sent, over a wrap of the timestamp', () => {
  const jitter = new InterarrivalJitter(8000);
  for (let packet = 0; packet < 100; packet++) {
    jitter.update({ timestamp: (0xffff_f000 + packet * 160) >>> 0, arrivalMs: 1000.25 + packet * 20 });
  }
  assert.is(jitter.ticks, 0);
});

test('one packet that is 10 ms late adds a sixteenth of 80 ticks', () => {
  const jitter = new InterarrivalJitter(8000);
  jitter.update({ timestamp: 0, arrivalMs: 0 });
  jitter.update({ timestamp: 160, arrivalMs: 30 });
  assert.is(jitter.ticks, 5);
  assert.is(jitter.interarrivalJitterMs, 10 / 16);
});

test('converges to the mean change of the transit time, in the units of the clock rate', () => {
  for (const clockRate of [8000, 48000]) {
    const jitter = new InterarrivalJitter(clockRate);
    for (let packet = 0; packet < 400; packet++) {
      jitter.update({ timestamp: (packet * 20 * clockRate) / 1000, arrivalMs: packet * 20 + (packet % 2) * 4 });
    }
    assert.ok(Math.abs(jitter.interarrivalJitterMs - 4) < 0.01, `${jitter.interarrivalJitterMs}`);
    assert.ok(Math.abs(jitter.ticks - (4 * clockRate) / 1000) <= 1);
  }
});

test('a reset forgets the stream before', () => {
  const jitter = new InterarrivalJitter(8000);
  jitter.update({ timestamp: 0, arrivalMs: 0 });
  jitter.update({ timestamp: 160, arrivalMs: 500 });
  jitter.reset();
  jitter.update({ timestamp: 77_777, arrivalMs: 9000 });
  jitter.update({ timestamp: 77_937, arrivalMs: 9020 });
  assert.is(jitter.interarrivalJitterMs, 0);
});

test.run();
