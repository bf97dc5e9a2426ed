import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type LocalAudio, makeOffer, type NegotiatedAudio, negotiate, readAnswer } from '../../src/sip/offer-answer.ts';
import { parseSdp } from '../../src/sip/sdp.ts';
import { SdpOrigin } from '../../src/sip/sdp-origin.ts';

const test = suite('offer and answer');

function local(): LocalAudio {
  return { origin: new SdpOrigin(), localAddress: '198.51.100.1', rtpPort: 20000 };
}

function offer(...lines: string[]): string {
  return ['v=0', 'o=- 1 1 IN IP4 192.0.2.7', 's=-', 'c=IN IP4 192.0.2.7', 't=0 0', ...lines, ''].join('\r\n');
}

function answerTo(...lines: string[]): NegotiatedAudio {
  return negotiate(parseSdp(offer(...lines)), local());
}

/** Lines of an answer from `m=` on. */
function mediaLines(sdp: string): string[] {
  return sdp.slice(sdp.indexOf('m=')).trimEnd().split('\r\n');
}

const TELEPHONE_EVENT = ['a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-16'];

test('answers with the whole description', () => {
  const { answerSdp, ...audio } = answerTo('m=audio 40000 RTP/AVP 0 8 101', ...TELEPHONE_EVENT, 'a=ptime:30');
  assert.match(
    answerSdp,
    /^v=0\r\no=- \d+ 1 IN IP4 198\.51\.100\.1\r\ns=-\r\nc=IN IP4 198\.51\.100\.1\r\nt=0 0\r\nm=audio 20000 RTP\/AVP 0 101\r\na=rtpmap:0 PCMU\/8000\r\na=rtpmap:101 telephone-event\/8000\r\na=fmtp:101 0-16\r\na=ptime:30\r\na=sendrecv\r\n$/,
  );
  assert.equal(audio, {
    remoteRtp: { address: '192.0.2.7', port: 40000 },
    remoteRtcp: { address: '192.0.2.7', port: 40001 },
    codec: { name: 'PCMU', payloadType: 0, clockRate: 8000 },
    telephoneEventPayloadType: 101,
    telephoneEvents: '0-16',
    ptimeMs: 30,
    direction: 'sendrecv',
  });
});

for (const [formats, name] of [
  ['0 8', 'PCMU'],
  ['8 0', 'PCMA'],
  ['18 3 8 0', 'PCMA'],
]) {
  test(`takes the first it knows of '${formats}', in the offer's order`, () => {
    assert.is(answerTo(`m=audio 40000 RTP/AVP ${formats}`).codec.name, name);
  });
}

test('takes codecs in the order of the offer even when ours is another', () => {
  const codecs = [{ name: 'PCMA', payloadType: 8, clockRate: 8000 }] as const;
  const only = negotiate(parseSdp(offer('m=audio 40000 RTP/AVP 0 8')), { ...local(), codecs });
  assert.is(only.codec.name, 'PCMA');
});

test('finds a codec by its rtpmap under a dynamic payload type and answers with that number', () => {
  const { codec, answerSdp } = answerTo(
    'm=audio 40000 RTP/AVP 96 97',
    'a=rtpmap:96 opus/48000/2',
    'a=rtpmap:97 pcma/8000/1',
  );
  assert.equal(codec, { name: 'PCMA', payloadType: 97, clockRate: 8000 });
  assert.equal(mediaLines(answerSdp).slice(0, 2), ['m=audio 20000 RTP/AVP 97', 'a=rtpmap:97 PCMA/8000']);
});

test('believes the rtpmap of a static payload type', () => {
  assert.throws(() => answerTo('m=audio 40000 RTP/AVP 0', 'a=rtpmap:0 GSM/8000'));
  assert.throws(() => answerTo('m=audio 40000 RTP/AVP 0', 'a=rtpmap:0 PCMU/16000'));
  assert.throws(() => answerTo('m=audio 40000 RTP/AVP 0', 'a=rtpmap:0 PCMU/8000/2'));
});

test('finds telephone-event under any number at the codec’s clock rate only', () => {
  const { telephoneEventPayloadType, answerSdp } = answerTo(
    'm=audio 40000 RTP/AVP 0 110 96',
    'a=rtpmap:110 telephone-event/48000',
    'a=rtpmap:96 Telephone-Event/8000',
    'a=fmtp:96 0-15',
  );
  assert.is(telephoneEventPayloadType, 96);
  assert.ok(mediaLines(answerSdp).includes('a=fmtp:96 0-15'));
});

test('offers no telephone-event back when there was none', () => {
  const { telephoneEventPayloadType, answerSdp } = answerTo('m=audio 40000 RTP/AVP 0');
  assert.is(telephoneEventPayloadType, undefined);
  assert.equal(mediaLines(answerSdp), ['m=audio 20000 RTP/AVP 0', 'a=rtpmap:0 PCMU/8000', 'a=ptime:20', 'a=sendrecv']);
});

