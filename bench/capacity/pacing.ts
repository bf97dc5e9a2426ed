/**
 * How regularly packets leave while the event loop stalls: many calls over loopback, measured by the kernel's time
 * stamps in a separate receiver, beside threads that do nothing but wake up in the same run.
 *
 * `node --import tsx bench/capacity/pacing.ts [--calls 500] [--seconds 60] [--stall-ms 60] [--hogs 0] [--no-fifo]
 * [--both-ways] [--transport native|dgram] [--json FILE]`. Exits 1 when a goal is missed.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { NativeTransportStatistics } from '../../src/rtp/native-transport.ts';
import { WITHOUT_FIFO, ask, startChild } from '../support/child.ts';
import { describeMachine, printMachine, writeJson } from '../support/report.ts';

export type ToReceiver =
  | { readonly type: 'open'; readonly calls: number; readonly isMachineBusy: boolean }
  /** Streams of the receiver's own, one to each port. */
  | { readonly type: 'answer'; readonly ports: readonly number[] }
  | { readonly type: 'start'; readonly expectedPackets: number }
  | { readonly type: 'stop' };

export type ToSender =
  | {
      readonly type: 'start';
      readonly calls: number;
      readonly stallMs: number;
      readonly ports: readonly number[];
      readonly kind: 'native' | 'dgram';
    }
  | { readonly type: 'stop' };

export interface SenderReport {
  readonly received: number;
  /** Ticks at which a call had nothing to say. */
  readonly underruns: number;
  /** Frames that the tap told of. */
  readonly told: number;
  /** Of the whole process since its start, and of the threads that send. */
  readonly cpuMs: number;
  readonly senderCpuMs: number;
  /** Absent for the dgram transport. */
  readonly native?: NativeTransportStatistics;
}

export interface PacingMeasurement {
  readonly received: number;
  readonly lost: number;
  /** Lost by the receiver, which did not run for long enough: nothing can be said about the sender then. */
  readonly lostByReceiver: number;
  readonly streams: number;
  readonly gapMs: {
    readonly p50: number;
    readonly p95: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
    /** How many gaps were longer than 25 ms. */
    readonly above25: number;
  };
  /** When the longest gaps ended, the longest first: one moment for all streams, or a stream of its own? */
  readonly worst: readonly WorstMoment[];
}

export interface WorstMoment {
  /** Since the start of the measurement. */
  readonly atMs: number;
  readonly longestMs: number;
  /** Streams whose own longest gap ended within the same packet time. */
  readonly streams: number;
}

/** Longest gaps, in ms, that the transport is built for at 20 ms packets. */
const GOALS = { fifo: { p999: 20.5, max: 25 }, other: { p999: 23, max: 30 } } as const;
const PACKETS_PER_SECOND = 50;
/** Until every stream runs and the code is compiled. */
const WARM_UP_MS = 3000;

