/**
 * What a call costs that listens: CPU, memory and garbage of the whole gateway process, with real SIP calls that send
 * speech with pauses. In the same run a bare relay on node:dgram, one of C++ that does nothing else, and Debian's rtpengine,
 * which transcodes, take as many packets.
 *
 * `node --import tsx bench/capacity/calls.ts [--calls 100,500,1000] [--seconds 10] [--heap-seconds 10] [--rounds 1]
 * [--no-peers] [--cpu-prof DIR] [--json FILE]`. Exits 1 when a goal is missed.
 */
import type { ChildProcess } from 'node:child_process';
import { loadavg } from 'node:os';
import { setTimeout as pass } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { systemClock as clock } from '../../src/core/clock.ts';
import { makeOffer, readAnswer } from '../../src/sip/offer-answer.ts';
import { parseSdp } from '../../src/sip/sdp.ts';
import { SdpOrigin } from '../../src/sip/sdp-origin.ts';
import { SipUserAgent } from '../../src/sip/user-agent.ts';
import { ask, endChild, startChild, WITHOUT_FIFO } from '../support/child.ts';
import { cpuUs, pssBytes } from '../support/process-usage.ts';
import { describeMachine, percentile, printMachine, writeJson } from '../support/report.ts';
import { Rtpengine } from './rtpengine.ts';
import { SocketFloor } from './socket-floor.ts';

export type ToCaller =
  | { readonly type: 'open'; readonly calls: number }
  | { readonly type: 'speak'; readonly remotePorts: readonly number[]; readonly says: 'speech' | 'noise' }
  | { readonly type: 'count' };

export interface CallerCount {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly payloadTypes: readonly number[];
}

export type ToGateway = { readonly type: 'listen' | 'collect' | 'count' };

export interface GatewayCount {
  readonly cpuUs: number;
  /** Of JavaScript, when the count began and when it was made. */
  readonly heapBytesBefore: number;
  readonly heapBytesAfter: number;
  /** Garbage collections. */
  readonly collections: number;
  /** Audio that reached its call, in order. */
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly lost: number;
  readonly utterances: number;
  readonly scheduling: 'fifo' | 'other';
  readonly skippedDeadlines: number;
  readonly ringFull: number;
}

export type ToRelay = { readonly type: 'open'; readonly calls: number } | { readonly type: 'count' };

export interface RelayCount {
  readonly cpuUs: number;
  readonly packets: number;
}

/** What one server did with the packets of so many calls. */
interface Cost {
  /** CPU of the whole process for a packet in and a packet out. */
  readonly usPerPacket: number;
  readonly packetsPerSecond: number;
  readonly lost: number;
  /** Of the machine, right after. */
  readonly load: number;
}

interface GatewayCost extends Cost {
  /** The share of the thread that owns the sockets. */
  readonly mediaThreadUs: number;
  readonly pssMbPerCall: number;
  readonly utterances: number;
  readonly scheduling: 'fifo' | 'other';
  readonly skippedDeadlines: number;
}

const HOST = '127.0.0.1';
const PTIME_MS = 20;
const PACKETS_PER_SECOND = 1000 / PTIME_MS;
/** Until code is compiled, and the memory that a listening call needs has been touched: an utterance or two. */
const WARM_UP_MS = 8000;
/** INVITEs under way at once. */
const DIALLING = 20;
/** Its name for the kernel. */
const MEDIA_THREAD = 'hamsa-media';
const HEAP_CALLS = 100;
/** Room for everything that a run allocates, so that no collection takes away what is to be counted. */
const HEAP_FLAGS = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'] as const;
const MB = 2 ** 20;

const GOALS = { usAt100: 9, us: 6, ofRtpengine: 0.45, pssMbPerCall: 0.35, heapBytesPerPacket: 1 } as const;

