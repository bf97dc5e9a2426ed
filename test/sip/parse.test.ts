import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { contentType, fieldValue, fieldValues, listValues, type ParsedMessage } from '../../src/sip/message.ts';
import { MAX_HEADER_FIELDS, MAX_MESSAGE_BYTES, parseMessage } from '../../src/sip/parse.ts';
import { asRequest, asResponse } from './wire.ts';

const test = suite('SIP parser');

const BASE = [
  'Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1',
  'From: <sip:a@example.com>;tag=1',
  'To: <sip:b@example.com>',
  'Call-ID: x@192.0.2.7',
  'CSeq: 7 OPTIONS',
];

/** An OPTIONS; a line given replaces the one of the same name. */
function options(lines: readonly string[] = [], body = ''): string {
  const names = lines.map((line) => line.split(':')[0]?.trim());
  const kept = BASE.filter((line) => !names.includes(line.split(':')[0]));
  return ['OPTIONS sip:b@example.com SIP/2.0', ...kept, ...lines, '', body].join('\r\n');
}

function parse(text: string): ParsedMessage {
  return parseMessage(Buffer.from(text));
}

test('reads the fields that every message has', () => {
  const message = asRequest(options());
  assert.is(message.method, 'OPTIONS');
  assert.is(message.uri.text, 'sip:b@example.com');
  assert.is(message.callId, 'x@192.0.2.7');
  assert.equal(message.cseq, { number: 7, method: 'OPTIONS' });
  assert.is(message.topVia.branch, 'z9hG4bK1');
  assert.is(message.body.length, 0);
});

test('understands compact forms, any case and white space before the colon', () => {
  const text = [
    'OPTIONS sip:b@example.com SIP/2.0',
    'v : SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1',
    'F\t:<sip:a@example.com>;tag=1',
    't: <sip:b@example.com>',
    'I: x',
    'cSEQ: 7 OPTIONS',
    'k: timer, 100rel',
    'c: text/plain',
    'l: 2',
    '',
    'hi',
  ].join('\r\n');
  const message = asRequest(text);
  assert.is(message.callId, 'x');
  assert.equal(listValues(message, 'supported'), ['timer', '100rel']);
  assert.is(contentType(message), 'text/plain');
  assert.is(Buffer.from(message.body).toString(), 'hi');
});

test('joins folded lines with one space', () => {
  const message = asRequest(options(['Subject: I know\r\n \t you are there,\r\n  pick up']));
  assert.is(fieldValue(message, 'subject'), 'I know you are there, pick up');
});

test('reads lists over several lines and commas, but not commas in quotes or angle brackets', () => {
  const lines = ['Contact: "a, b" <sip:x@h;p=1>, <sip:y,z@h>', 'Contact: sip:w@h;q=0.5'];
  const message = asRequest(options(lines));
  assert.equal(
    message.contacts.map(({ uri }) => uri.text),
    ['sip:x@h;p=1', 'sip:y,z@h', 'sip:w@h'],
  );
  assert.is(message.contacts[0]?.displayName, 'a, b');
  assert.is(message.contacts[2]?.parameters.get('q'), '0.5');
});

test('resolves quoted pairs in display names', () => {
  const message = asRequest(options(['From: "a \\"b\\" \\\\c" <sip:a@example.com>;tag=1']));
  assert.is(message.from.displayName, 'a "b" \\c');
});

test('takes a display name beyond ASCII with and without quotes', () => {
  assert.is(asRequest(options(['From: "سالم" <sip:a@h>;tag=1'])).from.displayName, 'سالم');
  assert.is(asRequest(options(['From: سالم José <sip:a@h>;tag=1'])).from.displayName, 'سالم José');
});

test('reads a message that is not UTF-8 as Latin-1', () => {
  const message = parseMessage(Buffer.from(options(['From: "José" <sip:a@h>;tag=1']), 'latin1'));
  assert.is(message.kind === 'request' && message.from.displayName, 'José');
});

