import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isSipUri, parseUri, type SipUri, uriEndpoint, uriUser } from '../../src/sip/uri.ts';

const test = suite('SIP URI');

function sip(text: string): SipUri {
  const uri = parseUri(text);
  assert.ok(isSipUri(uri));
  return uri as SipUri;
}

test('takes a full URI apart', () => {
  const uri = sip('sip:alice:secret@atlanta.example.com:5070;transport=udp;lr?subject=a%20b&priority=urgent');
  assert.is(uri.user, 'alice');
  assert.is(uri.host, 'atlanta.example.com');
  assert.is(uri.port, 5070);
  assert.equal(
    [...uri.parameters],
    [
      ['transport', 'udp'],
      ['lr', ''],
    ],
  );
  assert.ok(uri.hasHeaders);
});

test('knows where an address points and that a name does not', () => {
  assert.equal(uriEndpoint(sip('sip:a@192.0.2.1')), { address: '192.0.2.1', port: 5060 });
  assert.equal(uriEndpoint(sip('sip:[2001:db8::1]:5070')), { address: '2001:db8::1', port: 5070 });
  assert.equal(uriEndpoint(sip('sip:a@example.com;maddr=192.0.2.9')), { address: '192.0.2.9', port: 5060 });
  assert.is(uriEndpoint(sip('sip:a@example.com:5060')), undefined);
});

for (const [text, user] of Object.entries({
  'sip:%2B1555@h': '+1555',
  'sip:+1555@h': '+1555',
  'tel:+1-555;phone-context=example.com': '+1-555',
  'sip:a%ff@h': 'a%ff',
  'sip:h': undefined,
  'http://example.com/x': undefined,
})) {
  test(`'${text}' names ${user}`, () => assert.is(uriUser(parseUri(text)), user));
}

for (const text of [
  '',
  'sip:',
  'sip:@h',
  'sip:a@',
  'sip:a@h:',
  'sip:a@h:99999',
  'sip:a b@h',
  'sip:a@h;',
  'sip:a@h;=1',
  'sip:a@h?',
  'sip:a@h?x',
  'sip:a@[::1',
  'sip:a@h\r\n',
  'sip:a<b>@h',
  'alice@example.com',
  '1sip:a@h',
]) {
  test(`refuses '${JSON.stringify(text)}'`, () => assert.throws(() => parseUri(text)));
}

test.run();
