import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readRateLimit } from '../../src/platform/quota-headers.ts';

const NOW_MS = 1_700_000_000_000;
const read = (reset: string): number | undefined => readRateLimit({ 'x-ratelimit-reset': reset }, NOW_MS).resetAfterMs;

const test = suite('quota headers');

test('reads the limit, what remains and the time of the reset', () => {
  const headers = { 'x-ratelimit-limit': '100', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1700000030' };
  assert.equal(readRateLimit(headers, NOW_MS), { limit: 100, remaining: 0, resetAfterMs: 30_000 });
});

test('takes the reset as an epoch in seconds or milliseconds, or as seconds from now', () => {
  assert.is(read('1700000012'), 12_000);
  assert.is(read('1700000012500'), 12_500);
  assert.is(read('12'), 12_000);
  assert.is(read('1699999000'), 0);
});

test('what can not be read is absent', () => {
  for (const value of ['', 'soon', '-1', '1e3', '9'.repeat(16)]) assert.is(read(value), undefined);
  const twice = { 'x-ratelimit-limit': ['1', '2'] };
  assert.equal(readRateLimit(twice, NOW_MS), { limit: undefined, remaining: undefined, resetAfterMs: undefined });
});

test.run();
