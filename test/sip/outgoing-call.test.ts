import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CALL, calledPeer, calling } from './peer.ts';
import { body, errorOf, header, OFFER, reply, startAgent, tag } from './wire.ts';

const test = suite('outgoing calls');

const ANSWER = OFFER.replace('alice', 'bob');
const CONTACT = ['Contact: <sip:bob@192.0.2.7:5071>'];

test('send the whole INVITE', async () => {
  const { invite, agent } = await calling({ headers: { 'X-Campaign': '7' } }, { userAgent: 'hamsa-gateway/1' });
  const via = header(invite, 'Via') ?? '';
  const fromTag = tag(header(invite, 'From'));
  const callId = header(invite, 'Call-ID') ?? '';
  assert.match(via, /^SIP\/2\.0\/UDP 198\.51\.100\.1:5060;branch=z9hG4bK[0-9a-f]{32};rport$/);
  assert.match(fromTag, /^[0-9a-f]{24}$/);
  assert.match(callId, /^[0-9a-f]{32}$/);
  assert.is(
    invite,
    [
      'INVITE sip:bob@192.0.2.7:5070 SIP/2.0',
      `Via: ${via}`,
      'Max-Forwards: 70',
      `From: "Gate" <sip:gateway@198.51.100.1>;tag=${fromTag}`,
      'To: <sip:bob@192.0.2.7:5070>',
      `Call-ID: ${callId}`,
      'CSeq: 1 INVITE',
      'Contact: <sip:198.51.100.1:5060>',
      'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO',
      'Supported: ',
      'Content-Type: application/sdp',
      'X-Campaign: 7',
      'User-Agent: hamsa-gateway/1',
      `Content-Length: ${OFFER.length}`,
      '',
      OFFER,
    ].join('\r\n'),
  );
  await agent.close();
});

test('timer A repeats the INVITE, doubling, until timer B gives up after 64*T1', async () => {
  const { wire, clock, result, agent } = await calling();
  clock.advance(40_000);
  assert.equal(
    wire.take().map(({ atMs }) => atMs),
    [500, 1500, 3500, 7500, 15500, 31500],
  );
  assert.is((await errorOf(result)).code, 'ERR_SIP_TIMEOUT');
  assert.is(agent.counters.timeouts, 1);
  assert.is(agent.activeCalls, 0);
  await agent.close();
});

test('a provisional response stops the repetitions and lets it ring for as long as it likes', async () => {
  const heard: unknown[] = [];
  const { wire, clock, invite, result, agent } = await calling({
    onProvisional: (status, sdp) => heard.push([status, sdp]),
  });
  wire.receive(reply(invite, 100));
  wire.receive(reply(invite, 180, { toTag: 'bob' }));
  wire.receive(reply(invite, 183, { toTag: 'bob', body: ANSWER }));
  clock.advance(300_000);
  assert.equal(wire.take(), []);
  assert.equal(heard, [
    [180, undefined],
    [183, ANSWER],
  ]);
  wire.receive(reply(invite, 200, { toTag: 'bob', body: ANSWER }));
  assert.is((await result).answer, ANSWER);
  await agent.close();
});

test('the answer is acknowledged to the Contact with a branch of its own, each time it comes', async () => {
  const { wire, clock, invite, result, agent } = await calling();
  const ok = reply(invite, 200, { toTag: 'bob', extra: CONTACT, body: ANSWER });
  wire.receive(ok);
  const [ack] = wire.take();
  assert.ok(ack!.text.startsWith('ACK sip:bob@192.0.2.7:5071 SIP/2.0\r\n'));
  assert.is(header(ack!.text, 'CSeq'), '1 ACK');
  assert.is(header(ack!.text, 'To'), '<sip:bob@192.0.2.7:5070>;tag=bob');
  assert.is.not(header(ack!.text, 'Via'), header(invite, 'Via'));
  assert.equal(ack!.destination, { address: '192.0.2.7', port: 5071 });
  clock.advance(31_999);
  wire.receive(ok);
  assert.is(wire.takeOne(), ack!.text);
  clock.advance(1);
  wire.receive(ok);
  assert.equal(wire.take(), [], 'timer M is over');
  assert.is(agent.counters.strayResponses, 1);
  assert.is((await result).answer, ANSWER);
  await agent.close();
});