test('names events 0-15 to a peer whose telephone-event has no fmtp', () => {
  const { answerSdp } = answerTo('m=audio 40000 RTP/AVP 0 101', 'a=rtpmap:101 telephone-event/8000');
  assert.ok(mediaLines(answerSdp).includes('a=fmtp:101 0-15'));
});

for (const [lines, ptimeMs] of [
  [[], 20],
  [['a=ptime:10'], 10],
  [['a=ptime:60'], 60],
  [['a=ptime:25'], 20],
  [['a=ptime:5'], 10],
  [['a=ptime:200'], 60],
  [['a=ptime:0'], 20],
  [['a=ptime:x'], 20],
  [['a=maxptime:40'], 20],
  [['a=maxptime:10'], 10],
  [['a=ptime:60', 'a=maxptime:30'], 30],
] as const) {
  test(`packets last ${ptimeMs} ms for '${lines.join(' ')}', and the answer says so`, () => {
    const answer = answerTo('m=audio 40000 RTP/AVP 0', ...lines);
    assert.is(answer.ptimeMs, ptimeMs);
    assert.ok(mediaLines(answer.answerSdp).includes(`a=ptime:${ptimeMs}`));
  });
}

for (const [offered, direction] of [
  ['sendrecv', 'sendrecv'],
  ['sendonly', 'recvonly'],
  ['recvonly', 'sendonly'],
  ['inactive', 'inactive'],
]) {
  test(`answers ${offered} with ${direction}, from the media or the session`, () => {
    assert.is(answerTo('m=audio 40000 RTP/AVP 0', `a=${offered}`).direction, direction);
    const answer = answerTo(`a=${offered}`, 'm=audio 40000 RTP/AVP 0');
    assert.is(answer.direction, direction);
    assert.is(mediaLines(answer.answerSdp).at(-1), `a=${direction}`);
  });
}

test('the direction of the media goes before that of the session', () => {
  assert.is(answerTo('a=inactive', 'm=audio 40000 RTP/AVP 0', 'a=sendonly').direction, 'recvonly');
});

for (const [offered, direction] of [
  ['sendrecv', 'recvonly'],
  ['sendonly', 'recvonly'],
  ['recvonly', 'inactive'],
  ['inactive', 'inactive'],
]) {
  test(`holds with c=0.0.0.0 and ${offered}: nothing is sent, the answer is ${direction}`, () => {
    const answer = answerTo('m=audio 40000 RTP/AVP 0', 'c=IN IP4 0.0.0.0', `a=${offered}`);
    assert.is(answer.direction, direction);
    assert.is(answer.remoteRtp, undefined);
    assert.is(answer.remoteRtcp, undefined);
  });
}

test('the address of the media goes before that of the session', () => {
  const { remoteRtp } = answerTo('m=audio 40000 RTP/AVP 0', 'c=IN IP4 192.0.2.99');
  assert.equal(remoteRtp, { address: '192.0.2.99', port: 40000 });
});

for (const [attribute, expected] of [
  ['a=rtcp:50001', { address: '192.0.2.7', port: 50001 }],
  ['a=rtcp:50001 IN IP4 192.0.2.8', { address: '192.0.2.8', port: 50001 }],
  ['a=rtcp:50001 IN IP6 2001:db8::1', { address: '192.0.2.7', port: 40001 }],
  ['a=rtcp:50001 IN IP4 224.0.0.1', undefined],
  ['a=rtcp:70000', undefined],
] as const) {
  test(`RTCP goes where '${attribute}' says (RFC 3605)`, () => {
    assert.equal(answerTo('m=audio 40000 RTP/AVP 0', attribute).remoteRtcp, expected);
  });
}

test('the first audio that can be served wins, everything else is refused with port 0 in its place', () => {
  const { answerSdp, remoteRtp } = answerTo(
    'm=video 30000 RTP/AVP 31 99',
    'm=audio 30002 RTP/SAVP 0',
    'm=audio 0 RTP/AVP 0',
    'm=audio 30004 RTP/AVP 18',
    'm=audio 40000 RTP/AVP 8',
    'm=audio 30006 RTP/AVP 0',
    'm=application 30008 UDP/BFCP *',
  );
  assert.equal(remoteRtp, { address: '192.0.2.7', port: 40000 });
  assert.equal(
    mediaLines(answerSdp).filter((line) => line.startsWith('m=')),
    [
      'm=video 0 RTP/AVP 31 99',
      'm=audio 0 RTP/SAVP 0',
      'm=audio 0 RTP/AVP 0',
      'm=audio 0 RTP/AVP 18',
      'm=audio 20000 RTP/AVP 8',
      'm=audio 0 RTP/AVP 0',
      'm=application 0 UDP/BFCP *',
    ],
  );
});

