/**
 * Mutated messages against a user agent that is in the middle of calls. Whatever comes, it must not throw, must send
 * nothing but single-line header fields, must stay within its bounds and must let go of everything in the end.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { IncomingCall } from '../../src/sip/incoming-call.ts';
import { negotiate } from '../../src/sip/offer-answer.ts';
import { parseMessage } from '../../src/sip/parse.ts';
import { SdpOrigin } from '../../src/sip/sdp-origin.ts';
import { CALL } from './peer.ts';
import { header, invite, OFFER, reply, request, startAgent } from './wire.ts';

const test = suite('SIP fuzz');

const MESSAGES = 120_000;
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261_001);

/** Mulberry32: small, seeded, good enough to choose mutations. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function corpus(): Buffer[] {
  const folder = join(dirname(createRequire(import.meta.url).resolve('sip')), 'test/messages');
  const torture = readdirSync(folder)
    .filter((file) => file.endsWith('.dat'))
    .map((file) => readFileSync(join(folder, file)));
  const ours = [
    invite({ branch: 'z9hG4bKa' }),
    invite({ branch: 'z9hG4bKb', callId: 'b', extra: ['Record-Route: <sip:p;lr>', 'Require: x'] }),
    request({ method: 'CANCEL', branch: 'z9hG4bKa' }),
    request({ method: 'ACK', branch: 'z9hG4bKa' }),
    request({ method: 'OPTIONS', callId: 'o' }),
    request({ method: 'INFO', contentType: 'application/dtmf-relay', body: 'Signal=1\r\nDuration=100\r\n' }),
  ];
  return [...torture, ...ours.map((text) => Buffer.from(text))];
}

const TOKENS = [
  '\r\n',
  '\r',
  '\n',
  '\0',
  '"',
  '<',
  '>',
  ';',
  ',',
  ':',
  '%00',
  '%',
  '\\',
  ' ',
  '\t',
  '@',
  'é',
  '\ufeff',
  '4294967296',
  '-1',
  'SIP/2.0',
  ';tag=',
  ';rport',
  ';maddr=1.2.3.4',
  'sip:',
  '[::1]',
];

/** One to four edits: a byte, a token, a cut, a repeated or moved piece, or the tail of another message. */
function mutate(message: Buffer, others: readonly Buffer[], next: (below: number) => number): Buffer {
  let bytes = message;
  for (let edits = next(4); edits >= 0; edits--) {
    const at = next(bytes.length + 1);
    const until = Math.min(bytes.length, at + next(40));
    const before = bytes.subarray(0, at);
    const after = bytes.subarray(until);
    const other = others[next(others.length)]!;
    const middle = [
      () => Buffer.from([next(256)]),
      () => Buffer.from(TOKENS[next(TOKENS.length)]!),
      () => Buffer.alloc(0),
      () => Buffer.concat([bytes.subarray(at, until), bytes.subarray(at, until)]),
      () => other.subarray(next(other.length + 1), next(other.length + 1)),
      () => Buffer.alloc(next(200), TOKENS[next(TOKENS.length)]!),
    ][next(6)]!();
    bytes = Buffer.concat([before, middle, after]);
  }
  return bytes;
}

/** What the application of this test does with a call, chosen by chance. */
function play(call: IncomingCall, next: (below: number) => number): void {
  const answer = (): string => {
    if (call.offer === undefined) return OFFER;
    const side = { origin: new SdpOrigin(), localAddress: '198.51.100.1', rtpPort: 20000 };
    return negotiate(call.offer, side).answerSdp;
  };
  call.onReinvite = (offer) => (offer === undefined || next(2) === 0 ? OFFER : 488);
  if (next(20) === 0) throw new Error('the application throws, too');
  if (next(3) > 0) call.ring();
  if (next(3) > 0) call.answer(answer());
  else if (next(2) === 0) call.reject(486);
}

/** What the peer of a call might send next. */
function inDialog(call: IncomingCall, next: (below: number) => number): string {
  const method = ['BYE', 'ACK', 'ACK', 'INVITE', 'INFO', 'OPTIONS', 'CANCEL'][next(7)]!;
  const body = ['ACK', 'INVITE'].includes(method) && next(2) === 0 ? OFFER : undefined;
  const ids = { callId: call.callId, toTag: call.dialog.localTag, fromTag: 'alice' };
  return request({ method, ...ids, cseq: 1 + next(5), body });
}

test(`survives ${MESSAGES} mutated messages (FUZZ_SEED=${SEED})`, async () => {
  const next = generator(SEED);
  const calls: IncomingCall[] = [];
  const { wire, clock, agent, errors } = await startAgent({
    maxCalls: 20,
    maxTransactions: 150,
    onInvite: (call) => {
      calls.push(call);
      play(call, next);
    },
  });
  const seeds = corpus();
  const outgoing = agent.call('sip:bob@192.0.2.7:5070', CALL).catch(() => undefined);
  const sentInvite = wire.takeOne();
  const replies = [180, 200, 486].map((status) => Buffer.from(reply(sentInvite, status, { toTag: 'b', body: OFFER })));

  try {
    for (let i = 0; i < MESSAGES; i++) {
      const pick = next(10);
      let message = seeds[next(seeds.length)]!;
      const call = calls.at(-1);
      if (pick === 0) message = replies[next(replies.length)]!;
      else if (pick < 3) message = Buffer.from(invite({ callId: `c${i}`, ...(next(4) === 0 ? { body: '' } : {}) }));
      else if (pick < 6 && call !== undefined) message = Buffer.from(inDialog(call, next));
      wire.receive(next(8) === 0 ? message : mutate(message, seeds, next));
      if (next(100) === 0) clock.advance(next(40_000));
      if (next(100) === 0) for (const old of calls.slice(-30, -3)) void old.bye();
      assert.ok(agent.activeCalls <= 20 && agent.activeTransactions <= 200, 'bounds');
      for (const { text } of wire.take()) {
        const head = text.slice(0, text.indexOf('\r\n\r\n'));
        assert.not.match(head, /\0|\r(?!\n)|(?<!\r)\n/);
        assert.match(head, /^SIP\/2\.0 \d{3} |^(?:BYE|ACK|INVITE|CANCEL) /);
        if (header(text, 'Via') === undefined) assert.unreachable(`no Via: ${text}`);
      }
    }
  } catch (error) {
    console.log(`FUZZ_SEED=${SEED}`);
    throw error;
  }

  assert.equal(
    errors.map(({ message }) => message).filter((message) => !/the application throws|the offer has/.test(message)),
    [],
  );
  assert.is(agent.counters.internalErrors, 0);
  assert.ok(agent.counters.malformed > MESSAGES / 10, 'enough is broken');
  assert.ok(calls.length > 1_000, `enough is understood: ${calls.length} calls`);
  await agent.close();
  await outgoing;
  assert.is(clock.timers, 0);
  assert.is(agent.activeCalls, 0);
});

test('the parser takes nothing that it could not tell back', () => {
  const next = generator(SEED + 1);
  const seeds = corpus();
  for (let i = 0; i < MESSAGES / 4; i++) {
    const bytes = mutate(seeds[next(seeds.length)]!, seeds, next);
    const message = parseMessage(bytes);
    if (message.kind === 'request' || message.kind === 'response') {
      assert.ok(message.cseq.number < 2 ** 31 && message.body.length <= bytes.length);
      for (const { value } of message.fields) assert.not.match(value, /[\r\n]/);
    }
  }
});

test.run();
