import { Ajv2020 } from 'ajv/dist/2020.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EventBus, eventsJsonSchema, type GatewayEvent } from '../../src/core/events.ts';
import { FakeClock } from '../support/fake-clock.ts';

const test = suite('events');
const matches = new Ajv2020().compile(eventsJsonSchema());
const callId = '0b5e0d4e-6f0a-4d1e-9c3b-0a1b2c3d4e5f';

test('emits events that match the schema', () => {
  const bus = new EventBus(new FakeClock());
  const events: GatewayEvent[] = [];
  const unsubscribe = bus.subscribe((event) => events.push(event));
  bus.emit('call.started', callId, { ingress: 'sip', from: 'a', to: 'b', parameters: { x: '1' } });
  bus.emit('transcript.final', callId, {
    text: '',
    startMs: 0,
    endMs: 10.5,
    latencyMs: 3,
    utterances: [{ id: 'u', startMs: 0, endMs: 10.5 }],
  });
  bus.emit('call.ended', callId, { reason: 'mediaTimeout' });
  bus.emit('error', null, { code: 'ERR_ABORTED', message: 'm', retryable: false });
  unsubscribe();
  bus.emit('call.answered', callId, {});
  assert.is(events.length, 4);
  for (const event of events) assert.ok(matches(event), JSON.stringify([event, matches.errors]));
  assert.is(events[0]!.at, '2023-11-14T22:13:20.000Z');
});

test('has a schema that refuses what is not an event', () => {
  const good = { type: 'call.ended', at: '2026-01-01T00:00:00.000Z', callId, reason: 'caller' };
  assert.ok(matches(good));
  for (const bad of [
    { ...good, reason: 'bored' },
    { ...good, callId: 'x' },
    { ...good, at: '2026-01-01' },
    { ...good, extra: 1 },
    { type: 'call.ended', at: good.at, callId },
    { type: 'error', at: good.at, callId, code: 'ERR_INVENTED', message: '', retryable: true },
  ]) {
    assert.not.ok(matches(bad), JSON.stringify(bad));
  }
});

test.run();
