/** What a user agent server answers before it looks at what a request wants (RFC 3261 section 8.2). */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { header, invite, type MessageOptions, OFFER, request, startAgent } from './wire.ts';

const test = suite('refused requests');

const ALLOW = 'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO';

interface Row {
  readonly text: string;
  readonly status: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const call = (options: MessageOptions): string => invite(options);

const ROWS: Readonly<Record<string, Row>> = {
  ...Object.fromEntries(
    ['REGISTER', 'SUBSCRIBE', 'NOTIFY', 'PUBLISH', 'MESSAGE', 'REFER', 'UPDATE', 'PRACK'].map((method) => [
      method,
      { text: request({ method }), status: '405 Method Not Allowed', headers: { Allow: ALLOW } },
    ]),
  ),
  'a method that nobody knows': {
    text: request({ method: 'DANCE' }),
    status: '501 Not Implemented',
    headers: { Allow: ALLOW },
  },
  'a method in lower case': { text: request({ method: 'invite' }), status: '501 Not Implemented' },
  'a Request-URI of another scheme': { text: call({ uri: 'http://h/' }), status: '416 Unsupported URI Scheme' },
  'a Request-URI that wants TLS': { text: call({ uri: 'sips:g@h' }), status: '416 Unsupported URI Scheme' },
  'a required extension': {
    text: call({ extra: ['Require: 100rel'] }),
    status: '420 Bad Extension',
    headers: { Unsupported: '100rel' },
  },
  'required extensions over several lines': {
    text: request({ method: 'OPTIONS', extra: ['Require: timer, x', 'Require: y'] }),
    status: '420 Bad Extension',
    headers: { Unsupported: 'timer, x, y' },
  },
  'a body that is no SDP': {
    text: call({ contentType: 'text/plain' }),
    status: '415 Unsupported Media Type',
    headers: { Accept: 'application/sdp' },
  },
  'a compressed body': {
    text: call({ extra: ['Content-Encoding: gzip'] }),
    status: '415 Unsupported Media Type',
    headers: { 'Accept-Encoding': 'identity' },
  },
  'an SDP that is none': { text: call({ body: 'v=0' }), status: '400 Bad Session Description' },
  'an Accept without SDP': { text: call({ extra: ['Accept: text/plain'] }), status: '406 Not Acceptable' },
  'an empty Accept': { text: call({ extra: ['Accept:'] }), status: '406 Not Acceptable' },
  'a second Contact': { text: call({ extra: ['Contact: <sip:b@h>'] }), status: '400 Bad Contact' },
  'another version': { text: call({}).replace('SIP/2.0\r\n', 'SIP/2.1\r\n'), status: '505 Version Not Supported' },
  'a broken header': { text: call({ extra: ['Route: x'] }), status: '400 Bad URI' },
  'INFO outside a call': { text: request({ method: 'INFO' }), status: '481 Call/Transaction Does Not Exist' },
  'OPTIONS of a call that is not there': {
    text: request({ method: 'OPTIONS', toTag: 'x' }),
    status: '481 Call/Transaction Does Not Exist',
  },
  'an INVITE of a call that is not there': {
    text: call({ toTag: 'x' }),
    status: '481 Call/Transaction Does Not Exist',
  },
};

for (const [what, { text, status, headers = {} }] of Object.entries(ROWS)) {
  test(`${what}: ${status}`, async () => {
    const { wire, agent } = await startAgent({ onInvite: () => assert.unreachable('offered to the application') });
    wire.receive(text);
    const answer = wire.takeOne();
    assert.is(answer.slice(0, answer.indexOf('\r\n')), `SIP/2.0 ${status}`);
    for (const [name, value] of Object.entries(headers)) assert.is(header(answer, name), value);
    assert.match(header(answer, 'To') ?? '', /;tag=/);
    assert.is(agent.counters.internalErrors, 0);
    await agent.close();
  });
}

const TAKEN: Readonly<Record<string, string>> = {
  'a tel URI': call({ uri: 'tel:+15551234' }),
  'Supported: timer and Session-Expires': call({
    extra: ['Supported: timer, 100rel', 'Session-Expires: 1800', 'Min-SE: 90'],
  }),
  'Proxy-Require, which is for proxies': call({ extra: ['Proxy-Require: x'] }),
  'a Max-Forwards of 0, which is for proxies': call({}).replace('Max-Forwards: 70', 'Max-Forwards: 0'),
  'an Accept with SDP among others': call({ extra: ['Accept: text/plain;q=0.5, application/sdp;level=1'] }),
  'an Accept of everything': call({ extra: ['Accept: */*'] }),
  'a Content-Type in capitals with a parameter': call({ contentType: 'Application/SDP; charset=utf-8' }),
  'Content-Encoding: identity': call({ extra: ['Content-Encoding: identity'] }),
  'no Contact': call({}).replace(/Contact:.*\r\n/, ''),
  'no body': request(),
};

for (const [what, text] of Object.entries(TAKEN)) {
  test(`an INVITE with ${what} is taken`, async () => {
    let calls = 0;
    const { wire, agent } = await startAgent({ onInvite: () => calls++ });
    wire.receive(text);
    assert.equal(wire.takeStartLines(), ['SIP/2.0 100 Trying']);
    assert.is(calls, 1);
    await agent.close();
  });
}

test('OPTIONS tells what is allowed, accepted and supported', async () => {
  const { wire, agent } = await startAgent();
  wire.receive(request({ method: 'OPTIONS', body: OFFER }));
  const answer = wire.takeOne();
  assert.ok(answer.startsWith('SIP/2.0 200 OK\r\n'));
  assert.is(header(answer, 'Allow'), ALLOW);
  assert.is(header(answer, 'Accept'), 'application/sdp');
  assert.is(header(answer, 'Supported'), '');
  await agent.close();
});

test('an ACK is never answered, however wrong', async () => {
  const { wire, agent } = await startAgent();
  wire.receive(request({ method: 'ACK' }));
  wire.receive(request({ method: 'ACK', toTag: 'x', extra: ['Require: x'] }));
  wire.receive(request({ method: 'ACK', extra: ['Route: x'] }));
  assert.equal(wire.take(), []);
  assert.is(agent.counters.strayAcks, 2);
  assert.is(agent.counters.malformed, 1);
  await agent.close();
});

test('keep-alives are counted and not answered', async () => {
  const { wire, agent } = await startAgent();
  wire.receive('\r\n\r\n');
  assert.equal(wire.take(), []);
  assert.is(agent.counters.keepAlives, 1);
  assert.is(agent.counters.malformed, 0);
  await agent.close();
});

test('whoever is not on the allow list is counted and hears nothing', async () => {
  const { wire, agent } = await startAgent({ allow: ['192.0.2.0/24'] });
  wire.receive(request({ method: 'OPTIONS' }), { address: '198.51.100.7', port: 5060 });
  assert.equal(wire.take(), []);
  assert.is(agent.counters.notAllowed, 1);
  assert.is(agent.counters.received, 0);
  wire.receive(request({ method: 'OPTIONS' }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK']);
  await agent.close();
});

test('an empty allow list is this machine alone', async () => {
  const { wire, agent } = await startAgent({ allow: [] });
  wire.receive(request({ method: 'OPTIONS' }));
  assert.is(agent.counters.notAllowed, 1);
  wire.receive(request({ method: 'OPTIONS' }), { address: '127.0.0.1', port: 5080 });
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK']);
  await agent.close();
});

test.run();