/** Gaps, in ms. */
interface FloorGaps {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Threads that do nothing but wake up: what no sender with as many threads can beat on this machine. */
interface Floor {
  readonly scheduling: string;
  readonly one: FloorGaps;
  /** Whichever of two threads on different processors wakes first. */
  readonly firstOfTwo: FloorGaps;
}

/** Runs `native/bench/timer-floor.cc` for `seconds`. */
async function measureFloor(program: string, seconds: number, prefix: readonly string[]): Promise<Floor> {
  const [command, ...args] = [...prefix, program, `${seconds}`];
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return JSON.parse(await text(child.stdout)) as Floor;
}

/** @returns whether there is a program at `path` now. */
function compileFloor(path: string): boolean {
  const sources = ['bench/timer-floor.cc', 'realtime-thread.cc'].map((name) =>
    fileURLToPath(new URL(`../../native/${name}`, import.meta.url)),
  );
  return spawnSync('g++', ['-std=c++17', '-O2', '-pthread', ...sources, '-o', path]).status === 0;
}

/** Processes that do nothing but compute. */
function startHogs(count: number): ChildProcess[] {
  return Array.from({ length: count }, () => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      calls: { type: 'string', default: '500' },
      seconds: { type: 'string', default: '60' },
      'stall-ms': { type: 'string', default: '60' },
      hogs: { type: 'string', default: '0' },
      'no-fifo': { type: 'boolean', default: false },
      // Every call receives as well, on the thread that sends.
      'both-ways': { type: 'boolean', default: false },
      transport: { type: 'string', default: 'native' },
      json: { type: 'string' },
    },
  });
  const [calls, seconds] = [Number(values.calls), Number(values.seconds)];
  const [stallMs, hogCount] = [Number(values['stall-ms']), Number(values.hogs)];
  const kind = values.transport === 'dgram' ? 'dgram' : 'native';
  const machine = describeMachine();
  printMachine(machine);

  // The kernel stamps packets whether or not the receiver runs: a second real-time thread would only be in the way.
  const folder = mkdtempSync(join(tmpdir(), 'pacing-bench-'));
  const floorProgram = join(folder, 'timer-floor');
  const hasFloor = compileFloor(floorProgram);
  const senderPrefix = values['no-fifo'] ? WITHOUT_FIFO : [];
  const receiver = startChild(new URL('pacing-receiver.ts', import.meta.url), { prefix: WITHOUT_FIFO });
  const tellReceiver = (message: ToReceiver) => receiver.send(message);
  const ports = await ask<number[]>(receiver, {
    type: 'open',
    calls,
    isMachineBusy: hogCount > 0,
  } satisfies ToReceiver);
  const sender = startChild(new URL('pacing-sender.ts', import.meta.url), { prefix: senderPrefix });
  const senderPorts = await ask<number[]>(sender, { type: 'start', calls, stallMs, ports, kind } satisfies ToSender);
  if (values['both-ways']) tellReceiver({ type: 'answer', ports: senderPorts });

  await pass(WARM_UP_MS);
  const hogs = startHogs(hogCount);
  const expectedPackets = Math.ceil(calls * PACKETS_PER_SECOND * seconds * 1.1);
  tellReceiver({ type: 'start', expectedPackets });
  const floorDone = hasFloor ? measureFloor(floorProgram, seconds, senderPrefix) : undefined;
  await pass(seconds * 1000);
  for (const hog of hogs) hog.kill();
  const measured = await ask<PacingMeasurement>(receiver, { type: 'stop' } satisfies ToReceiver);
  const report = await ask<SenderReport>(sender, { type: 'stop' } satisfies ToSender);

  const floor = await floorDone;
  rmSync(folder, { recursive: true });

  const scheduling = report.native?.scheduling ?? 'other';
  const goal = GOALS[scheduling];
  const { lost, lostByReceiver, worst } = measured;
  const { p50, p95, p99, p999, max, above25 } = measured.gapMs;
  const isReached = p999 <= goal.p999 && max <= goal.max && lost === 0;
  console.log(
    `${kind} transport, scheduling ${scheduling}, ${calls} calls, ${seconds} s, event loop stalled ${stallMs} ms each second, ${hogCount} CPU hogs`,
  );
  console.log(
    `gap ms: p50 ${p50.toFixed(3)}, p95 ${p95.toFixed(3)}, p99 ${p99.toFixed(3)}, p99.9 ${p999.toFixed(3)} (goal ${goal.p999}), max ${max.toFixed(3)} (goal ${goal.max}); above 25 ms: ${above25}`,
  );
  console.log(
    floor
      ? `threads that only wake up: one p99.9 ${floor.one.p999.toFixed(3)}, max ${floor.one.max.toFixed(3)}; the first of two p99.9 ${floor.firstOfTwo.p999.toFixed(3)}, max ${floor.firstOfTwo.max.toFixed(3)}`
      : 'threads that only wake up: not measured, there is no g++',
  );
  for (const { atMs, longestMs, streams } of worst) {
    console.log(
      `  up to ${longestMs.toFixed(1)} ms at ${(atMs / 1000).toFixed(2)} s, the longest of ${streams} streams`,
    );
  }
  const cores = (cpuMs: number): string => (cpuMs / (seconds * 1000 + WARM_UP_MS)).toFixed(3);
  console.log(
    `${measured.received} packets of ${measured.streams} streams, ${lost} lost; ${report.received} received; underruns ${report.underruns}, CPU ${cores(report.cpuMs)} cores, ${cores(report.senderCpuMs)} of them the threads that send`,
  );
  if (lostByReceiver > 0) console.log(`the receiver itself lost ${lostByReceiver}: this says nothing about the sender`);
  if (report.native) {
    const { maxLateMs, skippedDeadlines, standbySent } = report.native;
    console.log(
      `latest packet ${maxLateMs.toFixed(2)} ms late, ${skippedDeadlines} skipped, ${standbySent} sent by the standby thread (all since the start)`,
    );
  }
  writeJson(values.json, {
    bench: 'pacing',
    machine,
    calls,
    seconds,
    stallMs,
    hogs: hogCount,
    kind,
    scheduling,
    goal,
    isReached,
    measured,
    floor,
    report,
  });
  return isReached ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();