test('the route of the answer is taken backwards', async () => {
  const { wire, invite, result, agent } = await calling();
  const extra = [...CONTACT, 'Record-Route: <sip:203.0.113.9;lr>, <sip:203.0.113.1:5080;lr>'];
  wire.receive(reply(invite, 200, { toTag: 'bob', extra, body: ANSWER }));
  const [ack] = wire.take();
  assert.match(ack!.text, /\r\nRoute: <sip:203\.0\.113\.1:5080;lr>\r\nRoute: <sip:203\.0\.113\.9;lr>\r\n/);
  assert.equal(ack!.destination, { address: '203.0.113.1', port: 5080 });
  void (await result).bye();
  assert.equal(wire.take()[0]!.destination, { address: '203.0.113.1', port: 5080 });
  await agent.close();
});

test('a refusal is acknowledged within the transaction and rejects with its status', async () => {
  const { wire, clock, invite, result, agent } = await calling();
  const busy = reply(invite, 486, { toTag: 'bob' });
  wire.receive(busy);
  const ack = wire.takeOne();
  assert.ok(ack.startsWith('ACK sip:bob@192.0.2.7:5070 SIP/2.0\r\n'));
  assert.is(header(ack, 'Via'), header(invite, 'Via'));
  assert.is(header(ack, 'To'), '<sip:bob@192.0.2.7:5070>;tag=bob');
  assert.is(header(ack, 'CSeq'), '1 ACK');
  assert.is(body(ack), '');
  wire.receive(busy);
  assert.is(wire.takeOne(), ack);
  const error = await errorOf(result);
  assert.is(error.code, 'ERR_SIP_REFUSED');
  assert.is(error.status, 486);
  assert.match(error.message, /486 Whatever/);
  assert.is(agent.activeTransactions, 1);
  clock.advance(32_000);
  assert.is(agent.activeTransactions, 0, 'timer D');
  assert.is(clock.timers, 0);
  await agent.close();
});

test('a refusal after the answer, which no peer may send, changes nothing', async () => {
  const { wire, invite, result, agent } = await calling();
  wire.receive(reply(invite, 200, { toTag: 'bob', extra: CONTACT, body: ANSWER }));
  wire.take();
  wire.receive(reply(invite, 486, { toTag: 'bob' }));
  wire.receive(reply(invite, 180, { toTag: 'bob' }));
  assert.equal(wire.take(), []);
  assert.not((await result).ended);
  await agent.close();
});

test('the first 2xx of a forked call wins; the others are acknowledged and hung up', async () => {
  const { wire, invite, result, agent } = await calling();
  wire.receive(reply(invite, 180, { toTag: 'desk' }));
  wire.receive(reply(invite, 200, { toTag: 'mobile', extra: CONTACT, body: ANSWER }));
  assert.equal(wire.takeStartLines(), ['ACK sip:bob@192.0.2.7:5071 SIP/2.0']);
  const other = reply(invite, 200, { toTag: 'desk', extra: ['Contact: <sip:desk@192.0.2.7:5072>'], body: ANSWER });
  wire.receive(other);
  const [ack, bye] = wire.take();
  assert.ok(ack!.text.startsWith('ACK sip:desk@192.0.2.7:5072 SIP/2.0\r\n'));
  assert.ok(bye!.text.startsWith('BYE sip:desk@192.0.2.7:5072 SIP/2.0\r\n'));
  assert.is(tag(header(bye!.text, 'To')), 'desk');
  assert.is(header(bye!.text, 'CSeq'), '2 BYE');
  wire.receive(other);
  assert.is(wire.takeOne(), ack!.text);
  assert.is((await result).callId, header(invite, 'Call-ID'));
  assert.is(agent.activeCalls, 1);
  await agent.close();
});

test('an answer without a description is acknowledged, hung up and refused', async () => {
  const { wire, invite, result, agent } = await calling();
  wire.receive(reply(invite, 200, { toTag: 'bob', extra: CONTACT }));
  assert.equal(
    wire.takeStartLines().map((line) => line.split(' ')[0]),
    ['ACK', 'BYE'],
  );
  assert.is((await errorOf(result)).code, 'ERR_SIP_REFUSED');
  await agent.close();
});

