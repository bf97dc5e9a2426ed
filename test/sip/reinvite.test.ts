import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { answeredCall, calledPeer, waitingCall } from './peer.ts';
import { body, errorOf, header, OFFER, reply } from './wire.ts';

const test = suite('re-INVITE');

const HOLD = `${OFFER}a=sendonly\r\n`;
const ANSWER = OFFER.replace('alice', 'gateway');

test('of the peer is answered with what the application says', async () => {
  const { wire, call, events, inDialog, agent } = await answeredCall();
  let direction: string | undefined;
  call.onReinvite = (offer) => {
    direction = offer?.media[0]?.attributes.at(-1)?.name;
    return ANSWER;
  };
  wire.receive(inDialog('INVITE', { body: HOLD }));
  const answer = wire.takeOne();
  assert.ok(answer.startsWith('SIP/2.0 200 OK\r\n'));
  assert.is(body(answer), ANSWER);
  assert.is(header(answer, 'Contact'), '<sip:198.51.100.1:5060>');
  assert.is(direction, 'sendonly');
  wire.receive(inDialog('ACK', { cseq: 2 }));
  assert.equal(events, ['confirmed', 'reinvite confirmed']);
  await agent.close();
});

test('without an offer gets ours, and its ACK brings the answer', async () => {
  const { wire, call, events, inDialog, agent } = await answeredCall();
  call.onReinvite = (offer) => (offer === undefined ? ANSWER : 500);
  wire.receive(inDialog('INVITE'));
  assert.is(body(wire.takeOne()), ANSWER);
  wire.receive(inDialog('ACK', { cseq: 2, body: OFFER }));
  assert.equal(events, ['confirmed', 'reinvite confirmed with answer']);
  await agent.close();
});