/** Calls the gateway once per port of the caller. @returns where the gateway takes the audio of each. */
async function dial(
  sipPort: number,
  callerPorts: readonly number[],
): Promise<{ remotePorts: number[]; close: () => void }> {
  const agent = new SipUserAgent({
    clock,
    localAddress: HOST,
    port: 0,
    allow: [],
    maxCalls: callerPorts.length,
    advertisedAddress: () => HOST,
    onInvite: (call) => void call.reject(486),
  });
  const { port } = await agent.listen();
  const remotePorts: number[] = [];
  const dialNext = async (call: number): Promise<void> => {
    const rtpPort = callerPorts[call];
    if (rtpPort === undefined) return;
    const offer = makeOffer({ origin: new SdpOrigin(), localAddress: HOST, rtpPort, ptimeMs: PTIME_MS });
    const { answer } = await agent.call(`sip:bench@${HOST}:${sipPort}`, { from: `sip:caller@${HOST}:${port}`, offer });
    remotePorts[call] = readAnswer(parseSdp(answer)).remoteRtp!.port;
    await dialNext(call + DIALLING);
  };
  await Promise.all(Array.from({ length: DIALLING }, (_, line) => dialNext(line)));
  return { remotePorts, close: () => void agent.close() };
}

/** A caller process with so many ports. */
async function startCaller(calls: number): Promise<{ caller: ChildProcess; ports: readonly number[] }> {
  const caller = startChild(new URL('./caller.ts', import.meta.url), { prefix: WITHOUT_FIFO });
  return { caller, ports: await ask<number[]>(caller, { type: 'open', calls } satisfies ToCaller) };
}

async function speak(
  caller: ChildProcess,
  remotePorts: readonly number[],
  says: 'speech' | 'noise' = 'speech',
): Promise<void> {
  await ask(caller, { type: 'speak', remotePorts, says } satisfies ToCaller);
}

async function count(caller: ChildProcess): Promise<CallerCount> {
  return ask<CallerCount>(caller, { type: 'count' } satisfies ToCaller);
}

async function measureGateway(calls: number, seconds: number, flags: readonly string[]): Promise<GatewayCost> {
  const gateway = startChild(new URL('./listening-gateway.ts', import.meta.url), { flags });
  const { caller, ports } = await startCaller(calls);
  const counted = (): Promise<GatewayCount> => ask<GatewayCount>(gateway, { type: 'count' } satisfies ToGateway);
  try {
    const sipPort = await ask<number>(gateway, { type: 'listen' } satisfies ToGateway);
    const pssBefore = pssBytes(gateway.pid!);
    const { remotePorts, close } = await dial(sipPort, ports);
    await speak(caller, remotePorts);
    await pass(WARM_UP_MS);
    const callerBefore = await count(caller);
    const before = await counted();
    const mediaBeforeUs = cpuUs(gateway.pid!, MEDIA_THREAD);
    const startMs = performance.now();
    await pass(seconds * 1000);
    const after = await counted();
    const mediaAfterUs = cpuUs(gateway.pid!, MEDIA_THREAD);
    const elapsedMs = performance.now() - startMs;
    const pssAfter = pssBytes(gateway.pid!);
    const callerAfter = await count(caller);
    close();
    const packets = (after.packetsIn - before.packetsIn + after.packetsOut - before.packetsOut) / 2;
    return {
      usPerPacket: (after.cpuUs - before.cpuUs) / packets,
      packetsPerSecond: (packets * 1000) / elapsedMs,
      lost: after.lost - before.lost + callerAfter.lost - callerBefore.lost,
      load: loadavg()[0]!,
      mediaThreadUs: (mediaAfterUs - mediaBeforeUs) / packets,
      pssMbPerCall: (pssAfter - pssBefore) / MB / calls,
      utterances: after.utterances - before.utterances,
      scheduling: after.scheduling,
      skippedDeadlines: after.skippedDeadlines - before.skippedDeadlines,
    };
  } finally {
    await Promise.all([endChild(gateway), endChild(caller)]);
  }
}

/** JavaScript heap that each packet takes. Callers are silent: what an utterance needs is not a packet's, and is collected. */
async function measureHeap(seconds: number): Promise<number> {
  const gateway = startChild(new URL('./listening-gateway.ts', import.meta.url), { flags: HEAP_FLAGS });
  const { caller, ports } = await startCaller(HEAP_CALLS);
  try {
    const sipPort = await ask<number>(gateway, { type: 'listen' } satisfies ToGateway);
    const { remotePorts, close } = await dial(sipPort, ports);
    await speak(caller, remotePorts, 'noise');
    await pass(WARM_UP_MS);
    await ask(gateway, { type: 'collect' } satisfies ToGateway);
    const before = await ask<GatewayCount>(gateway, { type: 'count' } satisfies ToGateway);
    await pass(seconds * 1000);
    const after = await ask<GatewayCount>(gateway, { type: 'count' } satisfies ToGateway);
    close();
    // The forced one may be told late.
    if (after.collections > before.collections + 1)
      throw new Error('Expected no garbage collection: run for less long');
    return (after.heapBytesBefore - before.heapBytesAfter) / (after.packetsIn - before.packetsIn);
  } finally {
    await Promise.all([endChild(gateway), endChild(caller)]);
  }
}

