import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { answeredCall, waitingCall } from './peer.ts';
import { body, header, invite, OFFER, PEER, reply, request, startAgent, tag } from './wire.ts';

const test = suite('incoming calls');

test('tell who calls whom from where, with the offer and any header', async () => {
  const { call, agent } = await waitingCall({ extra: ['X-Account: 7', 'x-account: 8', 'Subject: hi'] });
  assert.is(call.callId, 'call-1');
  assert.equal(call.from, { uri: 'sip:alice@192.0.2.7:5070', displayName: 'Alice', user: 'alice' });
  assert.equal(call.to, { uri: 'sip:gateway@198.51.100.1', displayName: undefined, user: 'gateway' });
  assert.equal(call.source, PEER);
  assert.is(call.offer?.media[0]?.port, 40000);
  assert.is(call.header('Subject'), 'hi');
  assert.is(call.header('X-Missing'), undefined);
  assert.equal(call.headerValues('X-Account'), ['7', '8']);
  await agent.close();
});

test('answer() sends the whole 200', async () => {
  const { wire, call, agent } = await waitingCall({ extra: ['Record-Route: <sip:p2;lr>, <sip:p1;lr>'] });
  assert.ok(call.answer(OFFER));
  assert.is(
    wire.takeOne(),
    [
      'SIP/2.0 200 OK',
      'Via: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKinvite;rport=5070;received=192.0.2.7',
      'From: "Alice" <sip:alice@192.0.2.7:5070>;tag=alice',
      `To: <sip:gateway@198.51.100.1>;tag=${call.dialog.localTag}`,
      'Call-ID: call-1',
      'CSeq: 1 INVITE',
      'Record-Route: <sip:p2;lr>, <sip:p1;lr>',
      'Contact: <sip:198.51.100.1:5060>',
      'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO',
      'Supported: ',
      'Content-Type: application/sdp',
      `Content-Length: ${OFFER.length}`,
      '',
      OFFER,
    ].join('\r\n'),
  );
  await agent.close();
});

test('the ACK confirms, once', async () => {
  const { wire, call, events, inDialog, agent } = await waitingCall();
  call.answer(OFFER);
  wire.receive(inDialog('ACK'));
  wire.receive(inDialog('ACK'));
  assert.equal(events, ['confirmed']);
  assert.is(agent.counters.strayAcks, 1);
  await agent.close();
});

test('an INVITE without an offer gets ours in the 200 and brings the answer in the ACK', async () => {
  const { wire, call, inDialog, agent } = await waitingCall({ body: undefined });
  assert.is(call.offer, undefined);
  let port: number | undefined;
  call.onConfirmed = (answer) => {
    port = answer?.media[0]?.port;
  };
  call.answer(OFFER);
  assert.is(body(wire.takeOne()), OFFER);
  wire.receive(inDialog('ACK', { body: OFFER }));
  assert.is(port, 40000);
  await agent.close();
});

for (const [what, ackBody] of Object.entries({ 'no answer': undefined, 'an answer that is none': 'v=1\r\n' })) {
  test(`hangs up when the ACK to our offer has ${what}`, async () => {
    const { wire, call, events, inDialog, agent } = await waitingCall({ body: undefined });
    call.answer(OFFER);
    wire.take();
    wire.receive(inDialog('ACK', { body: ackBody }));
    assert.ok(wire.takeOne().startsWith('BYE '));
    assert.equal(events, ['failed no-answer-in-ack']);
    await agent.close();
  });
}

test('reject() sends status, reason and headers and frees the call', async () => {
  const { wire, call, agent } = await waitingCall();
  assert.ok(call.reject(503, 'Come Back', { 'Retry-After': '3' }));
  const refusal = wire.takeOne();
  assert.ok(refusal.startsWith('SIP/2.0 503 Come Back\r\n'));
  assert.is(header(refusal, 'Retry-After'), '3');
  assert.is(header(refusal, 'Contact'), undefined);
  assert.is(agent.activeCalls, 0);
  assert.not(call.answer(OFFER));
  assert.not(call.reject(486));
  assert.not(call.ring());
  assert.equal(wire.take(), []);
  await agent.close();
});

