import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseSdp, serializeSdp } from '../../src/sip/sdp.ts';

const test = suite('SDP');

const FULL = [
  'v=0',
  'o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1',
  's=Call to John Smith',
  'i=SDP Offer #1',
  'u=http://www.jdoe.example.com/home.html',
  'e=Jane Doe <jane@jdoe.example.com>',
  'p=+1 617 555-6011',
  'c=IN IP4 198.51.100.1',
  'b=AS:64',
  't=3724394400 3724398000',
  'a=recvonly',
  'm=audio 49170 RTP/AVP 0 8 101',
  'c=IN IP4 198.51.100.2',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-16',
  'm=video 49180/2 RTP/SAVP 31',
  'c=IN IP6 2001:db8::2',
  '',
].join('\r\n');

test('reads what negotiation needs', () => {
  assert.equal(parseSdp(FULL), {
    origin: 'jdoe 3724394400 3724394405 IN IP4 198.51.100.1',
    connection: { addressType: 'IP4', address: '198.51.100.1' },
    timing: '3724394400 3724398000',
    attributes: [{ name: 'recvonly', value: undefined }],
    media: [
      {
        type: 'audio',
        port: 49170,
        protocol: 'RTP/AVP',
        formats: ['0', '8', '101'],
        connection: { addressType: 'IP4', address: '198.51.100.2' },
        attributes: [
          { name: 'rtpmap', value: '101 telephone-event/8000' },
          { name: 'fmtp', value: '101 0-16' },
        ],
      },
      {
        type: 'video',
        port: 49180,
        protocol: 'RTP/SAVP',
        formats: ['31'],
        connection: { addressType: 'IP6', address: '2001:db8::2' },
        attributes: [],
      },
    ],
  });
});

test('writes in the order of RFC 8866 and reads it back the same', () => {
  const session = parseSdp(FULL);
  const text = serializeSdp(session);
  assert.is(
    text,
    [
      'v=0',
      'o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1',
      's=-',
      'c=IN IP4 198.51.100.1',
      't=3724394400 3724398000',
      'a=recvonly',
      'm=audio 49170 RTP/AVP 0 8 101',
      'c=IN IP4 198.51.100.2',
      'a=rtpmap:101 telephone-event/8000',
      'a=fmtp:101 0-16',
      'm=video 49180 RTP/SAVP 31',
      'c=IN IP6 2001:db8::2',
      '',
    ].join('\r\n'),
  );
  assert.equal(parseSdp(text), session);
});

test('forgives line feeds alone, no last line end, no s= and no t=', () => {
  const session = parseSdp('v=0\no=- 1 1 IN IP4 192.0.2.1\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0');
  assert.is(session.timing, '0 0');
  assert.is(session.media[0]?.port, 4000);
});

test('takes a multicast address with its time to live and a name', () => {
  const read = (c: string): string | undefined => parseSdp(`v=0\r\no=- 1 1 IN IP4 h\r\nc=${c}\r\n`).connection?.address;
  assert.is(read('IN IP4 233.252.0.1/127'), '233.252.0.1');
  assert.is(read('IN IP4 media.example.com'), 'media.example.com');
});

const HEAD = 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n';

for (const [what, text] of Object.entries({
  nothing: '',
  'another version': 'v=1\r\no=- 1 1 IN IP4 h\r\n',
  'no origin': 'v=0\r\ns=-\r\n',
  'a line without =': `${HEAD}hello\r\n`,
  'an empty line': `${HEAD}\r\na=x\r\n`,
  'a NUL': `${HEAD}a=x\0y\r\n`,
  'a lone carriage return': `${HEAD}a=x\ry\r\n`,
  'a port beyond 65535': `${HEAD}m=audio 65536 RTP/AVP 0\r\n`,
  'a port that is no number': `${HEAD}m=audio x RTP/AVP 0\r\n`,
  'media without formats': `${HEAD}m=audio 4000 RTP/AVP\r\n`,
  'an address that is none': `${HEAD}c=IN IP4 192.0.2.300\r\n`,
  'a connection without a type': `${HEAD}c=IN 192.0.2.1\r\n`,
  'more than 32 media': HEAD + 'm=audio 4000 RTP/AVP 0\r\n'.repeat(33),
  'more than 128 formats': `${HEAD}m=audio 4000 RTP/AVP${' 0'.repeat(129)}\r\n`,
  'more than 1,000 lines': HEAD + 'a=x\r\n'.repeat(1000),
  'more than 32 KiB': `${HEAD}a=${'x'.repeat(32_768)}\r\n`,
})) {
  test(`refuses ${what}`, () => {
    assert.throws(
      () => parseSdp(text),
      (error: { code?: string }) => error.code === 'ERR_SDP_INVALID',
    );
  });
}

test.run();
