import { PassThrough } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EventBus, type GatewayEvent } from '../../src/core/events.ts';
import { createLogger } from '../../src/core/logger.ts';
import { redact, registerSecret } from '../../src/core/secrets.ts';
import { FakeClock } from '../support/fake-clock.ts';

const test = suite('secrets');
const key = 'sk_live_"planted"/key+1';
registerSecret(key);
const spellings = [key, encodeURIComponent(key), JSON.stringify(key).slice(1, -1), Buffer.from(key).toString('base64')];

test('removes a registered secret in every spelling it travels in', () => {
  for (const spelling of spellings) assert.not.match(redact(`before ${spelling} after`), spelling);
  assert.is(redact(`a ${key} b`), 'a [redacted] b');
});

test('removes what stands where credentials stand, whoever they belong to', () => {
  for (const text of [
    'wss://host/x?api_key=unregistered-1&y=2',
    'authorization: Token unregistered-1',
    '{"Authorization":"Bearer unregistered-1"}',
    '{"x-api-key":"unregistered-1"}',
    'redis://:unregistered-1@host:6379',
  ]) {
    assert.not.match(redact(text), 'unregistered-1');
  }
  assert.match(redact('wss://host/x?api_key=abc&y=2'), '&y=2');
});

test('leaves speech about keys and tokens alone', () => {
  const speech = 'the bearer of this token has a key to the local office';
  assert.is(redact(speech), speech);
});

test('does not take a common word for a secret', () => {
  registerSecret('local');
  assert.is(redact('the local platform'), 'the local platform');
});

test('keeps planted keys out of logs: message, field, header, URL, error, cause and stack', () => {
  const lines: string[] = [];
  const stream = new PassThrough();
  stream.on('data', (chunk: Buffer) => lines.push(chunk.toString()));
  const log = createLogger('trace', stream);
  log.info(`message ${key}`);
  log.warn({ url: `https://h/?api_key=${encodeURIComponent(key)}`, headers: { authorization: `Token ${key}` } }, 'x');
  log.error({ error: new Error(`outer ${key}`, { cause: new Error(`inner ${key}`) }) }, 'failed');
  const output = lines.join('');
  assert.match(output, 'outer');
  assert.match(output, 'inner');
  for (const spelling of spellings) assert.not.ok(output.includes(spelling), `found ${spelling}`);
  for (const line of output.trim().split('\n')) JSON.parse(line);
});

test('keeps planted keys out of events', () => {
  const bus = new EventBus(new FakeClock());
  const events: GatewayEvent[] = [];
  bus.subscribe((event) => events.push(event));
  bus.emit('error', null, { code: 'ERR_PLATFORM_AUTH', message: `refused ${key}`, retryable: false });
  assert.is(events.length, 1);
  assert.is((events[0] as { message: string }).message, 'refused [redacted]');
});

test.run();
