import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseNameAddress, serializeNameAddress } from '../../src/sip/name-address.ts';
import { buildResponse } from '../../src/sip/response.ts';
import { echoed, serializeMessage } from '../../src/sip/serialize.ts';
import { asRequest, header, PEER, request, startAgent } from './wire.ts';

const test = suite('SIP serializer');

test('writes start line, fields, Content-Length in bytes and body', () => {
  const body = Buffer.from('é');
  const bytes = serializeMessage('INFO sip:h SIP/2.0', [{ name: 'Subject', value: 'ÿ سالم' }], body);
  assert.is(bytes.toString('utf8'), 'INFO sip:h SIP/2.0\r\nSubject: ÿ سالم\r\nContent-Length: 2\r\n\r\né');
});

for (const [what, value] of Object.entries({ CR: 'a\rb', LF: 'a\nVia: x', NUL: 'a\0b', CRLF: 'a\r\n b' })) {
  test(`lets no ${what} into a field, a start line or a reason`, () => {
    assert.throws(() => serializeMessage('X', [{ name: 'Subject', value }]), TypeError);
    assert.throws(() => serializeMessage(value, []), TypeError);
    const message = asRequest(request());
    assert.throws(() => buildResponse(message, PEER, 486, { reason: value }), TypeError);
  });
}

test('lets nothing but a token be the name of a field', () => {
  for (const name of ['', 'a b', 'a:b', 'a\r\nb']) {
    assert.throws(() => serializeMessage('X', [{ name, value: '1' }]), TypeError);
  }
});

test('keeps letters whose code ends in that of a line feed', () => {
  const bytes = serializeMessage('X', [{ name: 'Subject', value: 'čĊ' }]);
  assert.is(bytes.toString('utf8').split('\n').length, 5);
});

test('makes a space of what must not be echoed, so that quoted pairs stay pairs', () => {
  assert.is(echoed('"a\\\0" <sip:x>'), '"a\\ " <sip:x>');
});

test('quotes a display name so that it can not end early', () => {
  const address = parseNameAddress('<sip:a@h>');
  const text = serializeNameAddress({ ...address, displayName: 'x" <sip:evil@h>;tag=1, "y\\' });
  assert.is(parseNameAddress(text).displayName, 'x" <sip:evil@h>;tag=1, "y\\');
  assert.is(parseNameAddress(text).uri.text, 'sip:a@h');
});

test('echoes hostile fields of the peer without giving them a line of their own', async () => {
  const { wire, agent } = await startAgent();
  const hostile = '"a\\\0b\u2028c" <sip:a@h>;x="\\\0;tag=fake"';
  wire.receive(
    [
      'OPTIONS sip:g@h SIP/2.0',
      'Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKh;x="\\\0, y"',
      `From: ${hostile};tag=1`,
      `To: ${hostile}`,
      'Call-ID: h',
      'CSeq: 1 OPTIONS',
      `Record-Route: "\\\0" <sip:p@h;lr>`,
      '',
      '',
    ].join('\r\n'),
  );
  const answer = wire.takeOne();
  assert.ok(answer.startsWith('SIP/2.0 200 OK\r\n'));
  assert.not.match(answer, /\0/);
  assert.is(header(answer, 'From'), '"a\\ b\u2028c" <sip:a@h>;x="\\ ;tag=fake";tag=1');
  assert.match(header(answer, 'To') ?? '', /^"a\\ b\u2028c" <sip:a@h>;x="\\ ;tag=fake";tag=[0-9a-f]{24}$/);
  assert.is(header(answer, 'Via'), 'SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKh;x="\\ , y"');
  await agent.close();
});

test('echoes the broken fields of a request that is refused in one line each', async () => {
  const { wire, agent } = await startAgent();
  wire.receive('OPTIONS sip:g@h SIP/2.0\r\nVia: ;;\rX: 1\r\nVia: b\0\nY: 2\r\nFrom: "\r\nCall-ID: \0\r\n\r\n');
  for (const { text } of wire.take()) assert.not.match(text, /\0|\r(?!\n)|(?<!\r)\n/);
  wire.receive('OPTIONS sip:g@h SIP/2.0\r\nVia: ;;\r\nFrom: "\\\0\r\nTo: "\r\nCall-ID: a b\r\nCSeq: x\r\n\r\n');
  assert.is(
    wire.takeOne(),
    'SIP/2.0 400 Bad Via\r\nVia: ;;\r\nFrom: "\\ \r\nTo: "\r\nCall-ID: a b\r\nCSeq: x\r\nContent-Length: 0\r\n\r\n',
  );
  await agent.close();
});

test.run();