test('keeps header fields and methods that it does not know', () => {
  const message = asRequest(
    options(['CSeq: 7 FOO', 'X-Anything: a;b=c, d', 'x-anything: e']).replace('OPTIONS', 'FOO'),
  );
  assert.is(message.method, 'FOO');
  assert.equal(fieldValues(message, 'x-anything'), ['a;b=c, d', 'e']);
});

test('skips empty lines before the start line', () => {
  assert.is(parse(`\r\n\r\n${options()}`).kind, 'request');
});

test('takes empty lines alone for a keep-alive', () => {
  assert.is(parse('\r\n\r\n').kind, 'keep-alive');
  assert.is(parse('').kind, 'keep-alive');
});

test('drops bytes past Content-Length and takes all without it', () => {
  const type = 'Content-Type: text/plain';
  assert.is(asRequest(options([type, 'Content-Length: 3'], 'abcdef')).body.length, 3);
  assert.is(asRequest(options([type], 'abcdef')).body.length, 6);
});

test('takes a response and its reason', () => {
  const text = ['SIP/2.0 480 Busy, or asleep', ...BASE, '', ''].join('\r\n');
  const message = asResponse(text);
  assert.is(message.status, 480);
  assert.is(message.reason, 'Busy, or asleep');
  assert.is(asResponse(text.replace(' Busy, or asleep', '')).reason, '');
});

test('takes a From without a tag, a tel URI and an IPv6 host', () => {
  const lines = ['From: <tel:+15551234;phone-context=x>', 'To: <sip:b@[2001:db8::1]:5061>'];
  const message = asRequest(
    options([...lines, 'Via: SIP/2.0/UDP [2001:db8::2]:5060;received=2001:db8::3;branch=z9hG4bK2']),
  );
  assert.is(message.from.uri.scheme, 'tel');
  assert.is(message.to.uri.host, '[2001:db8::1]');
  assert.is(message.topVia.parameters.get('received'), '2001:db8::3');
});

const BAD: Readonly<Record<string, string>> = {
  'no CSeq': options().replace(/CSeq.*\r\n/, ''),
  'no Call-ID': options().replace(/Call-ID.*\r\n/, ''),
  'no From': options().replace(/From.*\r\n/, ''),
  'no To': options().replace(/To.*\r\n/, ''),
  'a CSeq of another method': options(['CSeq: 7 INVITE']),
  'a CSeq of 2^31': options(['CSeq: 2147483648 OPTIONS']),
  'a CSeq with a sign': options(['CSeq: -1 OPTIONS']),
  'two Call-IDs': options(['Call-ID: x', 'i: x']),
  'a Call-ID with a space': options(['Call-ID: a b']),
  'a Max-Forwards of 256': options(['Max-Forwards: 256']),
  'a Content-Length of no number': options(['Content-Length: 1x']),
  'a body shorter than Content-Length': options(['Content-Type: a/b', 'Content-Length: 4'], 'abc'),
  'a body without a Content-Type': options([], 'abc'),
  'a Content-Type that is none': options(['Content-Type: text'], 'abc'),
  'a lone line feed': options(['Subject: a\nVia: b']),
  'a lone carriage return': options(['Subject: a\rb']),
  'a NUL outside a quoted pair': options(['Subject: a\0b']),
  'a header line without a colon': options(['Nonsense']),
  'a header name with a space inside': options(['X Y: 1']),
  'a repeated header parameter': options(['From: <sip:a@h>;tag=1;tag=2']),
  'a quoted tag': options(['From: <sip:a@h>;tag="1"']),
  'an empty parameter': options(['From: <sip:a@h>;;tag=1']),
  'text behind the angle bracket': options(['From: <sip:a@h>x;tag=1']),
  'quotes that never end': options(['From: "a <sip:a@h>;tag=1']),
  'an angle bracket that never ends': options(['From: <sip:a@h;tag=1']),
  'an empty list element': options(['Contact: <sip:a@h>,,<sip:b@h>']),
  'a port beyond 65535': options(['From: <sip:a@h:65536>;tag=1']),
  'a host with a space': options(['From: <sip:a@h h>;tag=1']),
  'an escape of one digit': options(['From: <sip:%4@h>;tag=1']),
  'a repeated URI parameter': options(['From: <sip:a@h;x=1;x=2>;tag=1']),
  'a route that is no SIP URI': options(['Route: <http://h>']),
  'a tab in the request line': options().replace('OPTIONS ', 'OPTIONS\t'),
  'no end of headers': options().trimEnd(),
  'a Via without a transport': options(['Via: SIP/2.0 192.0.2.7']),
};

