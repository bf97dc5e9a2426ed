/** RFC 3261 section 17.2 and RFC 6026, seen on the wire. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { IncomingCall } from '../../src/sip/incoming-call.ts';
import { GATEWAY, header, invite, OFFER, request, type Setup, startAgent, tag } from './wire.ts';

const test = suite('server transactions');

interface CallSetup extends Setup {
  readonly call: IncomingCall;
  readonly text: string;
}

/** An agent with one INVITE waiting. */
async function ringing(options: Parameters<typeof startAgent>[0] = {}): Promise<CallSetup> {
  let call: IncomingCall | undefined;
  const setup = await startAgent({
    onInvite: (arrived) => {
      call = arrived;
    },
    ...options,
  });
  const text = invite({ branch: 'z9hG4bKfixed' });
  setup.wire.receive(text);
  return { ...setup, call: call!, text };
}

/** When messages left, relative to the first. */
function timesOf(setup: Setup): number[] {
  return setup.wire.take().map(({ atMs }) => atMs);
}

test('sends 100 at once, and the last provisional response to each repetition of the INVITE', async () => {
  const { wire, call, text, agent } = await ringing();
  const trying = wire.takeOne();
  assert.ok(trying.startsWith('SIP/2.0 100 Trying\r\n'));
  assert.is(header(trying, 'To'), '<sip:gateway@198.51.100.1>');
  wire.receive(text);
  assert.is(wire.takeOne(), trying);
  call.ring();
  const ringing180 = wire.takeOne();
  assert.ok(ringing180.startsWith('SIP/2.0 180 Ringing\r\n'));
  assert.is.not(tag(header(ringing180, 'To')), '');
  wire.receive(text);
  assert.is(wire.takeOne(), ringing180);
  assert.is(agent.counters.retransmissionsReceived, 2);
  await agent.close();
});

test('copies Timestamp into 100 only', async () => {
  const { wire, agent } = await startAgent({ onInvite: (call) => call.ring() });
  wire.receive(invite({ extra: ['Timestamp: 54.2'] }));
  assert.equal(
    wire.take().map(({ text }) => header(text, 'Timestamp')),
    ['54.2', undefined],
  );
  await agent.close();
});

test('rings again each minute until the answer', async () => {
  const { wire, clock, call, agent } = await ringing();
  call.ring();
  clock.advance(125_000);
  call.answer(OFFER);
  assert.equal(wire.takeStartLines(), [
    'SIP/2.0 100 Trying',
    'SIP/2.0 180 Ringing',
    'SIP/2.0 180 Ringing',
    'SIP/2.0 180 Ringing',
    'SIP/2.0 200 OK',
  ]);
  await agent.close();
});

