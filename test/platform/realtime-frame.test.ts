import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readRealtimeMessage } from '../../src/platform/realtime-frame.ts';

const test = suite('realtime frame');

test('every text that is not an object with a string type is the transcript, as it is', () => {
  for (const text of [
    'مرحبا',
    '',
    ' spaced ',
    '123',
    'true',
    'null',
    '[]',
    '"x"',
    '{}',
    '{"type":1}',
    '{broken',
    '{"a":"b"}',
    '[1,2]',
  ]) {
    assert.equal(readRealtimeMessage(text), { kind: 'transcript', text });
  }
});

test('an object with a string type is a frame', () => {
  for (const type of ['info', 'ack', 'end', 'response', 'news']) {
    assert.equal(readRealtimeMessage(JSON.stringify({ type, payload: {} })), { kind: 'frame', type });
  }
  assert.equal(readRealtimeMessage(' \n{"type":"info"}'), { kind: 'frame', type: 'info' });
});

test('the prose of an error is found in each shape', () => {
  const prose = 'Invalid payload';
  for (const frame of [{ payload: { message: prose } }, { message: prose }, { payload: prose }]) {
    assert.equal(readRealtimeMessage(JSON.stringify({ type: 'error', ...frame })), { kind: 'error', prose });
  }
  assert.is(readRealtimeMessage('{"type":"error","payload":{"message":5}}').kind, 'error');
});

test('bracketed upper-case markers are never a transcript', () => {
  for (const text of ['[THINKING]', ' [THINKING]\n', '[NO_SPEECH]', '[PLEASE WAIT]', '[S2]']) {
    assert.equal(readRealtimeMessage(text), { kind: 'marker' });
  }
  for (const text of ['[thinking]', '[THINKING] yes', 'THINKING', '[ثانية]', '[1]']) {
    assert.equal(readRealtimeMessage(text), { kind: 'transcript', text });
  }
});

test.run();