async function measureRelay(calls: number, seconds: number): Promise<Cost> {
  const relay = startChild(new URL('./dgram-relay.ts', import.meta.url));
  const { caller } = await startCaller(calls);
  try {
    const remotePorts = await ask<number[]>(relay, { type: 'open', calls } satisfies ToRelay);
    await speak(caller, remotePorts);
    await pass(WARM_UP_MS);
    const callerBefore = await count(caller);
    const before = await ask<RelayCount>(relay, { type: 'count' } satisfies ToRelay);
    await pass(seconds * 1000);
    const after = await ask<RelayCount>(relay, { type: 'count' } satisfies ToRelay);
    const callerAfter = await count(caller);
    const packets = after.packets - before.packets;
    return {
      usPerPacket: (after.cpuUs - before.cpuUs) / packets,
      packetsPerSecond: packets / seconds,
      lost: callerAfter.lost - callerBefore.lost,
      load: loadavg()[0]!,
    };
  } finally {
    await Promise.all([endChild(relay), endChild(caller)]);
  }
}

/** Of a server that is no child of ours to ask: what its process took, and what the caller got back. */
async function measureProcess(
  pid: number,
  calls: number,
  seconds: number,
  dialEach: (callerPorts: readonly number[]) => Promise<readonly number[]>,
  payloadType: number,
): Promise<Cost> {
  const { caller, ports } = await startCaller(calls);
  try {
    await speak(caller, await dialEach(ports));
    await pass(WARM_UP_MS);
    const before = await count(caller);
    const cpuBeforeUs = cpuUs(pid);
    await pass(seconds * 1000);
    const cpuAfterUs = cpuUs(pid);
    const after = await count(caller);
    if (after.payloadTypes.join() !== `${payloadType}`)
      throw new Error(`Expected payload type ${payloadType} alone but received ${after.payloadTypes.join(', ')}`);
    const packets = after.received - before.received;
    return {
      usPerPacket: (cpuAfterUs - cpuBeforeUs) / packets,
      packetsPerSecond: packets / seconds,
      lost: after.lost - before.lost,
      load: loadavg()[0]!,
    };
  } finally {
    await endChild(caller);
  }
}

/** @returns undefined when it is not installed. */
async function measureRtpengine(calls: number, seconds: number): Promise<(Cost & { version: string }) | undefined> {
  const rtpengine = await Rtpengine.start();
  if (!rtpengine) return undefined;
  const dialEach = async (callerPorts: readonly number[]): Promise<number[]> => {
    const ports: number[] = [];
    for (const port of callerPorts) ports.push(await rtpengine.call(port));
    return ports;
  };
  try {
    return { ...(await measureProcess(rtpengine.pid, calls, seconds, dialEach, 8)), version: rtpengine.version };
  } finally {
    await rtpengine.stop();
  }
}

/** @returns undefined without a compiler. */
async function measureFloor(calls: number, seconds: number): Promise<Cost | undefined> {
  const floor = await SocketFloor.start(calls);
  if (!floor) return undefined;
  try {
    return await measureProcess(floor.pid, calls, seconds, async () => floor.ports, 0);
  } finally {
    await floor.stop();
  }
}

function median(numbers: readonly number[]): number {
  return percentile(
    numbers.toSorted((a, b) => a - b),
    0.5,
  );
}