test('aborting while it rings sends CANCEL and rejects when the peer has let go', async () => {
  const abort = new AbortController();
  const { wire, invite, result, agent } = await calling({ signal: abort.signal });
  wire.receive(reply(invite, 180, { toTag: 'bob' }));
  abort.abort();
  const cancel = wire.takeOne();
  assert.ok(cancel.startsWith('CANCEL sip:bob@192.0.2.7:5070 SIP/2.0\r\n'));
  assert.is(header(cancel, 'Via'), header(invite, 'Via'));
  assert.is(header(cancel, 'To'), header(invite, 'To'));
  assert.is(header(cancel, 'CSeq'), '1 CANCEL');
  assert.is(header(cancel, 'Contact'), undefined);
  wire.receive(reply(cancel, 200, { toTag: 'bob' }));
  wire.receive(reply(invite, 487, { toTag: 'bob' }));
  assert.ok(wire.takeOne().startsWith('ACK '));
  assert.is((await errorOf(result)).code, 'ERR_ABORTED');
  await agent.close();
});

test('aborting before any response waits for one before it sends CANCEL', async () => {
  const abort = new AbortController();
  const heard: number[] = [];
  const { wire, invite, agent } = await calling({
    signal: abort.signal,
    onProvisional: (status) => heard.push(status),
  });
  abort.abort();
  assert.equal(wire.take(), []);
  wire.receive(reply(invite, 183));
  assert.ok(wire.takeOne().startsWith('CANCEL '));
  wire.receive(reply(invite, 180));
  assert.equal(wire.take(), []);
  assert.equal(heard, []);
  await agent.close();
});

test('an answer that crosses the CANCEL is acknowledged and hung up', async () => {
  const abort = new AbortController();
  const { wire, invite, result, agent } = await calling({ signal: abort.signal });
  wire.receive(reply(invite, 180, { toTag: 'bob' }));
  abort.abort();
  wire.take();
  wire.receive(reply(invite, 200, { toTag: 'bob', extra: CONTACT, body: ANSWER }));
  assert.equal(
    wire.takeStartLines().map((line) => line.split(' ')[0]),
    ['ACK', 'BYE'],
  );
  assert.is((await errorOf(result)).code, 'ERR_ABORTED');
  assert.is(agent.activeCalls, 0);
  await agent.close();
});

test('a CANCEL that nobody heeds is given up after 64*T1', async () => {
  const abort = new AbortController();
  const { wire, clock, invite, result, agent } = await calling({ signal: abort.signal });
  wire.receive(reply(invite, 180, { toTag: 'bob' }));
  abort.abort();
  clock.advance(32_000);
  assert.is((await errorOf(result)).code, 'ERR_ABORTED');
  assert.is(agent.activeTransactions, 0);
  await agent.close();
});

test('aborted before it begins, it sends nothing', async () => {
  const { wire, agent } = await startAgent();
  const call = agent.call('sip:bob@192.0.2.7', { ...CALL, signal: AbortSignal.abort() });
  assert.is((await errorOf(call)).code, 'ERR_ABORTED');
  assert.equal(wire.take(), []);
  await agent.close();
});

test('a network that does not take the INVITE is a 503', async () => {
  const { wire, agent } = await startAgent();
  wire.broken = true;
  assert.is((await errorOf(agent.call('sip:bob@192.0.2.7', CALL))).status, 503);
  assert.is(agent.counters.transportErrors, 1);
  await agent.close();
});

test('a name that nobody knows is a 503', async () => {
  const { agent } = await startAgent();
  const call = agent.call('sip:bob@nobody.invalid', CALL);
  const error = await errorOf(call);
  assert.is(error.status, 503);
  assert.match(error.message, /nobody\.invalid/);
  assert.is(agent.activeCalls, 0);
  await agent.close();
});