test('an answer leaves rtcp-mux, ICE and cryptography out', () => {
  const { answerSdp } = answerTo('m=audio 40000 RTP/AVP 0', 'a=rtcp-mux', 'a=ice-ufrag:x', 'a=setup:actpass');
  assert.not.match(answerSdp, /mux|ice|setup/);
});

test('an answer repeats the timing of the offer', () => {
  const text = offer('m=audio 40000 RTP/AVP 0').replace('t=0 0', 't=3034423619 3042462419');
  assert.match(negotiate(parseSdp(text), local()).answerSdp, /\r\nt=3034423619 3042462419\r\n/);
});

for (const [what, lines] of Object.entries({
  'no media': [],
  'video alone': ['m=video 40000 RTP/AVP 31'],
  'SRTP alone': ['m=audio 40000 RTP/SAVP 0'],
  'feedback profile': ['m=audio 40000 RTP/AVPF 0'],
  'audio that is refused': ['m=audio 0 RTP/AVP 0'],
  'no codec that we know': ['m=audio 40000 RTP/AVP 18 9 101', ...TELEPHONE_EVENT],
  'an IPv6 address': ['m=audio 40000 RTP/AVP 0', 'c=IN IP6 2001:db8::1'],
  'a name for an address': ['m=audio 40000 RTP/AVP 0', 'c=IN IP4 media.example.com'],
  'a multicast address': ['m=audio 40000 RTP/AVP 0', 'c=IN IP4 233.252.0.1/127'],
  'a broadcast address': ['m=audio 40000 RTP/AVP 0', 'c=IN IP4 255.255.255.255'],
})) {
  test(`refuses ${what} with 488`, () => {
    assert.throws(
      () => answerTo(...lines),
      (error: { code?: string }) => error.code === 'ERR_SDP_NO_CODEC',
    );
  });
}

test('refuses an offer without any address', () => {
  const text = offer('m=audio 40000 RTP/AVP 0').replace('c=IN IP4 192.0.2.7\r\n', '');
  assert.throws(() => negotiate(parseSdp(text), local()));
});

test('the version grows by one when, and only when, something changes', () => {
  const side = local();
  const text = offer('m=audio 40000 RTP/AVP 0');
  const origin = (sdp: string): string[] => /o=- (\d+) (\d+)/.exec(sdp)?.slice(1) ?? [];
  const first = origin(negotiate(parseSdp(text), side).answerSdp);
  const same = origin(negotiate(parseSdp(text), side).answerSdp);
  const held = origin(negotiate(parseSdp(`${text}a=sendonly\r\n`), side).answerSdp);
  const resumed = origin(negotiate(parseSdp(text), side).answerSdp);
  assert.equal([first[1], same[1], held[1], resumed[1]], ['1', '1', '2', '3']);
  assert.equal(new Set([first[0], same[0], held[0], resumed[0]]).size, 1);
});

test('an offer has both codecs in our order, telephone-event and 20 ms', () => {
  const sdp = makeOffer(local());
  assert.equal(mediaLines(sdp), [
    'm=audio 20000 RTP/AVP 0 8 101',
    'a=rtpmap:0 PCMU/8000',
    'a=rtpmap:8 PCMA/8000',
    'a=rtpmap:101 telephone-event/8000',
    'a=fmtp:101 0-16',
    'a=ptime:20',
    'a=sendrecv',
  ]);
});

test('an offer can hold', () => {
  assert.is(mediaLines(makeOffer({ ...local(), direction: 'sendonly', ptimeMs: 30 })).at(-1), 'a=sendonly');
});

test('an answer of our own is read as the other side meant it', () => {
  const { answerSdp } = negotiate(parseSdp(makeOffer({ ...local(), direction: 'sendonly' })), {
    ...local(),
    localAddress: '192.0.2.50',
  });
  const audio = readAnswer(parseSdp(answerSdp));
  assert.equal(audio.remoteRtp, { address: '192.0.2.50', port: 20000 });
  assert.is(audio.direction, 'sendonly');
  assert.is(audio.codec.name, 'PCMU');
  assert.is(audio.telephoneEventPayloadType, 101);
});

test('an answer that refuses, or takes what was not offered, is no answer', () => {
  const code = (error: { code?: string }): boolean => error.code === 'ERR_SDP_NO_CODEC';
  for (const line of ['m=audio 0 RTP/AVP 0', 'm=audio 40000 RTP/AVP 18', 'm=video 40000 RTP/AVP 0']) {
    assert.throws(() => readAnswer(parseSdp(offer(line))), code);
  }
  assert.throws(() => readAnswer(parseSdp(offer())), code);
});

test.run();