test('reject() refuses what can not be sent and leaves the call waiting', async () => {
  const { call, agent } = await waitingCall();
  for (const status of [200, 299, 700, 486.5]) assert.throws(() => call.reject(status), RangeError);
  assert.throws(() => call.reject(486, 'a\r\nX: y'), TypeError);
  assert.throws(() => call.reject(486, 'a', { 'X-A': 'b\nc' }), TypeError);
  assert.throws(() => call.reject(486, 'a', { via: 'b' }), TypeError);
  assert.ok(call.reject(486));
  await agent.close();
});

test('CANCEL is answered with 200, the INVITE with 487 of the same tag', async () => {
  const { wire, call, events, agent } = await waitingCall();
  const cancel = request({ method: 'CANCEL', branch: 'z9hG4bKinvite' });
  wire.receive(cancel);
  const [ok, terminated] = wire.take().map(({ text }) => text);
  assert.ok(ok!.startsWith('SIP/2.0 200 OK\r\n'));
  assert.is(header(ok!, 'CSeq'), '1 CANCEL');
  assert.ok(terminated!.startsWith('SIP/2.0 487 Request Terminated\r\n'));
  assert.is(header(terminated!, 'CSeq'), '1 INVITE');
  assert.is(tag(header(ok!, 'To')), call.dialog.localTag);
  assert.is(tag(header(terminated!, 'To')), call.dialog.localTag);
  assert.equal(events, ['cancelled']);
  wire.receive(cancel);
  assert.is(wire.takeOne(), ok);
  assert.not(call.answer(OFFER));
  assert.is(agent.activeCalls, 0);
  await agent.close();
});

