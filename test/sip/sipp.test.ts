/** Against sipp, which is not of this project: real sockets, real time. */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/core/clock.ts';
import { ERRORS, GatewayError } from '../../src/core/errors.ts';
import type { IncomingCall } from '../../src/sip/incoming-call.ts';
import { makeOffer, negotiate, readAnswer } from '../../src/sip/offer-answer.ts';
import { parseSdp } from '../../src/sip/sdp.ts';
import { SdpOrigin } from '../../src/sip/sdp-origin.ts';
import { SipUserAgent } from '../../src/sip/user-agent.ts';
import { needs } from '../support/needs.ts';
import { sipp } from '../support/sipp.ts';
import { errorOf } from './wire.ts';

const test = suite('user agent against sipp');

interface Answering {
  readonly agent: SipUserAgent;
  readonly target: string;
  readonly events: string[];
}

/** An agent on loopback that rings, answers `afterMs` later and agrees to every change. */
async function startAnswering(afterMs: number): Promise<Answering> {
  const events: string[] = [];
  const agent = new SipUserAgent({
    clock: systemClock,
    localAddress: '127.0.0.1',
    port: 0,
    allow: [],
    advertisedAddress: () => '127.0.0.1',
    onInvite: (call) => answer(call, afterMs, events),
    onError: (error) => events.push(`error ${error.message}`),
  });
  const { address, port } = await agent.listen();
  return { agent, target: `${address}:${port}`, events };
}

function answer(call: IncomingCall, afterMs: number, events: string[]): void {
  const local = { origin: new SdpOrigin(), localAddress: '127.0.0.1', rtpPort: 20000 };
  call.onCancelled = () => events.push('cancelled');
  call.onBye = () => events.push('bye');
  call.onFailed = (reason) => events.push(`failed ${reason}`);
  call.onConfirmed = (late) => events.push(`confirmed ${late === undefined ? '' : readAnswer(late).codec.name}`.trim());
  call.onReinvite = (offer) => {
    if (offer === undefined) return 488;
    const { answerSdp, direction } = negotiate(offer, local);
    events.push(direction);
    return answerSdp;
  };
  let sdp: string;
  try {
    sdp = call.offer === undefined ? makeOffer(local) : negotiate(call.offer, local).answerSdp;
  } catch (error) {
    call.reject(error instanceof GatewayError ? (ERRORS[error.code].sipStatus ?? 500) : 500);
    return;
  }
  call.ring();
  systemClock.after(afterMs, () => call.answer(sdp));
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Runs sipp as the called side of one call. */
function callee(scenario: string, port: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sipp-'));
  const file = new URL(`../../fixtures/sipp/${scenario}.xml`, import.meta.url).pathname;
  const args = ['-sf', file, '-m', '1', '-i', '127.0.0.1', '-mi', '127.0.0.1', '-p', String(port), '-nostdin'];
  args.push('-timeout', '20s', '-timeout_error');
  return new Promise((resolve, reject) => {
    execFile('sipp', args, { cwd: folder, timeout: 25_000 }, (error, stdout) => {
      rmSync(folder, { recursive: true });
      if (error) reject(new Error(`sipp ${scenario}: exit ${error.code}\n${stdout.slice(-2000)}`));
      else resolve();
    });
  });
}

async function startCalling(): Promise<SipUserAgent> {
  const { agent } = await startAnswering(0);
  return agent;
}

if (needs('user agent against sipp', 'sipp')) {
  test('answers 20 calls at 20 a second, each hung up by the caller', async () => {
    const { agent, target, events } = await startAnswering(50);
    await sipp({ scenario: 'ua-basic-call', target, calls: 20, rate: 20, timeoutS: 20 });
    assert.equal(events.filter((event) => event === 'confirmed').length, 20);
    assert.equal(events.filter((event) => event === 'bye').length, 20);
    assert.is(events.length, 40);
    assert.is(agent.activeCalls, 0);
    assert.is(agent.counters.malformed + agent.counters.internalErrors, 0);
    await agent.close();
  });

  test('lets a caller give up while it rings', async () => {
    const { agent, target, events } = await startAnswering(10_000);
    await sipp({ scenario: 'ua-cancel', target, timeoutS: 20 });
    assert.equal(events, ['cancelled']);
    assert.is(agent.activeCalls, 0);
    await agent.close();
  });

  test('makes the offer when there is none, and is held and resumed', async () => {
    const { agent, target, events } = await startAnswering(20);
    await sipp({ scenario: 'ua-hold-resume', target, timeoutS: 20 });
    assert.equal(events, ['confirmed PCMA', 'recvonly', 'recvonly', 'sendrecv', 'bye']);
    await agent.close();
  });

  test('refuses what it must', async () => {
    const { agent, target, events } = await startAnswering(0);
    await sipp({ scenario: 'ua-bad-requests', target, timeoutS: 20 });
    assert.equal(events, []);
    assert.is(agent.counters.malformed, 1);
    assert.is(agent.activeCalls, 0);
    await agent.close();
  });

  test('calls, is answered and hangs up', async () => {
    const agent = await startCalling();
    const port = await freePort();
    const answered = callee('ua-callee', port);
    const statuses: number[] = [];
    const offer = makeOffer({ origin: new SdpOrigin(), localAddress: '127.0.0.1', rtpPort: 20002 });
    const call = await agent.call(`sip:callee@127.0.0.1:${port}`, {
      from: 'sip:gateway@127.0.0.1',
      offer,
      onProvisional: (status) => statuses.push(status),
    });
    assert.is(readAnswer(parseSdp(call.answer)).codec.name, 'PCMA');
    assert.equal(statuses, [180]);
    await call.bye();
    await answered;
    assert.is(agent.activeCalls, 0);
    await agent.close();
  });

  test('calls and gives up', async () => {
    const agent = await startCalling();
    const port = await freePort();
    const rung = callee('ua-callee-cancelled', port);
    const abort = new AbortController();
    const offer = makeOffer({ origin: new SdpOrigin(), localAddress: '127.0.0.1', rtpPort: 20004 });
    const call = agent.call(`sip:callee@127.0.0.1:${port}`, {
      from: 'sip:gateway@127.0.0.1',
      offer,
      signal: abort.signal,
      onProvisional: () => abort.abort(),
    });
    assert.is((await errorOf(call)).code, 'ERR_ABORTED');
    await rung;
    await agent.close();
  });
}

test.run();
