import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { callParameters } from '../../src/ingress/sip/call-parameters.ts';

const test = suite('parameters of a SIP call');
const field = (name: string, value: string): { name: string; value: string } => ({ name, value });

test('are the header fields that begin with X-, named as placeholders are', () => {
  const fields = [
    field('from', '<sip:a@b>'),
    field('x-customer-id', '7'),
    field('user-agent', 'phone'),
    field('x-queue', 'سلام; q=1'),
    field('x-customer-id', 'second'),
  ];
  assert.equal(callParameters(fields), { customer_id: '7', queue: 'سلام; q=1' });
});

test('are absent where there is none', () => {
  assert.is(
    callParameters([field('from', '<sip:a@b>'), field('x-', ''), field('x--a', '1'), field('xa', '1')]),
    undefined,
  );
});

test('are 32 of a thousand characters at most, and nothing but parameters', () => {
  const fields = Array.from({ length: 100 }, (_, n) => field(`x-field-${n}`, 'v'.repeat(5_000)));
  const parameters = callParameters([
    field(`x-${'n'.repeat(65)}`, 'too long a name'),
    field('x-__proto__', '1'),
    ...fields,
  ])!;
  assert.is(Object.keys(parameters).length, 32);
  assert.is(parameters['field_31']?.length, 1_000);
  assert.equal(Object.getPrototypeOf(parameters), Object.prototype);
});

test.run();
