/**
 * The 49 messages of RFC 4475, as the npm package `sip` carries them, given to a user agent as datagrams. Where the RFC
 * leaves a choice the table has ours: whatever breaks the grammar is refused.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fieldValue, fieldValues, listValues, type SipRequest, type SipResponse } from '../../src/sip/message.ts';
import { parseMessage } from '../../src/sip/parse.ts';
import { uriUser } from '../../src/sip/uri.ts';
import { header, startAgent } from './wire.ts';

const FOLDER = join(dirname(createRequire(import.meta.url).resolve('sip')), 'test/messages');

function load(name: string): Buffer {
  const bytes = readFileSync(join(FOLDER, `${name}.dat`));
  // The package keeps the empty line that ends this one in a file of its own.
  return name === 'baddn' ? Buffer.concat([bytes, readFileSync(join(FOLDER, 'baddn_sep.dat'))]) : bytes;
}

/** `call`: handed to the application as a call. A number: the status on the wire. `drop`: nothing is sent. */
type Outcome = 'call' | 'drop' | number;

const VALID: Readonly<Record<string, Outcome>> = {
  wsinv: 481, // 3.1.1.1; its To has a tag, so it belongs to a dialog that is not there.
  intmeth: 501,
  esc01: 'call',
  escnull: 405,
  esc02: 501,
  lwsdisp: 200,
  longreq: 'call',
  dblreq: 405,
  semiuri: 200,
  transports: 200,
  mpart01: 405,
  unreason: 'drop',
  noreason: 'drop',
};

const INVALID: Readonly<Record<string, Outcome>> = {
  badinv01: 400,
  clerr: 400,
  ncl: 400,
  scalar02: 400,
  scalarlg: 'drop',
  quotbal: 400,
  ltgtruri: 400,
  lwsruri: 400,
  lwsstart: 400,
  trws: 400,
  escruri: 400,
  baddate: 400,
  regbadct: 400,
  badaspec: 400,
  baddn: 400,
  badvers: 505,
  mismatch01: 400,
  mismatch02: 400,
  bigcode: 'drop',
};

/** Sections 3.2 to 3.4: grammar is right, meaning is not, or is old. */
const SEMANTIC: Readonly<Record<string, Outcome>> = {
  badbranch: 200, // Matched as RFC 2543 does.
  insuf: 400,
  unkscm: 416,
  novelsc: 416,
  unksm2: 405,
  bext01: 420,
  invut: 415,
  regaut01: 405,
  multi01: 400,
  mcl01: 400,
  bcast: 'drop',
  zeromf: 200,
  cparam01: 405,
  cparam02: 405,
  regescrt: 405,
  sdp01: 406,
  inv2543: 'call',
};

const ALL = { ...VALID, ...INVALID, ...SEMANTIC };

const test = suite('RFC 4475 torture messages');

test('the table names each message of the RFC once', () => {
  const extras = ['baddn_sep', 'badcseq', 'test'];
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.dat'));
  const names = files.map((file) => file.slice(0, -4)).filter((name) => !extras.includes(name));
  assert.is(names.length, 49);
  assert.equal(Object.keys(ALL).toSorted(), names.toSorted());
});

for (const [name, outcome] of Object.entries(ALL)) {
  test(`${name}: ${typeof outcome === 'number' ? `is answered with ${outcome}` : outcome}`, async () => {
    let calls = 0;
    const { wire, agent, errors } = await startAgent({ onInvite: () => calls++ });
    const bytes = load(name);
    wire.receive(bytes, { address: '192.0.2.1', port: 5060 });

    const statuses = wire.take().map(({ text }) => Number(text.slice(8, 11)));
    const expected = outcome === 'call' ? [100] : outcome === 'drop' ? [] : [outcome];
    assert.equal(statuses, expected);
    assert.is(calls, outcome === 'call' ? 1 : 0);
    assert.is(agent.counters.malformed, name in INVALID || outcome === 400 ? 1 : 0);
    assert.is(agent.counters.internalErrors, 0);
    assert.equal(errors, []);
    await agent.close();
    assert.is(wire.clock.timers, 0);
  });
}

for (const name of Object.keys(INVALID)) {
  test(`${name}: the parser refuses it`, () => {
    const { kind } = parseMessage(load(name));
    assert.ok(kind === 'bad-request' || kind === 'unparseable', kind);
  });
}

test('a request line without a version and a CSeq of no number, which are not in the RFC, are refused as well', async () => {
  const { wire, agent } = await startAgent();
  wire.receive(load('test'));
  assert.equal(wire.take(), []);
  wire.receive(load('badcseq'));
  assert.is(wire.takeOne().slice(0, 20), 'SIP/2.0 400 Bad cseq');
  assert.is(agent.counters.malformed, 2);
  await agent.close();
});

function requestOf(name: string): SipRequest {
  const message = parseMessage(load(name));
  assert.is(message.kind, 'request');
  return message as SipRequest;
}