function printCost(name: string, calls: number, cost: Cost, more = ''): void {
  const { usPerPacket, packetsPerSecond, lost, load } = cost;
  const share = ((packetsPerSecond / (calls * PACKETS_PER_SECOND)) * 100).toFixed(1);
  console.log(
    `${name}, ${calls} calls: ${usPerPacket.toFixed(2)} µs a packet in and out; ${share} % of the packets, ${lost} lost${more}; load ${load.toFixed(1)}`,
  );
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      calls: { type: 'string', default: '100,500,1000' },
      seconds: { type: 'string', default: '10' },
      'heap-seconds': { type: 'string', default: '10' },
      rounds: { type: 'string', default: '1' },
      'no-peers': { type: 'boolean', default: false },
      'cpu-prof': { type: 'string' },
      json: { type: 'string' },
    },
  });
  const [seconds, heapSeconds, rounds] = [
    Number(values.seconds),
    Number(values['heap-seconds']),
    Number(values.rounds),
  ];
  const folder = values['cpu-prof'];
  const flags = folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
  const machine = describeMachine();
  printMachine(machine);

  const results = [];
  let isReached = true;
  for (const calls of values.calls.split(',').map(Number)) {
    const gateway: GatewayCost[] = [];
    const relay: Cost[] = [];
    const floor: Cost[] = [];
    const rtpengine: Cost[] = [];
    for (let round = 0; round < rounds; round++) {
      const cost = await measureGateway(calls, seconds, flags);
      gateway.push(cost);
      const { mediaThreadUs, pssMbPerCall, utterances, scheduling, skippedDeadlines } = cost;
      printCost(
        'gateway',
        calls,
        cost,
        ` (media thread ${mediaThreadUs.toFixed(2)}), ${pssMbPerCall.toFixed(3)} MB PSS a call, ${utterances} utterances, ${scheduling}, ${skippedDeadlines} deadlines skipped`,
      );
      if (values['no-peers']) continue;
      const relayCost = await measureRelay(calls, seconds);
      relay.push(relayCost);
      printCost('node:dgram relay', calls, relayCost);
      const floorCost = await measureFloor(calls, seconds);
      if (floorCost) {
        floor.push(floorCost);
        printCost('bare sockets', calls, floorCost);
      } else console.log('bare sockets: not measured, no g++');
      const rtpengineCost = await measureRtpengine(calls, seconds);
      if (rtpengineCost) {
        rtpengine.push(rtpengineCost);
        printCost(`rtpengine ${rtpengineCost.version} transcoding`, calls, rtpengineCost);
      } else console.log('rtpengine: not measured, not installed (Debian: rtpengine-daemon)');
    }
    const us = median(gateway.map(({ usPerPacket }) => usPerPacket));
    const pssMbPerCall = median(gateway.map((cost) => cost.pssMbPerCall));
    const ofRelay = us / median(relay.map(({ usPerPacket }) => usPerPacket));
    const ofFloor = us / median(floor.map(({ usPerPacket }) => usPerPacket));
    const ofRtpengine = us / median(rtpengine.map(({ usPerPacket }) => usPerPacket));
    const goalUs = calls <= 100 ? GOALS.usAt100 : GOALS.us;
    // A peer that was not measured is no failure.
    if (us > goalUs || pssMbPerCall > GOALS.pssMbPerCall || ofRtpengine > GOALS.ofRtpengine) isReached = false;
    console.log(
      `= ${calls} calls: ${us.toFixed(2)} µs (goal ${goalUs}), ${ofRelay.toFixed(2)}x the relay, ${ofFloor.toFixed(2)}x bare sockets, ${ofRtpengine.toFixed(2)}x rtpengine (goal ${GOALS.ofRtpengine}), ${Math.floor(1e6 / us / PACKETS_PER_SECOND)} calls a core, ${pssMbPerCall.toFixed(3)} MB (goal ${GOALS.pssMbPerCall})`,
    );
    results.push({
      calls,
      usPerPacket: us,
      ofRelay,
      ofFloor,
      ofRtpengine,
      pssMbPerCall,
      gateway,
      relay,
      floor,
      rtpengine,
    });
  }
  let heapBytesPerPacket: number | undefined;
  if (heapSeconds > 0) {
    heapBytesPerPacket = await measureHeap(heapSeconds);
    console.log(
      `JavaScript heap, ${HEAP_CALLS} silent callers, ${heapSeconds} s: ${heapBytesPerPacket.toFixed(2)} bytes a packet (goal ${GOALS.heapBytesPerPacket}); load ${loadavg()[0]!.toFixed(1)}`,
    );
    if (heapBytesPerPacket > GOALS.heapBytesPerPacket) isReached = false;
  }
  writeJson(values.json, {
    bench: 'calls',
    machine,
    seconds,
    heapSeconds,
    rounds,
    goals: GOALS,
    isReached,
    results,
    heapBytesPerPacket,
  });
  return isReached ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // The user agent's last transactions would keep the process for half a minute.
  process.exit(await main());
}