test('CANCEL that comes after the answer changes nothing', async () => {
  const { wire, call, events, inDialog, agent } = await waitingCall();
  call.answer(OFFER);
  wire.take();
  wire.receive(request({ method: 'CANCEL', branch: 'z9hG4bKinvite' }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK']);
  wire.receive(inDialog('ACK'));
  assert.equal(events, ['confirmed']);
  await agent.close();
});

test('CANCEL that comes after a refusal changes nothing', async () => {
  const { wire, call, events, agent } = await waitingCall();
  call.reject(486);
  wire.take();
  wire.receive(request({ method: 'CANCEL', branch: 'z9hG4bKinvite' }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK']);
  assert.equal(events, []);
  await agent.close();
});

test('CANCEL of nothing gets 481', async () => {
  const { wire, agent } = await startAgent();
  wire.receive(request({ method: 'CANCEL' }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 481 Call/Transaction Does Not Exist']);
  await agent.close();
});

test('BYE of the peer is answered with 200 and told once', async () => {
  const { wire, events, inDialog, agent } = await answeredCall();
  wire.receive(inDialog('BYE'));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK']);
  assert.equal(events, ['confirmed', 'bye']);
  assert.is(agent.activeCalls, 0);
  wire.receive(inDialog('BYE'));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 481 Call/Transaction Does Not Exist']);
  await agent.close();
});

test('BYE before the ACK ends the call and its repetitions of the 200', async () => {
  const { wire, clock, call, events, inDialog, agent } = await waitingCall();
  call.answer(OFFER);
  wire.take();
  wire.receive(inDialog('BYE'));
  clock.advance(60_000);
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK']);
  assert.equal(events, ['bye']);
  await agent.close();
});

test('BYE before the answer ends the call like CANCEL', async () => {
  const { wire, call, events, inDialog, agent } = await waitingCall();
  call.ring();
  wire.take();
  wire.receive(inDialog('BYE'));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK', 'SIP/2.0 487 Request Terminated']);
  assert.equal(events, ['cancelled']);
  await agent.close();
});

test('bye() sends BYE with both tags and resolves with its response', async () => {
  const { wire, call, events, inDialog, agent } = await answeredCall();
  const gone = call.bye();
  const bye = wire.takeOne();
  assert.ok(bye.startsWith('BYE sip:alice@192.0.2.7:5070 SIP/2.0\r\n'));
  assert.is(header(bye, 'From'), `<sip:gateway@198.51.100.1>;tag=${call.dialog.localTag}`);
  assert.is(header(bye, 'To'), '"Alice" <sip:alice@192.0.2.7:5070>;tag=alice');
  assert.is(header(bye, 'Call-ID'), 'call-1');
  assert.is(header(bye, 'CSeq'), '1 BYE');
  assert.is(header(bye, 'Max-Forwards'), '70');
  assert.match(header(bye, 'Via') ?? '', /^SIP\/2\.0\/UDP 198\.51\.100\.1:5060;branch=z9hG4bK[0-9a-f]{32};rport$/);
  assert.is(agent.activeCalls, 1, 'known until the peer has answered');
  wire.receive(reply(bye, 200));
  await gone;
  assert.is(agent.activeCalls, 0);
  assert.equal(events, ['confirmed']);
  wire.receive(inDialog('INFO'));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 481 Call/Transaction Does Not Exist']);
  await agent.close();
});

test('bye() resolves when the peer never answers', async () => {
  const { wire, clock, call, agent } = await answeredCall();
  const gone = call.bye();
  clock.advance(32_000);
  await gone;
  assert.is(wire.take().length, 11, 'timer E: 0.5, 1.5, 3.5, 7.5 … 31.5 s');
  assert.is(agent.activeCalls, 0);
  await agent.close();
});

test('bye() before the ACK waits for it', async () => {
  const { wire, call, events, inDialog, agent } = await waitingCall();
  call.answer(OFFER);
  wire.take();
  void call.bye();
  assert.equal(wire.take(), []);
  wire.receive(inDialog('ACK'));
  assert.ok(wire.takeOne().startsWith('BYE '));
  assert.equal(events, []);
  await agent.close();
});

test('after bye() nothing is told, even while it waits for the ACK', async () => {
  const { wire, call, events, inDialog, agent } = await waitingCall();
  call.answer(OFFER);
  void call.bye();
  wire.take();
  wire.receive(inDialog('INFO', { contentType: 'application/dtmf-relay', body: 'Signal=1' }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 481 Call/Transaction Does Not Exist']);
  assert.equal(events, []);
  await agent.close();
});

test('bye() before the ACK is sent after 64*T1 when none comes', async () => {
  const { wire, clock, call, events, agent } = await waitingCall();
  call.answer(OFFER);
  void call.bye();
  clock.advance(31_999);
  assert.ok(wire.take().every(({ text }) => text.startsWith('SIP/2.0 200')));
  clock.advance(1);
  assert.ok(wire.takeOne().startsWith('BYE '));
  assert.equal(events, []);
  await agent.close();
});

test('bye() before the ACK is over when the peer hangs up first', async () => {
  const { wire, call, inDialog, agent } = await waitingCall();
  call.answer(OFFER);
  const gone = call.bye();
  wire.receive(inDialog('BYE'));
  await gone;
  assert.is(agent.activeCalls, 0);
  await agent.close();
});

test('bye() before the answer refuses with 480', async () => {
  const { wire, call, agent } = await waitingCall();
  await call.bye();
  assert.equal(wire.takeStartLines(), ['SIP/2.0 480 Temporarily Unavailable']);
  await agent.close();
});

test('two BYEs that cross are both answered', async () => {
  const { wire, call, events, inDialog, agent } = await answeredCall();
  const gone = call.bye();
  wire.take();
  wire.receive(inDialog('BYE'));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK']);
  assert.equal(events, ['confirmed']);
  await agent.close();
  await gone;
});

test('requests go along the recorded route, and its first hop is where they are sent', async () => {
  const { wire, call, agent } = await answeredCall({
    extra: ['Record-Route: <sip:203.0.113.1:5080;lr>', 'Record-Route: <sip:203.0.113.2;lr>'],
  });
  void call.bye();
  const [bye] = wire.take();
  assert.ok(bye!.text.startsWith('BYE sip:alice@192.0.2.7:5070 SIP/2.0\r\n'));
  assert.match(bye!.text, /\r\nRoute: <sip:203\.0\.113\.1:5080;lr>\r\nRoute: <sip:203\.0\.113\.2;lr>\r\n/);
  assert.equal(bye!.destination, { address: '203.0.113.1', port: 5080 });
  await agent.close();
});

test('a strict router of RFC 2543 gets itself as Request-URI and the peer as the last route', async () => {
  const { wire, call, agent } = await answeredCall({
    extra: ['Record-Route: <sip:203.0.113.1>', 'Record-Route: <sip:203.0.113.2;lr>'],
  });
  void call.bye();
  const [bye] = wire.take();
  assert.ok(bye!.text.startsWith('BYE sip:203.0.113.1 SIP/2.0\r\n'));
  assert.match(bye!.text, /\r\nRoute: <sip:203\.0\.113\.2;lr>\r\nRoute: <sip:alice@192\.0\.2\.7:5070>\r\n/);
  assert.equal(bye!.destination, { address: '203.0.113.1', port: 5060 });
  await agent.close();
});

test('a next hop that has a name is the host that the INVITE came from', async () => {
  const { wire, call, agent } = await answeredCall({ extra: ['Record-Route: <sip:proxy.example.com;lr>'] });
  void call.bye();
  assert.equal(wire.take()[0]!.destination, PEER);
  await agent.close();
});

test('a caller behind NAT is reached where its INVITE came from, at the Request-URI it gave', async () => {
  const contact = 'sip:alice@10.0.0.1:5060';
  const { wire, call, agent } = await answeredCall({
    via: 'Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKnat;rport',
    contact,
  });
  void call.bye();
  const [bye] = wire.take();
  assert.ok(bye!.text.startsWith(`BYE ${contact} SIP/2.0\r\n`));
  assert.equal(bye!.destination, PEER);
  await agent.close();
});

test('a proxy that records its route is the next hop even when its Via names another address', async () => {
  const { wire, call, agent } = await answeredCall({
    via: 'Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKproxy;rport',
    extra: ['Record-Route: <sip:203.0.113.1:5080;lr>'],
  });
  void call.bye();
  assert.equal(wire.take()[0]!.destination, { address: '203.0.113.1', port: 5080 });
  await agent.close();
});

test('a caller that is where it says is reached at its Contact', async () => {
  const { wire, call, agent } = await answeredCall({ contact: 'sip:alice@192.0.2.8:5099' });
  void call.bye();
  assert.equal(wire.take()[0]!.destination, { address: '192.0.2.8', port: 5099 });
  await agent.close();
});

test('a request of another dialog with our tag, or of a dialog that is not there, gets 481', async () => {
  const { wire, inDialog, events, agent } = await answeredCall();
  wire.receive(inDialog('BYE', { callId: 'another' }));
  wire.receive(inDialog('BYE', { fromTag: 'mallory' }));
  wire.receive(inDialog('BYE', { toTag: 'nobody' }));
  wire.receive(request({ method: 'BYE', callId: 'no-tag' }));
  assert.equal(wire.takeStartLines(), Array(4).fill('SIP/2.0 481 Call/Transaction Does Not Exist'));
  assert.equal(events, ['confirmed']);
  await agent.close();
});

test('a request older than one seen gets 500', async () => {
  const { wire, inDialog, agent } = await answeredCall({ cseq: 10 });
  wire.receive(inDialog('INFO', { cseq: 9 }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 500 Server Internal Error']);
  await agent.close();
});

test('INFO with dtmf-relay is a digit', async () => {
  const { wire, events, inDialog, agent } = await answeredCall();
  const contentType = 'application/dtmf-relay';
  wire.receive(inDialog('INFO', { contentType, body: 'Signal=5\r\nDuration=160\r\n' }));
  wire.receive(inDialog('INFO', { contentType, body: 'Signal= *\nDuration= 80' }));
  wire.receive(inDialog('INFO', { contentType, body: 'Signal=d' }));
  assert.equal(wire.takeStartLines(), Array(3).fill('SIP/2.0 200 OK'));
  assert.equal(events, ['confirmed', 'digit 5 160', 'digit * 80', 'digit D 100']);
  wire.receive(inDialog('INFO', { contentType, body: 'Signal=55\r\n' }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 400 Bad Request']);
  await agent.close();
});

test('INFO of another type gets 415, without a body 200', async () => {
  const { wire, inDialog, agent } = await answeredCall();
  wire.receive(inDialog('INFO', { contentType: 'application/media_control+xml', body: '<x/>' }));
  const refusal = wire.takeOne();
  assert.ok(refusal.startsWith('SIP/2.0 415 '));
  assert.is(header(refusal, 'Accept'), 'application/dtmf-relay');
  wire.receive(inDialog('INFO'));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK']);
  await agent.close();
});

test('OPTIONS within the call gets 200', async () => {
  const { wire, inDialog, agent } = await answeredCall();
  wire.receive(inDialog('OPTIONS'));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK']);
  await agent.close();
});

test('beyond maxCalls an INVITE gets 503 and Retry-After', async () => {
  const { wire, agent } = await waitingCall({}, { maxCalls: 1 });
  wire.receive(invite({ callId: 'second' }));
  const refusal = wire.takeOne();
  assert.ok(refusal.startsWith('SIP/2.0 503 '));
  assert.is(header(refusal, 'Retry-After'), '10');
  assert.is(agent.counters.refusedFull, 1);
  await agent.close();
});

test('while draining, new calls and OPTIONS get 503 and calls that are up go on', async () => {
  const { wire, agent, inDialog } = await answeredCall();
  agent.setDraining(true);
  wire.receive(invite({ callId: 'second' }));
  wire.receive(request({ method: 'OPTIONS', callId: 'third' }));
  for (const { text } of wire.take()) {
    assert.ok(text.startsWith('SIP/2.0 503 Service Unavailable\r\n'));
    assert.is(header(text, 'Retry-After'), '10');
  }
  assert.is(agent.counters.refusedDraining, 2);
  wire.receive(inDialog('BYE'));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK']);
  agent.setDraining(false);
  wire.receive(request({ method: 'OPTIONS', callId: 'fourth' }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK']);
  await agent.close();
});

test('an application that throws while it is offered a call refuses it with 500', async () => {
  const { wire, agent, errors } = await startAgent({
    onInvite: () => {
      throw new Error('bug');
    },
  });
  wire.receive(invite());
  assert.equal(wire.takeStartLines(), ['SIP/2.0 100 Trying', 'SIP/2.0 500 Server Internal Error']);
  assert.is(agent.counters.applicationErrors, 1);
  assert.is(errors[0]?.message, 'bug');
  assert.is(agent.activeCalls, 0);
  await agent.close();
});

test('an application that throws after it answered hangs up', async () => {
  const { wire, agent } = await startAgent({
    onInvite: (call) => {
      call.answer(OFFER);
      throw new Error('bug');
    },
  });
  wire.receive(invite());
  const toTag = tag(header(wire.take().at(-1)!.text, 'To'));
  wire.receive(request({ method: 'ACK', toTag }));
  assert.ok(wire.takeOne().startsWith('BYE '));
  await agent.close();
});

test('callbacks that throw are counted and change nothing else', async () => {
  const { wire, agent, call, inDialog } = await waitingCall();
  const fail = (): never => {
    throw new Error('bug');
  };
  call.onConfirmed = fail;
  call.onInfoDigit = fail;
  call.onBye = fail;
  call.answer(OFFER);
  wire.take();
  wire.receive(inDialog('ACK'));
  wire.receive(inDialog('INFO', { contentType: 'application/dtmf-relay', body: 'Signal=1' }));
  wire.receive(inDialog('BYE'));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 500 Server Internal Error', 'SIP/2.0 200 OK']);
  assert.is(agent.counters.applicationErrors, 3);
  assert.is(agent.counters.internalErrors, 0);
  await agent.close();
});

test('an advertised address that can not be told refuses the call with 500', async () => {
  const { wire, agent } = await startAgent({
    advertisedAddress: () => {
      throw new Error('no route');
    },
  });
  wire.receive(invite());
  assert.equal(wire.takeStartLines(), ['SIP/2.0 100 Trying', 'SIP/2.0 500 Server Internal Error']);
  assert.is(agent.counters.applicationErrors, 1);
  assert.is(agent.counters.internalErrors, 0);
  await agent.close();
});

test('an onError that throws is counted as well', async () => {
  const fail = (): never => {
    throw new Error('bug');
  };
  const { wire, agent } = await startAgent({ onInvite: fail, onError: fail });
  wire.receive(invite());
  assert.equal(wire.takeStartLines(), ['SIP/2.0 100 Trying', 'SIP/2.0 500 Server Internal Error']);
  assert.is(agent.counters.applicationErrors, 2);
  await agent.close();
});

test('close() says nothing, stops all timers and settles what is waited for', async () => {
  const { wire, clock, call, agent } = await waitingCall();
  call.answer(OFFER);
  const gone = call.bye();
  wire.take();
  await agent.close();
  await gone;
  assert.is(clock.timers, 0);
  assert.is(agent.activeCalls, 0);
  assert.is(agent.activeTransactions, 0);
  assert.ok(wire.closed);
  wire.receive(invite({ callId: 'late' }));
  assert.equal(wire.take(), []);
});

test.run();