test('wsinv: white space and folding do not change what is said', () => {
  const message = requestOf('wsinv');
  assert.is(message.uri.text, 'sip:vivekg@chair-dnrc.example.com;unknownparam');
  assert.is(message.from.displayName, 'J Rosenberg \\"');
  assert.is(message.from.parameters.get('tag'), '98asjd8');
  assert.is(message.to.parameters.get('tag'), '1918181833n');
  assert.equal(message.cseq, { number: 9, method: 'INVITE' });
  assert.is(message.viaCount, 3);
  assert.is(message.topVia.protocol, 'SIP/2.0/UDP');
  assert.is(message.topVia.branch, '390skdjuw');
  assert.is(message.contacts[0]?.displayName, 'Quoted string ""');
  assert.equal(
    [...message.contacts[0]!.parameters],
    [
      ['newparam', 'newvalue'],
      ['secondparam', ''],
      ['q', '0.33'],
    ],
  );
  assert.is(fieldValue(message, 'subject'), '');
  assert.is(fieldValue(message, 'newfangledheader'), 'newfangled value continued newfangled value');
  assert.is(fieldValue(message, 'unknownheaderwithunusualvalue'), ';;,,;;,;');
  assert.is(message.body.length, 150);
});

test('intmeth: every character that is allowed is kept', () => {
  const message = requestOf('intmeth');
  assert.is(message.method, "!interesting-Method0123456789_*+`.%indeed'~");
  assert.is(message.to.displayName, 'BEL:\x07 NUL:\x00 DEL:\x7f');
  assert.is(message.from.displayName, "token1~` token2'+_ token3*%!.-");
  assert.is(message.from.parameters.get("fromparam''~+*_!.-%"), '"работающий"');
  assert.is(message.from.parameters.get('tag'), "_token~1'+`*%!-.");
  assert.is(message.callId, 'intmeth.word%ZK-!.*_+\'@word`~)(><:\\/"][?}{');
  assert.is(fieldValue(message, "extensionheader-!.%*+_`'~"), '\ufeff大停電');
});

test('intmeth: the answer carries no NUL and keeps the quotes balanced', async () => {
  const { wire, agent } = await startAgent();
  wire.receive(load('intmeth'));
  const answer = wire.takeOne();
  assert.not.match(answer, /\0/);
  assert.ok(header(answer, 'To')?.startsWith('"BEL:\\\x07 NUL:\\  DEL:\\\x7f" <sip:1_unusual.URI'));
  assert.is(parseMessage(Buffer.from(answer)).kind, 'response');
  await agent.close();
});

test('esc01 and esc02: escapes are resolved in user parts and nowhere else', () => {
  const call = requestOf('esc01');
  assert.is(uriUser(call.uri), 'sips:user@example.com');
  assert.is(uriUser(call.to.uri), 'user');
  assert.is(uriUser(call.from.uri), 'I have spaces');
  const register = requestOf('esc02');
  assert.is(register.method, 'RE%47IST%45R');
  assert.is(register.from.displayName, '%Z%45');
  assert.equal(
    register.contacts.map(({ uri }) => uri.text),
    ['sip:alias1@host1.example.com', 'sip:alias3@host3.example.com'],
  );
  assert.equal(fieldValues(register, 'c%6fntact'), ['<sip:alias2@host2.example.com>']);
});

test('escnull: an escaped NUL is part of the user', () => {
  assert.is(uriUser(requestOf('escnull').to.uri), 'null-\0-null');
  assert.equal(
    requestOf('escnull').contacts.map(({ uri }) => uriUser(uri)),
    ['\0', '\0\0'],
  );
});

test('lwsdisp: a display name may touch its angle bracket', () => {
  assert.is(requestOf('lwsdisp').from.displayName, 'caller');
});

test('longreq: 34 hops and long values are taken', () => {
  const message = requestOf('longreq');
  assert.is(message.viaCount, 34);
  assert.is(message.topVia.host, 'sip33.example.com');
  assert.is(message.body.length, 150);
});

test('dblreq: what follows Content-Length is dropped', () => {
  assert.is(requestOf('dblreq').body.length, 0);
});

test('semiuri: a semicolon before the @ belongs to the user', () => {
  const { uri } = requestOf('semiuri');
  assert.is(uriUser(uri), 'user;par=u@example.net');
  assert.is(listValues(requestOf('semiuri'), 'accept').length, 6);
});

test('mpart01: a binary body is kept byte for byte', () => {
  const bytes = load('mpart01');
  assert.is(Buffer.compare(Buffer.from(requestOf('mpart01').body), bytes.subarray(bytes.length - 553)), 0);
});

test('cparam01 and cparam02: angle brackets decide what a parameter belongs to', () => {
  assert.ok(requestOf('cparam01').contacts[0]?.parameters.has('unknownparam'));
  const bracketed = requestOf('cparam02').contacts[0];
  assert.is(bracketed?.parameters.size, 0);
  assert.is(bracketed?.uri.text, 'sip:+19725552222@gw1.example.net;unknownparam');
});

test('unreason and noreason: any reason phrase and none are taken', () => {
  assert.is((parseMessage(load('unreason')) as SipResponse).reason, '= 2**3 * 5**2 но сто девяносто девять - простое');
  assert.is((parseMessage(load('noreason')) as SipResponse).reason, '');
});

test('bext01: the answer names each extension that is not there', async () => {
  const { wire, agent } = await startAgent();
  wire.receive(load('bext01'));
  assert.is(header(wire.takeOne(), 'Unsupported'), 'nothingSupportsThis, nothingSupportsThisEither');
  await agent.close();
});

test('invut: the answer says which body is understood', async () => {
  const { wire, agent } = await startAgent();
  wire.receive(load('invut'));
  assert.is(header(wire.takeOne(), 'Accept'), 'application/sdp');
  await agent.close();
});

test.run();
