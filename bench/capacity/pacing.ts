/**
 * How regularly packets leave while the event loop stalls: many calls over loopback, measured by the kernel's time
 * stamps in a separate receiver.
 *
 * `node --import tsx bench/capacity/pacing.ts [--calls 500] [--seconds 60] [--stall-ms 60] [--no-fifo]
 * [--both-ways] [--transport native|dgram] [--json FILE]`. Exits 1 when a goal is missed.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { NativeTransportStatistics } from '../../src/rtp/native-transport.ts';
import { describeMachine, printMachine, writeJson } from '../support/report.ts';

export type ToReceiver =
  | { readonly type: 'open'; readonly calls: number }
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
  /** Of the whole process since its start. */
  readonly cpuMs: number;
  /** Absent for the dgram transport. */
  readonly native?: NativeTransportStatistics;
}

export interface PacingMeasurement {
  readonly received: number;
  readonly lost: number;
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
}

/** Longest gaps, in ms, that the transport is built for at 20 ms packets. */
const GOALS = { fifo: { p999: 20.5, max: 25 }, other: { p999: 23, max: 30 } } as const;
const PACKETS_PER_SECOND = 50;
/** Until every stream runs and the code is compiled. */
const WARM_UP_MS = 3000;

/** Runs the command without the right to real-time scheduling. */
const WITHOUT_FIFO = ['setpriv', '--bounding-set', '-sys_nice', '--inh-caps', '-sys_nice'] as const;

function startChild(module: string, prefix: readonly string[] = []): ChildProcess {
  const [command, ...args] = [
    ...prefix,
    process.execPath,
    '--import',
    'tsx',
    fileURLToPath(new URL(module, import.meta.url)),
  ];
  return spawn(command!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

/** The child's next message; a child that dies instead is an error. */
async function nextMessage<Message>(child: ChildProcess): Promise<Message> {
  const ended = new AbortController();
  try {
    return await Promise.race([
      once(child, 'message', { signal: ended.signal }).then(([message]) => message as Message),
      once(child, 'exit', { signal: ended.signal }).then(([code]) => {
        throw new Error(`A child process ended with ${code}`);
      }),
    ]);
  } finally {
    ended.abort();
  }
}

/** Gaps, in ms, between the wake-ups of a thread that does nothing else: what no sender on this machine can beat. */
interface Floor {
  readonly scheduling: string;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Runs `native/bench/timer-floor.cc` for `seconds`; undefined without a compiler. */
async function measureFloor(program: string, seconds: number, prefix: readonly string[]): Promise<Floor | undefined> {
  const [command, ...args] = [...prefix, program, `${seconds}`];
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return JSON.parse(await text(child.stdout)) as Floor;
}

/** @returns whether there is a program at `path` now. */
function compileFloor(path: string): boolean {
  const source = fileURLToPath(new URL('../../native/bench/timer-floor.cc', import.meta.url));
  return spawnSync('g++', ['-std=c++17', '-O2', '-pthread', source, '-o', path]).status === 0;
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
      'no-fifo': { type: 'boolean', default: false },
      // Every call receives as well, on the thread that sends.
      'both-ways': { type: 'boolean', default: false },
      transport: { type: 'string', default: 'native' },
      json: { type: 'string' },
    },
  });
  const [calls, seconds, stallMs] = [Number(values.calls), Number(values.seconds), Number(values['stall-ms'])];
  const kind = values.transport === 'dgram' ? 'dgram' : 'native';
  const machine = describeMachine();
  printMachine(machine);

  // The kernel stamps packets whether or not the receiver runs: a second real-time thread would only be in the way.
  const folder = mkdtempSync(join(tmpdir(), 'pacing-bench-'));
  const floorProgram = join(folder, 'timer-floor');
  const hasFloor = compileFloor(floorProgram);
  const senderPrefix = values['no-fifo'] ? WITHOUT_FIFO : [];
  const receiver = startChild('./pacing-receiver.ts', WITHOUT_FIFO);
  receiver.send({ type: 'open', calls } satisfies ToReceiver);
  const ports = await nextMessage<number[]>(receiver);
  const sender = startChild('./pacing-sender.ts', senderPrefix);
  sender.send({ type: 'start', calls, stallMs, ports, kind } satisfies ToSender);
  const senderPorts = await nextMessage<number[]>(sender);
  if (values['both-ways']) receiver.send({ type: 'answer', ports: senderPorts } satisfies ToReceiver);

  await pass(WARM_UP_MS);
  const expectedPackets = Math.ceil(calls * PACKETS_PER_SECOND * seconds * 1.1);
  receiver.send({ type: 'start', expectedPackets } satisfies ToReceiver);
  const floorDone = hasFloor ? measureFloor(floorProgram, seconds, senderPrefix) : undefined;
  await pass(seconds * 1000);
  receiver.send({ type: 'stop' } satisfies ToReceiver);
  const measured = await nextMessage<PacingMeasurement>(receiver);
  sender.send({ type: 'stop' } satisfies ToSender);
  const report = await nextMessage<SenderReport>(sender);

  const floor = await floorDone;
  rmSync(folder, { recursive: true });

  const scheduling = report.native?.scheduling ?? 'other';
  const goal = GOALS[scheduling];
  const { p50, p95, p99, p999, max, above25 } = measured.gapMs;
  const isReached = p999 <= goal.p999 && max <= goal.max && measured.lost === 0;
  console.log(
    `${kind} transport, scheduling ${scheduling}, ${calls} calls, ${seconds} s, event loop stalled ${stallMs} ms each second`,
  );
  console.log(
    `gap ms: p50 ${p50.toFixed(3)}, p95 ${p95.toFixed(3)}, p99 ${p99.toFixed(3)}, p99.9 ${p999.toFixed(3)} (goal ${goal.p999}), max ${max.toFixed(3)} (goal ${goal.max}); above 25 ms: ${above25}`,
  );
  console.log(
    floor
      ? `an idle thread on the same machine: p99 ${floor.p99.toFixed(3)}, p99.9 ${floor.p999.toFixed(3)}, max ${floor.max.toFixed(3)}`
      : 'an idle thread: not measured, there is no g++',
  );
  console.log(
    `${measured.received} packets of ${measured.streams} streams, ${measured.lost} lost; ${report.received} received; underruns ${report.underruns}, CPU ${(report.cpuMs / (seconds * 1000 + WARM_UP_MS)).toFixed(3)} cores`,
  );
  if (report.native)
    console.log(
      `latest deadline ${report.native.maxLateMs.toFixed(2)} ms late, ${report.native.skippedDeadlines} skipped`,
    );
  writeJson(values.json, {
    bench: 'pacing',
    machine,
    calls,
    seconds,
    stallMs,
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