test('timer G repeats a refusal after T1, doubling up to T2, until timer H ends it after 64*T1', async () => {
  const setup = await ringing();
  setup.wire.take();
  setup.call.reject(486);
  setup.clock.advance(40_000);
  assert.equal(timesOf(setup), [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
  assert.is(setup.agent.activeTransactions, 0);
  assert.is(setup.agent.counters.timeouts, 1);
  assert.is(setup.agent.counters.retransmissionsSent, 10);
  await setup.agent.close();
});

test('a repeated INVITE gets the refusal again at once', async () => {
  const { wire, call, text, agent } = await ringing();
  wire.take();
  call.reject(486);
  const refusal = wire.takeOne();
  wire.receive(text);
  assert.is(wire.takeOne(), refusal);
  await agent.close();
});

test('the ACK of a refusal stops it, and timer I keeps absorbing ACKs for T4', async () => {
  const { wire, clock, call, agent, text } = await ringing();
  call.reject(486);
  wire.take();
  const ack = request({ method: 'ACK', branch: 'z9hG4bKfixed' });
  wire.receive(ack);
  wire.receive(text);
  clock.advance(4_999);
  wire.receive(ack);
  assert.equal(wire.take(), []);
  assert.is(agent.counters.strayAcks, 0);
  assert.is(agent.activeTransactions, 1);
  clock.advance(1);
  assert.is(agent.activeTransactions, 0);
  assert.is(clock.timers, 0);
  await agent.close();
});

test('the call repeats a 2xx after T1, doubling up to T2, and hangs up after 64*T1 without an ACK', async () => {
  const setup = await ringing();
  const failures: string[] = [];
  setup.call.onFailed = (reason) => failures.push(reason);
  setup.wire.take();
  setup.call.answer(OFFER);
  setup.clock.advance(31_999);
  assert.equal(timesOf(setup), [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
  assert.equal(failures, []);
  setup.clock.advance(1);
  assert.ok(setup.wire.takeOne().startsWith('BYE sip:alice@192.0.2.7:5070 SIP/2.0\r\n'));
  assert.equal(failures, ['no-ack']);
  await setup.agent.close();
});

test('the ACK of a 2xx, which has a branch of its own, stops it', async () => {
  const { wire, clock, call, agent } = await ringing();
  wire.take();
  call.answer(OFFER);
  const toTag = tag(header(wire.takeOne(), 'To'));
  clock.advance(499);
  wire.receive(request({ method: 'ACK', toTag }));
  clock.advance(60_000);
  assert.equal(wire.take(), []);
  assert.is(agent.activeTransactions, 0);
  assert.is(agent.activeCalls, 1);
  await agent.close();
});

test('a repeated INVITE is absorbed while Accepted (RFC 6026)', async () => {
  const { wire, call, text, agent } = await ringing();
  wire.take();
  call.answer(OFFER);
  wire.take();
  wire.receive(text);
  assert.equal(wire.take(), []);
  assert.is(agent.activeCalls, 1);
  await agent.close();
});

test('timer L keeps the Accepted transaction for 64*T1 after the 2xx', async () => {
  const { wire, clock, call, agent } = await ringing();
  call.answer(OFFER);
  const toTag = tag(header(wire.take().at(-1)!.text, 'To'));
  wire.receive(request({ method: 'ACK', toTag }));
  clock.advance(31_999);
  assert.is(agent.activeTransactions, 1);
  clock.advance(1);
  assert.is(agent.activeTransactions, 0);
  await agent.close();
});

test('a non-INVITE gets its response again until timer J ends after 64*T1', async () => {
  const { wire, clock, agent } = await startAgent();
  const text = request({ method: 'OPTIONS' });
  wire.receive(text);
  const answer = wire.takeOne();
  clock.advance(31_999);
  wire.receive(text);
  assert.is(wire.takeOne(), answer);
  clock.advance(1);
  assert.is(agent.activeTransactions, 0);
  wire.receive(text);
  const again = wire.takeOne();
  assert.ok(again.startsWith('SIP/2.0 200 OK\r\n'), 'a transaction that is over is no second path (482)');
  assert.is.not(again, answer, 'a new transaction has a new tag');
  await agent.close();
});

test('the same branch from another host is another transaction', async () => {
  const { wire, agent } = await startAgent();
  const text = (host: string, callId: string): string =>
    request({ method: 'OPTIONS', callId, via: `Via: SIP/2.0/UDP ${host};branch=z9hG4bKsame` });
  wire.receive(text('192.0.2.7', 'a'));
  wire.receive(text('192.0.2.8', 'b'));
  assert.is(agent.activeTransactions, 2);
  assert.is(agent.counters.retransmissionsReceived, 0);
  await agent.close();
});

for (const [what, via] of Object.entries({
  'no branch': 'Via: SIP/2.0/UDP 192.0.2.7:5070',
  'a branch of RFC 2543': 'Via: SIP/2.0/UDP 192.0.2.7:5070;branch=1',
  'a branch that is only the cookie': 'Via: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK',
})) {
  test(`with ${what}, requests are matched by their other fields`, async () => {
    let call: IncomingCall | undefined;
    const { wire, agent } = await startAgent({
      onInvite: (arrived) => {
        call = arrived;
      },
    });
    wire.receive(invite({ via }));
    wire.receive(invite({ via }));
    assert.is(agent.counters.retransmissionsReceived, 1);
    wire.receive(invite({ via, callId: 'another' }));
    assert.is(agent.activeCalls, 2);
    wire.take();
    wire.receive(request({ method: 'CANCEL', via, callId: 'another' }));
    assert.equal(wire.takeStartLines(), ['SIP/2.0 200 OK', 'SIP/2.0 487 Request Terminated']);
    wire.receive(request({ method: 'ACK', via, callId: 'another', toTag: call!.dialog.localTag }));
    assert.is(agent.counters.strayAcks, 0);
    await agent.close();
  });
}

test('the same request over two paths is served once and refused with 482', async () => {
  const { wire, agent } = await ringing();
  wire.take();
  wire.receive(invite());
  assert.ok(wire.takeOne().startsWith('SIP/2.0 482 Loop Detected\r\n'));
  assert.is(agent.counters.merged, 1);
  assert.is(agent.activeCalls, 1);
  await agent.close();
});

test('a stateless answer has the same tag each time', async () => {
  const { wire, agent } = await ringing();
  wire.take();
  const merged = invite();
  wire.receive(merged);
  wire.receive(merged);
  const [first, second] = wire.take();
  assert.is(first!.text, second!.text);
  assert.is(tag(header(first!.text, 'To')).length, 24);
  await agent.close();
});

test('beyond maxTransactions requests get 503 and Retry-After, and are let in again once there is room', async () => {
  const { wire, clock, agent } = await startAgent({ maxTransactions: 2 });
  const options = (n: number): string => request({ method: 'OPTIONS', callId: `c${n}` });
  wire.receive(options(1));
  wire.receive(options(2));
  wire.take();
  wire.receive(options(3));
  const refusal = wire.takeOne();
  assert.ok(refusal.startsWith('SIP/2.0 503 Service Unavailable\r\n'));
  assert.is(header(refusal, 'Retry-After'), '10');
  assert.is(agent.counters.refusedFull, 1);
  clock.advance(32_000);
  wire.receive(options(4));
  assert.ok(wire.takeOne().startsWith('SIP/2.0 200 OK\r\n'));
  await agent.close();
});

test('responses go where Via and rport say', async () => {
  const { wire, agent } = await startAgent();
  const from = { address: '203.0.113.9', port: 40123 };
  wire.receive(
    request({ method: 'OPTIONS', callId: '1', via: 'Via: SIP/2.0/UDP 10.0.0.1:5099;branch=z9hG4bKa;rport' }),
    from,
  );
  wire.receive(
    request({ method: 'OPTIONS', callId: '2', via: 'Via: SIP/2.0/UDP 10.0.0.1:5099;branch=z9hG4bKb' }),
    from,
  );
  const [withRport, without] = wire.take();
  assert.equal(withRport!.destination, from);
  assert.is(
    header(withRport!.text, 'Via'),
    'SIP/2.0/UDP 10.0.0.1:5099;branch=z9hG4bKa;rport=40123;received=203.0.113.9',
  );
  assert.equal(without!.destination, { address: '203.0.113.9', port: 5099 });
  await agent.close();
});

test('a response has all Vias in order and says who answered', async () => {
  const { wire, agent } = await startAgent({ userAgent: 'hamsa-gateway/1' });
  const via =
    'Via: SIP/2.0/UDP p2;branch=z9hG4bK2, SIP/2.0/UDP p1;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK0';
  wire.receive(request({ method: 'OPTIONS', via }));
  const answer = wire.takeOne();
  assert.match(
    answer,
    /\r\nVia: SIP\/2\.0\/UDP p2;branch=z9hG4bK2;received=192\.0\.2\.7, SIP\/2\.0\/UDP p1;branch=z9hG4bK1\r\nVia: SIP\/2\.0\/UDP a;branch=z9hG4bK0\r\n/,
  );
  assert.is(header(answer, 'Server'), 'hamsa-gateway/1');
  await agent.close();
});

test('the Contact of an answer is the advertised address', async () => {
  const { wire, call, agent } = await ringing();
  wire.take();
  call.answer(OFFER);
  assert.is(header(wire.takeOne(), 'Contact'), `<sip:${GATEWAY.address}:${GATEWAY.port}>`);
  await agent.close();
});

test.run();
