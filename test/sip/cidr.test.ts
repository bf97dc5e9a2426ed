import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CidrList } from '../../src/sip/cidr.ts';

const test = suite('CIDR list');

test('an empty list is loopback and nothing else', () => {
  const list = new CidrList([]);
  for (const address of ['127.0.0.1', '127.255.0.9', '::1']) assert.ok(list.contains(address), address);
  for (const address of ['128.0.0.1', '10.0.0.1', '::2', '']) assert.not(list.contains(address), address);
});

test('takes networks and single addresses of both families', () => {
  const list = new CidrList(['10.1.0.0/16', ' 192.0.2.7', '2001:db8::/32', 'fe80::1']);
  for (const address of ['10.1.255.255', '192.0.2.7', '2001:db8:ffff::1', 'fe80::1']) {
    assert.ok(list.contains(address), address);
  }
  for (const address of ['10.2.0.0', '192.0.2.8', '2001:db9::', 'fe80::2', '127.0.0.1', 'localhost']) {
    assert.not(list.contains(address), address);
  }
});

test('counts from the network, whatever host bits are written', () => {
  assert.ok(new CidrList(['10.1.2.3/8']).contains('10.200.0.1'));
});

test('a prefix of 0 is everybody of that family', () => {
  const list = new CidrList(['0.0.0.0/0']);
  assert.ok(list.contains('203.0.113.9'));
  assert.not(list.contains('2001:db8::1'));
});

for (const entry of [
  '',
  '10.0.0.0/33',
  '::/129',
  '10.0.0/8',
  'example.com',
  '10.0.0.0/',
  '10.0.0.0/8/8',
  '10.0.0.0/-1',
  '10.0.0.0/x',
]) {
  test(`refuses '${entry}'`, () => {
    assert.throws(
      () => new CidrList([entry]),
      (error: { code?: string }) => error.code === 'ERR_SETTINGS_INVALID',
    );
  });
}

test.run();