test('what can not be sent is refused before anything is', async () => {
  const { wire, agent } = await startAgent();
  for (const target of ['bob', 'sips:bob@h', 'tel:+1', 'sip:bob@192.0.2.7\r\nX: y', 'sip:bob@h?X=y']) {
    assert.instance(await errorOf(agent.call(target, CALL)), TypeError);
  }
  for (const from of ['alice', '<sip:a@h>;tag=1', 'tel:+1', '"a\r\nX: y" <sip:a@h>']) {
    const call = agent.call('sip:bob@192.0.2.7', { ...CALL, from });
    assert.instance(await errorOf(call), TypeError);
  }
  for (const headers of [{ Via: 'x' }, { 'X-A': 'a\r\nb: c' }, { 'X A': 'b' }]) {
    const call = agent.call('sip:bob@192.0.2.7', { ...CALL, headers });
    assert.instance(await errorOf(call), TypeError);
  }
  assert.equal(wire.take(), []);
  assert.is(agent.activeCalls, 0);
  assert.is(agent.activeTransactions, 0);
  await agent.close();
});

test('beyond maxCalls there is no call', async () => {
  const { agent } = await calling({}, { maxCalls: 1 });
  const second = agent.call('sip:bob@192.0.2.7', CALL);
  assert.is((await errorOf(second)).code, 'ERR_TOO_MANY_CALLS');
  await agent.close();
});

test('BYE of the peer ends the call', async () => {
  const { wire, call, inDialog, agent } = await calledPeer();
  let byes = 0;
  call.onBye = () => byes++;
  wire.receive(inDialog('BYE'));
  assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK']);
  assert.is(byes, 1);
  assert.is(agent.activeCalls, 0);
  await agent.close();
});

test('bye() hangs up', async () => {
  const { wire, call, agent } = await calledPeer();
  const gone = call.bye();
  const bye = wire.takeOne();
  assert.ok(bye.startsWith('BYE sip:bob@192.0.2.7:5071 SIP/2.0\r\n'));
  assert.is(header(bye, 'CSeq'), '2 BYE');
  wire.receive(reply(bye, 200));
  await gone;
  assert.is(agent.activeCalls, 0);
  await agent.close();
});

test('timer E repeats a BYE, at T2 once there was a provisional response, and timer K keeps it for T4', async () => {
  const { wire, clock, call, agent } = await calledPeer();
  void call.bye();
  const startMs = clock.nowMs();
  const bye = wire.takeOne();
  clock.advance(1_500);
  wire.receive(reply(bye, 100));
  clock.advance(8_500);
  assert.equal(
    wire.take().map(({ atMs }) => atMs - startMs),
    [500, 1500, 5500, 9500],
  );
  const before = agent.activeTransactions;
  wire.receive(reply(bye, 200));
  clock.advance(4_999);
  assert.is(agent.activeTransactions, before);
  clock.advance(1);
  assert.is(agent.activeTransactions, before - 1);
  assert.equal(wire.take(), []);
  await agent.close();
});

test('a response of somebody else is counted and ignored', async () => {
  const { wire, invite, agent } = await calling();
  wire.receive(reply(invite, 200, { toTag: 'x', body: ANSWER }).replace(/branch=[^;]+/, 'branch=z9hG4bKguess'));
  wire.receive(reply(invite, 200, { toTag: 'x', body: ANSWER }).replace(/Via: .*/, '$&\r\nVia: SIP/2.0/UDP proxy'));
  wire.receive(reply(invite, 200, { toTag: 'x', body: ANSWER }).replace('1 INVITE', '1 OPTIONS'));
  assert.equal(wire.take(), []);
  assert.is(agent.counters.strayResponses, 3);
  await agent.close();
});

test('a callback that throws is counted', async () => {
  const { wire, invite, agent } = await calling({
    onProvisional: () => {
      throw new Error('bug');
    },
  });
  wire.receive(reply(invite, 180));
  assert.is(agent.counters.applicationErrors, 1);
  await agent.close();
});

test('close() rejects a call that is not answered', async () => {
  const { clock, result, agent } = await calling();
  await agent.close();
  assert.is((await errorOf(result)).status, 503);
  assert.is(clock.timers, 0);
});

test('an agent that does not listen does not call', async () => {
  const { agent } = await startAgent();
  await agent.close();
  const call = agent.call('sip:bob@192.0.2.7', CALL);
  assert.is((await errorOf(call)).code, 'ERR_WRONG_STATE');
});

test.run();