test('is refused with 488 by default, and the call goes on', async () => {
  const { wire, inDialog, agent } = await answeredCall();
  wire.receive(inDialog('INVITE', { body: HOLD }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 488 Not Acceptable Here']);
  assert.is(agent.activeCalls, 1);
  await agent.close();
});

test('is refused with the status the application gives, 500 when that is none or it throws', async () => {
  const { wire, call, inDialog, agent } = await answeredCall();
  call.onReinvite = () => 606;
  wire.receive(inDialog('INVITE', { body: HOLD }));
  call.onReinvite = () => 200;
  wire.receive(inDialog('INVITE', { body: HOLD }));
  call.onReinvite = () => {
    throw new Error('bug');
  };
  wire.receive(inDialog('INVITE', { body: HOLD }));
  assert.equal(wire.takeStartLines(), [
    'SIP/2.0 606 Not Acceptable',
    'SIP/2.0 500 Server Internal Error',
    'SIP/2.0 500 Server Internal Error',
  ]);
  assert.is(agent.counters.applicationErrors, 1);
  await agent.close();
});

test('with a body that is no SDP gets 400', async () => {
  const { wire, inDialog, agent } = await answeredCall();
  wire.receive(inDialog('INVITE', { body: 'hello' }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 400 Bad Session Description']);
  await agent.close();
});

test('moves the Contact that later requests go to', async () => {
  const { wire, call, inDialog, agent } = await answeredCall();
  call.onReinvite = () => ANSWER;
  wire.receive(inDialog('INVITE', { body: OFFER, contact: 'sip:alice@192.0.2.99:5099' }));
  wire.receive(inDialog('ACK', { cseq: 2 }));
  wire.take();
  void call.bye();
  const [bye] = wire.take();
  assert.ok(bye!.text.startsWith('BYE sip:alice@192.0.2.99:5099 SIP/2.0\r\n'));
  assert.equal(bye!.destination, { address: '192.0.2.99', port: 5099 });
  await agent.close();
});

test('is repeated until its ACK, and ends the call without one', async () => {
  const { wire, clock, call, events, inDialog, agent } = await answeredCall();
  call.onReinvite = () => ANSWER;
  wire.receive(inDialog('INVITE', { body: HOLD }));
  clock.advance(32_000);
  const lines = wire.takeStartLines();
  assert.equal(lines.slice(0, -1), Array(11).fill('SIP/2.0 200 OK'));
  assert.ok(lines.at(-1)?.startsWith('BYE '));
  assert.equal(events, ['confirmed', 'failed no-ack']);
  await agent.close();
});

test('before the first answer gets 500 and Retry-After of 0-10 s', async () => {
  const { wire, call, inDialog, agent } = await waitingCall();
  call.ring();
  wire.take();
  wire.receive(inDialog('INVITE', { body: OFFER }));
  const refusal = wire.takeOne();
  assert.ok(refusal.startsWith('SIP/2.0 500 '));
  assert.ok(Number(header(refusal, 'Retry-After')) <= 10);
  await agent.close();
});

test('before the ACK of the answer gets 491', async () => {
  const { wire, call, inDialog, agent } = await waitingCall();
  call.answer(OFFER);
  wire.take();
  wire.receive(inDialog('INVITE', { body: OFFER }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 491 Request Pending']);
  await agent.close();
});

test('while ours is under way gets 491', async () => {
  const { wire, call, inDialog, agent } = await answeredCall();
  call.onReinvite = () => ANSWER;
  const changed = call.reinvite(ANSWER);
  const ours = wire.takeOne();
  wire.receive(inDialog('INVITE', { body: OFFER }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 491 Request Pending']);
  wire.receive(reply(ours, 200, { body: OFFER }));
  assert.is(await changed, OFFER);
  await agent.close();
});

test('of ours is a full INVITE, and its 2xx is acknowledged each time it comes', async () => {
  const { wire, call, agent } = await answeredCall();
  const changed = call.reinvite(ANSWER);
  const sent = wire.takeOne();
  assert.ok(sent.startsWith('INVITE sip:alice@192.0.2.7:5070 SIP/2.0\r\n'));
  assert.is(header(sent, 'Contact'), '<sip:198.51.100.1:5060>');
  assert.is(header(sent, 'Content-Type'), 'application/sdp');
  assert.is(body(sent), ANSWER);
  const ok = reply(sent, 200, { body: OFFER });
  wire.receive(reply(sent, 100));
  wire.receive(ok);
  wire.receive(ok);
  const [first, second] = wire.take();
  assert.ok(first!.text.startsWith('ACK sip:alice@192.0.2.7:5070 SIP/2.0\r\n'));
  assert.is(header(first!.text, 'CSeq'), '1 ACK');
  assert.is.not(header(first!.text, 'Via'), header(sent, 'Via'));
  assert.is(second!.text, first!.text);
  assert.is(await changed, OFFER);
  await agent.close();
});

test('of ours that is refused leaves the call as it is', async () => {
  const { wire, call, events, agent } = await answeredCall();
  const changed = call.reinvite(ANSWER);
  wire.receive(reply(wire.takeOne(), 488));
  const error = await errorOf(changed);
  assert.is(error.code, 'ERR_SIP_REFUSED');
  assert.is(error.status, 488);
  assert.ok(wire.takeOne().startsWith('ACK '));
  assert.equal(events, ['confirmed']);
  assert.is(agent.activeCalls, 1);
  await agent.close();
});

test('that collides is tried again by the called side within 0-2 s', async () => {
  const { wire, clock, call, inDialog, agent } = await answeredCall();
  call.onReinvite = () => ANSWER;
  const changed = call.reinvite(ANSWER);
  wire.receive(reply(wire.takeOne(), 491));
  wire.take();
  wire.receive(inDialog('INVITE', { body: OFFER }));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK'], 'the pause lets the peer go first');
  wire.receive(inDialog('ACK', { cseq: 2 }));
  clock.advance(2_000);
  const again = wire.take().find(({ text }) => text.startsWith('INVITE '));
  assert.is(header(again!.text, 'CSeq'), '2 INVITE');
  wire.receive(reply(again!.text, 200, { body: OFFER }));
  assert.is(await changed, OFFER);
  await agent.close();
});

test('that collides is tried again by the caller within 2.1-4 s', async () => {
  const { wire, clock, call, agent } = await calledPeer();
  void call.reinvite(ANSWER).catch(() => {});
  wire.receive(reply(wire.takeOne(), 491));
  wire.take();
  clock.advance(2_099);
  assert.equal(wire.take(), []);
  clock.advance(1_901);
  assert.ok(wire.take()[0]!.text.startsWith('INVITE '));
  await agent.close();
});

test('that collides waits on while an answer of ours is not acknowledged', async () => {
  const { wire, clock, call, inDialog, agent } = await answeredCall();
  call.onReinvite = () => ANSWER;
  call.reinvite(ANSWER).catch(() => {});
  wire.receive(reply(wire.takeOne(), 491));
  wire.receive(inDialog('INVITE'));
  const numbers = (): (string | undefined)[] =>
    wire
      .take()
      .filter(({ text }) => text.startsWith('INVITE '))
      .map(({ text }) => header(text, 'CSeq'));
  clock.advance(20_000);
  assert.equal(numbers(), []);
  wire.receive(inDialog('ACK', { cseq: 2, body: OFFER }));
  clock.advance(2_000);
  assert.equal([...new Set(numbers())], ['2 INVITE']);
  await agent.close();
});

test('that collides five times is refused with 491', async () => {
  const { wire, clock, call, agent } = await answeredCall();
  const changed = call.reinvite(ANSWER);
  changed.catch(() => {});
  for (let attempt = 1; attempt <= 5; attempt++) {
    const sent = wire.take().findLast(({ text }) => text.startsWith('INVITE '));
    wire.receive(reply(sent!.text, 491));
    wire.take();
    clock.advance(2_000);
  }
  assert.equal(wire.take(), []);
  assert.is((await errorOf(changed)).status, 491);
  await agent.close();
});

for (const status of [481, 408]) {
  test(`of ours that gets ${status} ends the call`, async () => {
    const { wire, call, events, agent } = await answeredCall();
    const changed = call.reinvite(ANSWER);
    wire.receive(reply(wire.takeOne(), status));
    assert.is((await errorOf(changed)).status, status);
    assert.ok(wire.take().at(-1)!.text.startsWith('BYE '));
    assert.equal(events, ['confirmed', 'failed peer-lost']);
    await agent.close();
  });
}

test('of ours without an answer for 64*T1 ends the call', async () => {
  const { wire, clock, call, events, agent } = await answeredCall();
  const changed = call.reinvite(ANSWER);
  changed.catch(() => {});
  clock.advance(32_000);
  assert.is((await errorOf(changed)).code, 'ERR_SIP_TIMEOUT');
  assert.ok(wire.take().at(-1)!.text.startsWith('BYE '));
  assert.equal(events, ['confirmed', 'failed peer-lost']);
  await agent.close();
});

test('of ours ends with the call, and a late 2xx is still acknowledged', async () => {
  const { wire, call, inDialog, agent } = await answeredCall();
  const changed = call.reinvite(ANSWER);
  const sent = wire.takeOne();
  wire.receive(inDialog('BYE'));
  assert.is((await errorOf(changed)).code, 'ERR_WRONG_STATE');
  wire.take();
  wire.receive(reply(sent, 200, { body: OFFER }));
  assert.ok(wire.takeOne().startsWith('ACK '));
  await agent.close();
});

test('of ours waits for its turn', async () => {
  const { call, wire, agent, inDialog } = await waitingCall();
  const code = (error: { code?: string }): void => assert.is(error.code, 'ERR_WRONG_STATE');
  code(await errorOf(call.reinvite(ANSWER)));
  call.answer(OFFER);
  code(await errorOf(call.reinvite(ANSWER)));
  wire.receive(inDialog('ACK'));
  void call.reinvite(ANSWER).catch(() => {});
  code(await errorOf(call.reinvite(ANSWER)));
  void call.bye();
  code(await errorOf(call.reinvite(ANSWER)));
  await agent.close();
});

test('goes both ways in a call of ours as well', async () => {
  const { wire, call, inDialog, agent } = await calledPeer();
  const confirmed: unknown[] = [];
  call.onReinvite = () => ANSWER;
  call.onReinviteConfirmed = (answer) => confirmed.push(answer);
  wire.receive(inDialog('INVITE', { body: HOLD }));
  assert.is(body(wire.takeOne()), ANSWER);
  wire.receive(inDialog('ACK', { cseq: 101 }));
  assert.equal(confirmed, [undefined]);
  const changed = call.reinvite(ANSWER);
  wire.receive(reply(wire.takeOne(), 200, { body: OFFER }));
  assert.is(await changed, OFFER);
  await agent.close();
});

test.run();