for (const [defect, text] of Object.entries(BAD)) {
  test(`refuses ${defect} and says whom to tell`, () => {
    const message = parse(text);
    assert.is(message.kind, 'bad-request');
    if (message.kind !== 'bad-request') return;
    assert.is(message.status, 400);
    assert.is(message.topVia === undefined, defect === 'a Via without a transport');
  });
}

test('answers another version with 505', () => {
  const message = parse(options().replace('SIP/2.0\r\n', 'SIP/3.0\r\n'));
  assert.is(message.kind === 'bad-request' && message.status, 505);
});

for (const [what, text] of Object.entries({
  'a request without a Via': options().replace(/Via.*\r\n/, ''),
  'a response without a CSeq': ['SIP/2.0 200 OK', ...BASE.slice(0, 4), '', ''].join('\r\n'),
  'a response of another version': ['SIP/3.0 200 OK', ...BASE, '', ''].join('\r\n'),
  'a response with a status of 700': ['SIP/2.0 700 OK', ...BASE, '', ''].join('\r\n'),
  'a response with a broken Via': ['SIP/2.0 200 OK', ...BASE.slice(1), 'Via: ;', '', ''].join('\r\n'),
  'an HTTP request': 'GET / HTTP/1.1\r\nVia: SIP/2.0/UDP h\r\nHost: h\r\n\r\n',
  'a request whose first header line is a continuation': options().replace('\r\nVia', '\r\n Via'),
  'a single byte': 'x',
  'a start line alone': 'OPTIONS sip:b@example.com SIP/2.0\r\n\r\n',
})) {
  test(`drops ${what}`, () => assert.is(parse(text).kind, 'unparseable'));
}

test(`takes ${MAX_HEADER_FIELDS} header fields and no more`, () => {
  const extra = Array.from({ length: MAX_HEADER_FIELDS - BASE.length }, (_, i) => `X-${i}: 1`);
  assert.is(parse(options(extra)).kind, 'request');
  assert.is(parse(options([...extra, 'X: 1'])).kind, 'bad-request');
});

test('takes as many bytes as UDP carries and no more', () => {
  const room = MAX_MESSAGE_BYTES - options(['Subject: ']).length;
  assert.is(parse(options([`Subject: ${'x'.repeat(room)}`])).kind, 'request');
  assert.is(parse(options([`Subject: ${'x'.repeat(room + 1)}`])).kind, 'unparseable');
});

test('stays fast on text made to be slow', () => {
  const size = 60_000;
  const hostile = [
    `${' '.repeat(size)}x`,
    '"\\'.repeat(size / 2),
    '<'.repeat(size),
    `${'a '.repeat(size / 2)}<`,
    ';a'.repeat(size / 2),
    `sip:${'%41'.repeat(size / 3)}%`,
    `${'(SIP/2.0 '.repeat(size / 9)}`,
    ','.repeat(size),
  ];
  const startMs = performance.now();
  for (const text of hostile) {
    for (const name of ['Via', 'From', 'Contact', 'Call-ID', 'Content-Type', 'Date', 'CSeq', 'Subject']) {
      parse(options([`${name}: ${text}`]));
    }
    parse(options().replace('sip:b@example.com SIP', `${text} SIP`));
    parse(text);
  }
  assert.ok(performance.now() - startMs < 5_000, `${performance.now() - startMs} ms for 80 messages of 60 kB`);
});

test.run();
